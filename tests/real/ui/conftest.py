"""Two real Trinos whose web UI wants a login, a gateway before them, and a browser without a window."""

import os
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from cache import Missing
from coordinators import FORWARDED, Coordinators
from debian import install
from gateway import Gateway
from house import House
from lacking import lacks

# Any name opens it, over plain HTTP too; each coordinator signs its logins with a secret of its own.
LOGIN = "web-ui.authentication.type=insecure"
# One that makes the right addresses itself, and one whose answers the gateway has to correct.
KINDS = [(FORWARDED, LOGIN), (LOGIN,)]
NAMES = ("one", "two")
# What each test saw last, for people to look at.
PICTURES = os.environ.get("SLUICE_PICTURES")


def browser_of_this_machine():
    """The path of Chromium, installed by Debian's package where it is missing."""
    found = shutil.which("chromium") or (install("chromium") and shutil.which("chromium"))
    if not found:
        raise Missing("the web UI is looked at with Chromium (Debian: chromium): install it")
    return found


@pytest.fixture(scope="session", params=["483", "435"])
def house(request):
    """The gateway and what stands behind it."""
    try:
        with Coordinators(request.param, KINDS) as trino:
            backends = [{"name": name, "url": url} for name, url in zip(NAMES, trino.urls)]
            with Gateway(backends, queries={"linger": "0s"}) as gateway:
                yield House(request.param, gateway, dict(zip(NAMES, trino.urls)))
    except Missing as missing:
        lacks(missing)


@pytest.fixture(scope="session")
def chromium():
    """The browser."""
    try:
        path = browser_of_this_machine()
    except Missing as missing:
        lacks(missing)
    with sync_playwright() as driver:
        # A container's root may not make the browser's own sandbox.
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox", "--no-proxy-server"])
        yield browser
        browser.close()


@pytest.fixture
def tabs(chromium, request):
    """Opens tabs of one person's browser; the last state of each becomes a picture if anybody wants one."""
    person = chromium.new_context(viewport={"width": 1280, "height": 800})
    # A busy machine takes its time to paint a page.
    person.set_default_timeout(60_000)
    yield person.new_page
    for number, page in enumerate(person.pages):
        if PICTURES:
            name = request.node.name.replace("/", "-")
            page.screenshot(path=str(Path(PICTURES) / f"{name}-{number}.png"))
    person.close()
