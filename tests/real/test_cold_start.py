"""Statements for who sleeps: the official client waits, unknowingly, while a real Trino is started for it."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import sleeper
import wire
from coordinators import RELEASES
from doors import Door, settle
from gateway import BINARY, Gateway
from lacking import begun
from sleeping import SleepingTrino

# Seconds before the process is even started, so that every cold start is longer.
WAIT = 20
# Seconds until rows come, and until it sleeps again, on a busy machine.
LIMIT = 240
IDLE = "3s"
# Else the last query goes on as demand for a while, which is for scalers.
QUERIES = {"linger": "0s"}
# No table: a coordinator of ours says `starting: false` before its catalogs are there.
FEW = "SELECT 1 AS one, 'woken' AS word"
MANY = (
    "SELECT a * 1000 + b AS n, 'row ' || CAST(a * 1000 + b AS varchar) AS name"
    " FROM UNNEST(sequence(0, 199)) AS t(a) CROSS JOIN UNNEST(sequence(0, 999)) AS u(b)"
)
MANY_ROWS = 200_000
# All that a coordinator was sent in this life, but for the question itself.
SEEN = "SELECT state, query FROM system.runtime.queries WHERE query NOT LIKE '%system.runtime%'"


@pytest.fixture(scope="module", params=["483"])
def trino(request):
    """A Trino that sleeps."""
    with begun(lambda: SleepingTrino(request.param, WAIT)) as trino:
        yield trino


@pytest.fixture
def door(trino):
    """The gateway that is to wake it, and to put it to sleep when it is idle."""
    backend = {"name": "sleeper", "url": trino.url, "resume": trino.driver(), "stats": {"user": "tests"}}
    group = {"coldStart": {"mode": "queue"}, "suspend": {"afterIdle": IDLE}}
    with Gateway([backend], group, asleep=1, queries=QUERIES) as gateway:
        yield Door(gateway.url, [trino.url], gateway)


def test_client_lives_through_cold_starts(door, trino):
    """First from a process that never was, then from one that was stopped because nobody asked."""
    for life in (1, 2):
        assert trino.sleeps()
        door.begin()
        begun = time.monotonic()
        with ThreadPoolExecutor(2) as pool:
            few, many = pool.submit(door.rows, FEW), pool.submit(door.rows, MANY)
            settle(lambda: door.gateway.samples("xtrinode_gateway_inflight_queries"), lambda: 2, "queries in flight")
            assert trino.sleeps(), "they count before any backend lives"
            assert few.result(LIMIT) == [[1, "woken"]], trino.log()
            check(many.result(LIMIT))
        assert time.monotonic() - begun >= WAIT
        assert {exchange.status for exchange in door.exchanges} == {200}
        # The driver may be asked again when there is no sign of life for long; that is still one resume, and one process.
        assert trino.count("started") == door.gateway.samples("gateway_auto_resume_total") == life
        # Nothing was sent to it while it was starting: Trino lists a statement that it refused for that, too.
        assert sorted(wire.rows(trino.url, SEEN)) == sorted([["FINISHED", FEW], ["FINISHED", MANY]])
        door.verify()
        soon(trino.sleeps, "it sleeps when idle")
        assert trino.count("suspend") == life


def check(rows):
    """Each row once, whatever their order."""
    assert len(rows) == MANY_ROWS
    assert {number for number, _ in rows} == set(range(MANY_ROWS))
    assert all(name == f"row {number}" for number, name in rows)


@pytest.mark.parametrize("version", RELEASES)
def test_no_statement_comes_to_who_is_starting(version):
    """The simulator counts what is posted in its ids, and refuses as Trino does while it says `starting: true`."""
    (port,) = wire.free_ports(1)
    url = f"http://127.0.0.1:{port}"
    run = [str(BINARY), "simulator"]
    starting = ["--bind", f"127.0.0.1:{port}", "--version", version, "--starting-for", "4s", "--unused-for", "1m", "--detach"]
    words = {"resume": [*run, *starting], "suspend": [*run, "--stop", url]}
    backend = {"name": "sleeper", "url": url, "resume": {"command": words}, "stats": {"user": "tests"}}
    group = {"coldStart": {"holdFor": "1s"}, "suspend": {"afterIdle": "1s"}}
    with Gateway([backend], group, asleep=1, queries=QUERIES) as gateway:
        begun = time.monotonic()
        pages = list(wire.pages(gateway.url, "SELECT * FROM sim.rows(3)"))
        assert time.monotonic() - begun >= 4
        assert [row for page in pages for row in page.get("data", [])] == [[n, f"row {n}"] for n in range(3)]
        assert pages[0]["stats"]["state"] == "QUEUED" and pages[0]["id"] != pages[-1]["id"]
        assert pages[-1]["id"].split("_")[2] == "00000", "it was its first statement"
        soon(lambda: not sleeper.listens(port), "it sleeps when idle")


def soon(is_so, what):
    """Waits for a state."""
    deadline = time.monotonic() + LIMIT
    while not is_so():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.1)
