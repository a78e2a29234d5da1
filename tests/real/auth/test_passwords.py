"""Passwords and tokens: whatever a client shows, its user sees through the gateway what Trino itself says."""

import re

import pytest

import wire
from clients import Pass, Seen
from gateway import Gateway
from realm import PASSWORD, USER, WRONG
from secured import basic, bearer
from ways import WAYS, backends

SQL = "SELECT nationkey, name FROM tpch.tiny.nation ORDER BY nationkey"
ROWS = 25
# A POST, its polls: two at the least.
FEWEST = 3
STATEMENT = "/v1/statement"


def passes(realm):
    """What a client may show, and whether that opens."""
    return {
        "password": (Pass(USER, password=PASSWORD), True),
        "wrong-password": (Pass(USER, password=WRONG), False),
        "unknown-user": (Pass("mallory", password=PASSWORD), False),
        "token": (Pass(USER, token=realm.token()), True),
        "expired-token": (Pass(USER, token=realm.token(lasts=-60)), False),
        "foreign-token": (Pass(USER, token=realm.token(key="ca.key")), False),
        "nothing": (Pass(USER), False),
    }


KINDS = ["password", "wrong-password", "unknown-user", "token", "expired-token", "foreign-token", "nothing"]
# The command line is a JVM a statement; what it shows besides, JDBC shows by the same library. What a client shows passes
# towards a Trino with TLS as towards one without.
FEW = ["password", "wrong-password", "token"]
WITH_FEW = {"cli", "both", "rewritten"}
CASES = [
    (way, name, kind) for way in WAYS for name in ("python", "jdbc", "cli") for kind in (FEW if WITH_FEW & {way, name} else KINDS)
]


def told(seen):
    """What a user saw, without the numbers of the moment: times, ports."""
    return Seen(seen.rows, seen.error and re.sub(r"\d+", "N", seen.error))


@pytest.fixture(scope="module")
def reference(direct, clients, realm):
    """What each client's user sees directly, asked once."""
    found = {}

    def ask(client, kind):
        if (client.name, kind) not in found:
            shown, _ = passes(realm)[kind]
            found[client.name, kind] = told(client.ask(direct.url, SQL, shown))
        return found[client.name, kind]

    return ask


@pytest.mark.parametrize(("way", "name", "kind"), CASES, indirect=["way"])
def test_a_user_sees_what_trino_says(way, clients, name, kind, realm, reference):
    """Rows, or the error in the same words; and the gateway was asked."""
    client = clients[name]
    shown, opens = passes(realm)[kind]
    seen = told(client.ask(way.url, SQL, shown))
    assert seen == reference(client, kind)
    assert len(seen.rows) == (ROWS if opens else 0)
    assert bool(seen.error) == (not opens)
    if way.gateway:
        assert way.requests() >= (FEWEST if opens else 1), "the gateway was bypassed"


@pytest.mark.parametrize(("kind", "words"), [
    ("wrong-password", "Access Denied: Invalid credentials"), ("expired-token", "JWT expired"), ("nothing", "Unauthorized"),
])
def test_the_reference_says_why(clients, kind, words, reference):
    """Else two clients that fail for any other reason would be alike, too."""
    for name in ("python", "jdbc"):
        assert words in reference(clients[name], kind).error
    assert "Invalid credentials" in reference(clients["cli"], "wrong-password").error


def test_jdbc_validates_its_credentials(way, clients, realm):
    """`validateConnection` asks with HEAD before any statement."""
    for kind in FEW:
        shown, opens = passes(realm)[kind]
        seen = clients["jdbc"].ask(way.url, SQL, shown, validateConnection="true")
        assert bool(seen.error) == (not opens), (kind, seen)
        assert opens or "28000" in seen.error, (kind, seen)


def test_python_never_leaves_the_way(way, clients, realm):
    """Trino's clients follow `nextUri` wherever it points."""
    python = clients["python"]
    python.exchanges.clear()
    with python.connect(way.url, Pass(USER, password=PASSWORD)) as connection:
        rows = connection.cursor().execute("SELECT * FROM tpch.tiny.orders").fetchall()
    assert len(rows) == 15_000
    assert len(python.exchanges) >= FEWEST
    assert {exchange.url.split("/v1/")[0] for exchange in python.exchanges} == {way.url}
    assert not way.gateway or way.requests() == len(python.exchanges)


@pytest.mark.parametrize("method", ["POST", "HEAD"])
def test_a_refusal_passes_as_it_is(way, direct, method, realm):
    """Status, challenges in their order, type and words."""
    for headers in ({}, basic(USER, WRONG), bearer("no token"), {"Authorization": "Basic !"}):
        through, itself = (refusal(each.url, method, headers, realm) for each in (way, direct))
        assert through == itself, headers
        assert itself[0] == 401


def refusal(url, method, headers, realm):
    """What an unwelcome client gets."""
    body = "SELECT 1" if method == "POST" else None
    status, answered, text = wire.exchange(method, f"{url}{STATEMENT}", body, headers, context=realm.context)
    return status, answered.get_all("WWW-Authenticate"), answered["Content-Type"], text


@pytest.mark.parametrize("claims", [{}, {"X-Forwarded-Proto": "https"}, {"Forwarded": "proto=https"}])
def test_only_a_trusted_proxy_makes_http_secure(trino, claims):
    """Who comes by plain HTTP is told what Trino says to that, whatever he claims."""
    with Gateway(backends(trino.http, ["believing"])) as gateway:
        shown = basic(USER, PASSWORD)
        itself = wire.exchange("POST", f"{trino.http('believing')}{STATEMENT}", "SELECT 1", shown)
        through = wire.exchange("POST", f"{gateway.url}{STATEMENT}", "SELECT 1", {**shown, **claims})
    assert (through[0], through[2]) == (itself[0], itself[2]) == (403, b"Error 403 Forbidden: Authentication over HTTP is not enabled")


def test_nothing_is_written_of_it(way, realm):
    """Neither in what the gateway prints nor in what it counts."""
    if not way.gateway:
        return
    token = realm.token()
    shown = [basic(USER, PASSWORD), bearer(token), basic(USER, WRONG)]
    for headers in shown[:2]:
        assert wire.rows(way.url, "SELECT 1", headers, realm.context) == [[1]]
    assert wire.exchange("POST", f"{way.url}{STATEMENT}", "SELECT 1", shown[2], context=realm.context)[0] == 401
    written = way.gateway.lines() + wire.exchange("GET", way.gateway.metrics)[2].decode()
    for secret in (PASSWORD, WRONG, token, *[headers["Authorization"].split()[1] for headers in shown]):
        assert secret not in written
