"""A client that gives up: the query must end in Trino, not only for the client."""

import json
import time
from threading import Thread

import pytest
import wire
from trino.exceptions import TrinoQueryError

# Runs for minutes and gives no row before its end.
SILENT = "SELECT count(*) FROM tpch.sf100.lineitem a CROSS JOIN tpch.sf1.nation b"
# Gives rows at once, and for minutes.
STREAM = "SELECT orderkey, comment FROM tpch.sf100.lineitem"
# Seconds for a query to begin or to end.
LIMIT = 30


def state(door, query_id):
    """What the coordinator itself says: the state of a query and the name of its error."""
    for url in door.coordinators:
        status, _, body = wire.exchange("GET", f"{url}/v1/query/{query_id}")
        if status == 200:
            info = json.loads(body)
            return info["state"], info.get("errorCode", {}).get("name")
    return None


def wait_for(condition, what):
    """Waits for something to become true."""
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, f"not within {LIMIT} s: {what}"
        time.sleep(0.05)


def test_cancel_between_pages(door):
    cursor = door.connect().cursor().execute(STREAM)
    assert len(cursor.fetchmany(2000)) == 2000
    cursor.cancel()
    assert door.exchanges[-1].method == "DELETE"
    wait_for(lambda: state(door, cursor.query_id) == ("FAILED", "USER_CANCELED"), "canceled")


def test_cancel_while_running(door):
    """The DELETE comes on another connection while a poll is waiting."""
    cursor = door.connect().cursor()
    failures = []

    def run():
        try:
            cursor.execute(SILENT)
        except TrinoQueryError as failure:
            failures.append(failure.error_name)

    running = Thread(target=run)
    running.start()
    wait_for(lambda: cursor._query and cursor.query_id and state(door, cursor.query_id) == ("RUNNING", None), "running")
    cursor.cancel()
    running.join(LIMIT)
    # The client stops polling by itself if its DELETE is answered before its poll.
    assert failures in (["USER_CANCELED"], [])
    wait_for(lambda: state(door, cursor.query_id) == ("FAILED", "USER_CANCELED"), "canceled")


def test_kill_by_query_id(door):
    """Another client ends the query by its id alone."""
    cursor = door.connect().cursor().execute(STREAM)
    answer = door.session().delete(f"{door.url}/v1/query/{cursor.query_id}", headers=wire.USER)
    assert answer.status_code == 204
    with pytest.raises(TrinoQueryError):
        cursor.fetchall()
    wait_for(lambda: state(door, cursor.query_id)[0] == "FAILED", "ended")
