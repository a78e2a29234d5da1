"""Which Trino, through which door: every test that asks for a `door` runs once for each pair.

The direct door needs no gateway: `pytest -k direct` tests the tests.
"""

import pytest

from coordinators import FORWARDED, RELEASES, Coordinators
from doors import Door
from gateway import Gateway
from lacking import begun

# Folders with packages, and a pytest.ini, of their own.
collect_ignore = ["observability", "deploy", "clients", "auth", "keda", "replicas", "ui"]
PLAIN = ()
# For each door, the setting `uris` and which two coordinators stand behind it; `auto` has one of each kind.
GATEWAYS = {
    "forwarded": ("forwarded", (2, 3)),
    "host": ("host", (0, 1)),
    "rewrite": ("rewrite", (0, 1)),
    "auto": ("auto", (0, 3)),
}
# What is not played again before the old Trino: `auto` has a coordinator of either kind, and what happens to a gateway
# whose coordinator dies does not depend on the other's release.
ONLY_NEW = {"forwarded", "host"}
ONLY_NEW_VICTIMS = {("direct", 0), ("auto", 1), ("rewrite", 1)}


def pytest_collection_modifyitems(config, items):
    """Leaves out what is played before the new Trino only."""
    left_out = [item for item in items if hasattr(item, "callspec") and is_only_for_the_new(item.callspec.params)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def is_only_for_the_new(chosen):
    """Whether the parameters of a test are those of an old Trino where the new one is enough."""
    twice = chosen.get("long_door") in ONLY_NEW or (chosen.get("doors"), chosen.get("victim")) in ONLY_NEW_VICTIMS
    return twice and chosen.get("version") == "435"


@pytest.fixture(scope="session", params=RELEASES)
def version(request):
    """The release of Trino."""
    return request.param


@pytest.fixture(scope="session")
def trino(version):
    """Four coordinators: two as Trino is by default, two that believe X-Forwarded-*."""
    kinds = [PLAIN, PLAIN, (FORWARDED,), (FORWARDED,)]
    with begun(lambda: Coordinators(version, kinds)) as coordinators:
        yield coordinators


def backends(urls, uris):
    """The backends of a gateway's group."""
    return [{"name": f"trino-{index}", "url": url, "uris": uris} for index, url in enumerate(urls)]


@pytest.fixture(scope="session", params=["direct", *GATEWAYS])
def long_door(request, trino):
    """A way in, kept over many tests."""
    if request.param == "direct":
        yield Door(trino.urls[0], trino.urls[:1])
        return
    uris, chosen = GATEWAYS[request.param]
    urls = [trino.urls[index] for index in chosen]
    with Gateway(backends(urls, uris)) as gateway:
        yield Door(gateway.url, urls, gateway)


@pytest.fixture
def door(long_door):
    """A way in, verified after the test."""
    long_door.begin()
    yield long_door
    long_door.verify()


@pytest.fixture(scope="session")
def reference(trino):
    """The direct door, to compare with; nothing of it is verified."""
    return Door(trino.urls[0], trino.urls[:1])
