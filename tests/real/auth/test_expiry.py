"""A token that ends while its query runs: Trino asks for it only at the beginning, so the rows come; the next statement is refused."""

import time

import pytest

import wire
from clients import Pass, Seen
from realm import USER
from secured import bearer
from test_passwords import told

# Large enough that most of it is fetched after the first row has been read.
LARGE = "SELECT orderkey, comment FROM tpch.sf1.orders LIMIT 300000"
ROWS = 300_000
NEXT = "SELECT 1"
# Seconds: long enough for the first row to come on a busy machine.
LASTS = 12
# Seconds to see its end.
LIMIT = 60


def refused(url, token, realm):
    """Whether Trino takes it no more."""
    return wire.exchange("HEAD", f"{url}/v1/statement", headers=bearer(token), context=realm.context)[0] == 401


def await_end(url, token, realm):
    """Waits until it has ended."""
    deadline = time.monotonic() + LIMIT
    while not refused(url, token, realm):
        assert time.monotonic() < deadline, "the token does not end"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def reference(direct, clients, realm):
    """What the users of both see directly of a token that has ended."""
    shown = Pass(USER, token=realm.token(lasts=-60))
    return {name: told(clients[name].ask(direct.url, NEXT, shown)) for name in ("python", "jdbc")}


def test_python_reads_on(way, direct, clients, realm, reference):
    """All rows, and then the refusal in the words of the direct way."""
    token = realm.token(lasts=LASTS)
    python = clients["python"]
    with python.connect(way.url, Pass(USER, token=token)) as connection:
        cursor = connection.cursor().execute(LARGE)
        rows = [cursor.fetchone()]
        await_end(direct.url, token, realm)
        rows += cursor.fetchall()
        assert len(rows) == ROWS
        with pytest.raises(Exception) as refusal:
            connection.cursor().execute(NEXT)
    assert told(Seen(error=f"{type(refusal.value).__name__}: {refusal.value}")) == reference["python"]
    assert "JWT expired" in str(refusal.value)


def test_jdbc_reads_on(way, direct, clients, realm, reference):
    """The same by a driver that fetches ahead."""
    token = realm.token(lasts=LASTS)
    shown = Pass(USER, token=token)
    seen = clients["jdbc"].ask(way.url, LARGE, shown, on_hold=lambda: await_end(direct.url, token, realm), then=NEXT)
    assert len(seen.rows) == ROWS
    assert told(seen).error == reference["jdbc"].error
    assert "JWT expired" in seen.error
