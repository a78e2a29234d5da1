"""What clients do that is hard on a proxy: the longest statements and headers, IPv6, proxies before proxies, leaving at any moment.

Each is sent to a real Trino directly and through the gateway in each of its URI modes, and the answers are compared.
"""

import json
import os
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
import trino

import wire
from bad_roads import Prefixed, Relay
from cache import Missing
from coordinators import FORWARDED, Coordinators
from doors import settle
from gateway import Gateway
from leaving import STAGES

# Trino's default for `query.max-length`, in halves of UTF-16; one more is refused.
LONGEST = 1_000_000
# A query whose client left is no load for long.
LEFT = "query.client.timeout=1m"
# Jetty's default for all headers of a request is 8 KiB; whoever prepares a lot raises it. A letter outside the basic
# plane counts twice for the length, so that 4 MB of them need more than the default.
WIDE = ("http-server.max-request-header-size=256kB", "http-server.max-response-header-size=256kB", "query.max-length=2100000", LEFT)
# For each URI mode, which coordinator stands behind the gateway.
MODES = {"forwarded": 1, "host": 0, "rewrite": 0}
# The coordinator that refuses long statements, long headers and every X-Forwarded-*; the tests' own server would take more.
DEFAULT = 2
NARROW = ("http-server.max-request-header-size=16kB", LEFT)
# Soon enough for a test, and longer than any poll here takes.
ABANDONED = {"queries": {"abandonAfter": "5s", "linger": "0s"}}
SQL = "SELECT * FROM tpch.tiny.orders"


@pytest.fixture(scope="module")
def coordinators():
    """Two that take long headers and statements, of which one believes X-Forwarded-*, and one that takes as little as Trino does by default."""
    try:
        with Coordinators("483", [WIDE, (*WIDE, FORWARDED), NARROW]) as jvm:
            yield jvm.urls
    except Missing as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing))
        pytest.skip(str(missing))


@dataclass(frozen=True)
class Way:
    """A gateway before one coordinator, which is the reference."""

    gateway: Gateway
    direct: str
    uris: str

    @property
    def url(self):
        """Of the gateway."""
        return self.gateway.url


@pytest.fixture(params=MODES)
def way(request, coordinators):
    """The gateway in one of its URI modes; nothing may be in flight when the test is over."""
    direct = coordinators[MODES[request.param]]
    with Gateway([backend(direct, request.param)], **ABANDONED) as gateway:
        yield Way(gateway, direct, request.param)
        idle(gateway)


def backend(url, uris):
    """An entry of the configuration."""
    return {"name": "trino", "url": url, "uris": uris}


def idle(gateway):
    """Waits until no query counts; else those that do are shown."""
    try:
        settle(lambda: gateway.samples("xtrinode_gateway_inflight_queries"), lambda: 0, "queries in flight")
    except AssertionError as left:
        raise AssertionError(f"{left}: {gateway.queries()}") from None


def count(pages):
    """The rows of a query that ended well."""
    assert "error" not in pages[-1], pages[-1]["error"]
    return sum(len(page.get("data", [])) for page in pages)


def outcome(url, sql, **more):
    """What the official client shows: rows, or an error in Trino's words."""
    parts = urlsplit(url)
    options = {"user": "tests", "catalog": "tpch", "schema": "tiny", "encoding": None, **more}
    # The client puts the host into a URL as it is given.
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    try:
        with trino.dbapi.connect(host=host, port=parts.port, **options) as connection:
            return connection.cursor().execute(sql).fetchall()
    except trino.exceptions.TrinoQueryError as error:
        return error.error_name, error.message


def padded(head, tail, letter, length):
    """A statement of so many characters."""
    return head + letter * (length - len(head) - len(tail)) + tail


@pytest.mark.parametrize("letter", ["a", "\u6f22", "\U0001f424"], ids=["1MB", "3MB", "4MB"])
def test_longest_statement(way, letter):
    sql = padded("SELECT length('", "')", letter, LONGEST - 1)
    assert outcome(way.url, sql) == [[LONGEST - 1 - len("SELECT length('')")]]


def test_one_character_too_many_is_trinos_own_error(coordinators):
    sql = padded("SELECT length('", "')", "a", LONGEST + 1)
    direct = outcome(coordinators[DEFAULT], sql)
    with Gateway([backend(coordinators[DEFAULT], "auto")], **ABANDONED) as gateway:
        assert outcome(gateway.url, sql) == direct
        assert outcome(gateway.url, padded("SELECT length('", "')", "a", LONGEST)) == [[LONGEST - len("SELECT length('')")]]
        idle(gateway)
    assert direct[0] == "QUERY_TEXT_TOO_LARGE"


