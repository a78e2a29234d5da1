"""A coordinator that dies and comes back while queries run on both.

Its own queries are lost and must say so; the other's go on, and new statements find a home all the while.
"""

import time

import pytest
import wire
from conftest import backends
from coordinators import FORWARDED, Coordinators
from doors import Door
from gateway import Gateway
from lacking import begun
from trino.exceptions import Error

# Several pages, of which a client has read the first when its coordinator dies.
ROWS = 30_000
SQL = 'SELECT * FROM tpch."sf0.2".customer'
# Seconds until new statements come to a coordinator that is back.
RETURN_LIMIT = 30


@pytest.fixture(scope="module")
def pair(version):
    """Two coordinators, each in a JVM of its own."""
    both = begun(lambda: [Coordinators(version, [(FORWARDED,)]) for _ in range(2)])
    try:
        for each in both:
            each.start()
        for each in both:
            each.ready()
        yield both
    finally:
        for each in both:
            each.stop()


@pytest.fixture(scope="module")
def doors(request, pair):
    """Two ways in, one to each coordinator, or twice the same gateway, which chooses."""
    urls = [each.urls[0] for each in pair]
    if request.param == "direct":
        yield [Door(url, [url]) for url in urls]
        return
    with Gateway(backends(urls, request.param)) as gateway:
        yield [Door(gateway.url, urls, gateway)] * 2


def open_queries(doors, owners):
    """Queries that have given a few rows, at least one on each coordinator; {owner: cursors}."""
    found = {owner: [] for owner in owners}
    for attempt in range(8):
        cursor = doors[attempt % 2].connect().cursor().execute(SQL)
        assert len(cursor.fetchmany(500)) == 500
        found[owner_of(cursor)].append(cursor)
    assert all(found.values()), found
    return found


def owner_of(cursor):
    """Which coordinator process runs a query: the end of its id tells."""
    return cursor.query_id.rsplit("_", 1)[1]


def rest(cursor):
    """The number of rows that are still to come."""
    return sum(len(batch) for batch in iter(lambda: cursor.fetchmany(10_000), []))


# Behind a gateway that prefers nobody either may die; for the rest once is enough.
@pytest.mark.parametrize(("doors", "victim"), [("direct", 0), ("auto", 0), ("auto", 1), ("rewrite", 1)], indirect=["doors"])
def test_restart_in_mid_use(doors, pair, victim):
    for door in doors:
        door.begin()
    owners = [wire.coordinator_id(each.urls[0]) for each in pair]
    running = open_queries(doors, owners)

    pair[victim].kill()
    survivor = doors[1 - victim]
    for _ in range(5):
        assert survivor.rows("SELECT count(*) FROM nation") == [[25]]
    for cursor in running[owners[1 - victim]]:
        assert rest(cursor) == ROWS - 500

    pair[victim].start().ready()
    for cursor in running[owners[victim]]:
        with pytest.raises(Error, match="404.*Query not found"):
            rest(cursor)
    comes_back(doors[victim], wire.coordinator_id(pair[victim].urls[0]))
    for door in doors:
        door.verify()


def comes_back(door, owner):
    """Waits until new statements reach the new process."""
    deadline = time.monotonic() + RETURN_LIMIT
    while True:
        cursor = door.connect().cursor()
        cursor.execute("SELECT 1").fetchall()
        if owner_of(cursor) == owner:
            return
        assert time.monotonic() < deadline, f"no statement came to {owner}"
