"""One Trino that asks who comes, one provider, and the ways to them, each opened once."""

from contextlib import ExitStack

import pytest

from browser import Browser
from clients import Cli, Jdbc, Python
from lacking import begun
from provider import Provider
from realm import Realm
from secured import Secured
from ways import BY_BROWSER, WAYS, opened

# Which coordinators stand behind which way: with TLS towards Trino, one that knows nothing of a gateway.
BEHIND = {"direct": ["plain"], "fronted": ["believing"], "ended": ["believing"], "both": ["plain"], "rewritten": ["plain"]}
BROWSED = ["first", "second"]


@pytest.fixture(scope="session")
def stage():
    """Everything that is started is ended in the other order; what the machine lacks is said, and in CI fails."""
    with ExitStack() as stack:
        yield stack


def started(stage, make):
    """Starts a peer."""
    return begun(lambda: stage.enter_context(make()))


@pytest.fixture(scope="session")
def realm(stage):
    """Keys, certificates and passwords."""
    return started(stage, Realm)


@pytest.fixture(scope="session")
def provider(stage):
    """The identity provider."""
    return started(stage, Provider)


@pytest.fixture(scope="session")
def trino(stage, realm, provider):
    """The coordinators."""
    return started(stage, lambda: Secured(realm, provider))


@pytest.fixture(scope="session")
def doors(stage, trino, realm):
    """Opens a way once, by its name and whether its Trinos want browsers."""
    found = {}

    def door(name, browsed=False):
        if (name, browsed) not in found:
            behind = BROWSED if browsed else BEHIND[name]
            found[name, browsed] = started(stage, lambda: opened(name, trino, realm, behind))
        return found[name, browsed]

    return door


@pytest.fixture(scope="session")
def direct(doors):
    """The reference of passwords and JWTs."""
    return doors("direct")


@pytest.fixture(params=WAYS)
def way(request, doors):
    """A way for passwords and JWTs, verified after the test."""
    yield from verified(doors(request.param))


@pytest.fixture(params=BY_BROWSER)
def browsed(request, doors):
    """A way for logins by browser, verified after the test."""
    yield from verified(doors(request.param, browsed=True))


def verified(way):
    """Nothing may be left in flight."""
    way.begin()
    yield way
    way.verify()


@pytest.fixture(scope="session")
def clients(stage, realm):
    """The clients by name."""
    jdbc = started(stage, lambda: Jdbc(realm.ca))
    return {client.name: client for client in (Python(realm.ca), jdbc, Cli(realm.ca))}


@pytest.fixture(params=["python", "jdbc", "cli"])
def client(request, clients):
    """One of the clients."""
    return clients[request.param]


@pytest.fixture
def browser(realm):
    """A browser for the links that clients show."""
    return Browser(realm.ca)