def prepared(size):
    """A header of at least so many bytes, all of it prepared statements of which one is wanted."""
    entries = ["wanted=SELECT+count%28%2A%29+FROM+tpch.tiny.nation"]
    while len(",".join(entries)) < size:
        entries.append(f"unwanted_{len(entries)}=SELECT+1+AS+{'x' * 2000}")
    return {"X-Trino-Prepared-Statement": ",".join(entries)}


def test_64_kib_of_prepared_statements(way):
    assert outcome(way.url, "EXECUTE wanted", http_headers=prepared(64 * 1024)) == [[25]]


def test_headers_that_are_too_long_for_trino_get_its_own_answer(coordinators):
    """The gateway takes more than a backend does by default, and passes the refusal on."""
    url, headers = coordinators[DEFAULT], prepared(64 * 1024)
    direct = wire.exchange("POST", f"{url}/v1/statement", "EXECUTE wanted", headers)
    with Gateway([backend(url, "auto")], **ABANDONED) as gateway:
        through = wire.exchange("POST", f"{gateway.url}/v1/statement", "EXECUTE wanted", headers)
        idle(gateway)
    assert direct[0] == 431
    assert (through[0], through[2]) == (direct[0], direct[2])


@pytest.mark.parametrize("uris", MODES)
def test_ipv6_on_both_sides(coordinators, uris):
    port = wire.free_ports(1)[0]
    here = f"http://[::1]:{port}"
    with (
        Relay(coordinators[MODES[uris]]) as relay,
        Gateway([backend(relay.url, uris)], data={"bind": f"[::1]:{port}"}, **ABANDONED) as gateway,
    ):
        pages = list(wire.pages(here, SQL))
        assert {page["nextUri"].split("/v1/")[0] for page in pages if "nextUri" in page} == {here}
        assert count(pages) == 15000
        assert outcome(here, "SELECT 1") == [[1]]
        idle(gateway)
        assert relay.connections > 0


@pytest.mark.parametrize("uris", ["forwarded", "rewrite", "auto"])
def test_behind_a_proxy_with_port_443_and_a_prefix(coordinators, uris):
    """The proxy ends TLS, takes its prefix away and adds its own X-Forwarded-*; default coordinators refuse those.

    `host` alone cannot do it: scheme and prefix differ on the two sides, as docs/ARCHITECTURE.md says.
    """
    url = coordinators[MODES["forwarded"] if uris == "forwarded" else DEFAULT]
    trusted = {"trustedProxies": ["127.0.0.0/8"]}
    with Gateway([backend(url, uris)], data=trusted, **ABANDONED) as gateway, Prefixed(gateway.url) as proxy:
        pages = proxy.pages("https://gw.example.com/trino", SQL)
        named = [page[key] for page in pages for key in ("nextUri", "infoUri", "partialCancelUri") if key in page]
        bases = {uri.split("/v1/")[0].split("/ui")[0] for uri in named}
        assert bases == {"https://gw.example.com/trino"}
        assert count(pages) == 15000
        idle(gateway)


@pytest.mark.parametrize("uris", MODES)
def test_a_proxy_that_is_not_trusted_changes_nothing(coordinators, uris):
    url = coordinators[MODES[uris] if uris == "forwarded" else DEFAULT]
    lies = {
        "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/evil",
        "Forwarded": "host=evil.example;proto=https",
    }
    with Gateway([backend(url, uris)], **ABANDONED) as gateway:
        pages = list(wire.pages(gateway.url, "SELECT 1", lies))
        assert all(page["nextUri"].startswith(f"{gateway.url}/v1/") for page in pages[:-1])
        assert pages[-1]["stats"]["state"] == "FINISHED", json.dumps(pages[-1])
        idle(gateway)


def test_clients_leave(way):
    """At each stage, several times: nothing is left in flight, no connection stays, and the next client is served."""
    for stage in STAGES:
        for _ in range(3):
            stage(way.gateway)
    idle(way.gateway)
    assert outcome(way.url, "SELECT 1") == [[1]]
    # The scrape itself comes in by another door.
    settle(lambda: way.gateway.samples("gateway_client_connections_active"), lambda: 0, "connections that are left")
