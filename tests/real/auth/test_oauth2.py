"""Logins by browser at one of two coordinators that share nothing: every step must reach the one that asked."""

import json
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

import wire
from browser import Browser
from clients import Pass
from realm import USER

SQL = "SELECT nationkey, name FROM tpch.tiny.nation ORDER BY nationkey"
ROWS = 25
# By chance alone, so many logins meet only one of two coordinators once in a million runs.
LOGINS = 20
AT_ONCE = 4
MARKER = re.compile(r"/_b/(\w+)/")


def test_a_user_logs_in(browsed, client, browser, provider):
    """The rows come, and the browser was nowhere but here and at the provider."""
    seen = client.ask(browsed.url, SQL, Pass(USER, browser=browser))
    assert (seen.error, len(seen.rows)) == (None, ROWS), browser.failures
    assert browser.failures == []
    (visit,) = browser.visits
    assert len(visit) == 3, "to the gateway, to the provider and back"
    at = [url for url in visit if not url.startswith((f"{browsed.url}/", f"{provider.issuer}/"))]
    assert at == [], "an address that users may not reach"


def test_both_coordinators_log_in(browsed, clients, realm):
    """Many users at once, in a group of two: the steps of one never meet those of another."""
    browsers = [Browser(realm.ca) for _ in range(LOGINS)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        asked = [pool.submit(clients["python"].ask, browsed.url, SQL, Pass(USER, browser=each)) for each in browsers]
        seen = [each.result() for each in asked]
    assert {(each.error, len(each.rows)) for each in seen} == {(None, ROWS)}, [each.failures for each in browsers]
    if browsed.gateway:
        challenged = {MARKER.search(visit[0])[1] for each in browsers for visit in each.visits}
        assert challenged == {"first", "second"}


@pytest.mark.parametrize("name", ["python", "jdbc"])
def test_a_user_who_cancels_is_told(browsed, doors, clients, name, realm):
    """The provider's refusal comes back to the client that waits, in Trino's words."""
    def told(url):
        return clients[name].ask(url, SQL, Pass(USER, browser=Browser(realm.ca, agrees=False)))

    through, itself = told(browsed.url), told(doors("direct", browsed=True).url)
    assert through == itself
    assert "OAuth2 server returned an error" in itself.error or "access_denied" in itself.error


def test_a_client_waits_for_its_user(browsed, clients, realm):
    """A poll that Trino ends without a token names the next one: it leads here, to the same coordinator."""
    challenge = wire.exchange("POST", f"{browsed.url}/v1/statement", "SELECT 1", context=realm.context)[1]["WWW-Authenticate"]
    initiate, token = (re.search(f'{name}="([^"]+)"', challenge)[1] for name in ("x_redirect_server", "x_token_server"))
    answered = json.loads(wire.exchange("GET", token, context=realm.context)[2])
    assert answered == {"nextUri": token}
    browser = Browser(realm.ca)
    browser.visit(initiate)
    assert browser.failures == []
    assert list(json.loads(wire.exchange("GET", answered["nextUri"], context=realm.context)[2])) == ["token"]
    assert wire.exchange("DELETE", token, context=realm.context)[0] == 200


def test_nothing_of_a_login_is_written(browsed, clients, browser):
    """Neither its names nor the token."""
    if not browsed.gateway:
        return
    clients["python"].exchanges.clear()
    seen = clients["python"].ask(browsed.url, SQL, Pass(USER, browser=browser))
    assert seen.error is None
    written = browsed.gateway.lines() + wire.exchange("GET", browsed.gateway.metrics)[2].decode()
    for url in browser.visits[0]:
        for secret in re.findall(r"[0-9a-f]{64}|(?<=state=)[^&]+|(?<=code=)[^&]+", url):
            assert secret not in written
    assert "eyJ" not in written
