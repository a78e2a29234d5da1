"""The ways to end a query before its time, and what Trino itself then says of it.

Trino is asked by the source of the query, not by its id: a client that waited for a cold coordinator holds another id than Trino.
"""

import threading
import time

import requests
from speaking import connect, made_up, see, seen, told

# Runs for minutes, costs nothing and gives no row before its end: a function of the tests' Trino.
SILENT = "SELECT sum(rest_for(20)) FROM UNNEST(sequence(1, 10000)) AS a(x) CROSS JOIN UNNEST(sequence(1, 10000)) AS b(y)"
# The same at the cost of a core, with nothing that a fixture has only after it says that it is ready.
BUSY = "SELECT count(*) FROM UNNEST(sequence(1, 10000)) AS a(x) CROSS JOIN UNNEST(sequence(1, 10000)) AS b(y) CROSS JOIN UNNEST(sequence(1, 10000)) AS c(z)"
# Gives rows at once, and for minutes.
STREAM = "SELECT orderkey, comment FROM tpch.sf100.lineitem"
# Seconds for a query to begin, behind a cold start of 20 s and on a busy machine, and to end.
LIMIT = 240


class Running:
    """A query that runs in a thread of its own, under a source of its own."""

    def __init__(self, where, sql=SILENT, **options):
        self.where = where
        self.source = made_up("source")
        self.cursor = connect(where, source=self.source, **options).cursor()
        self.error = None
        # Not Thread.join: a thread counts as ended when a signal interrupts that.
        self._over = threading.Event()
        threading.Thread(target=self._run, args=(sql,), daemon=True).start()

    def _run(self, sql):
        try:
            self.cursor.execute(sql).fetchall()
        except Exception as error:
            self.error = told(error)
        finally:
            self._over.set()

    def first_id(self):
        """The id as soon as the client has one; it keeps that one, whatever comes later. None if it was refused."""
        until(lambda: self.cursor.query_id or self.error, "an id")
        return self.cursor.query_id

    def runs(self):
        """Waits until Trino runs it; gives the id that the client holds."""
        until(lambda: self.error or self.cursor.stats and self.cursor.stats.get("state") == "RUNNING", "running")
        return self.cursor.query_id

    def end_here(self):
        """The error that the client saw, when it is over for the client; Trino may never have heard of it."""
        return {"ended": self._over.wait(LIMIT), "error": self.error}

    def end(self):
        """The error that the client saw, when it is over for the client and for Trino."""
        return {**self.end_here(), "trino": fate(self.where, self.source)}


def fate(where, source):
    """How Trino says that the one query of a source ended."""
    sql = "SELECT state, error_code FROM system.runtime.queries WHERE source = ?"
    found = []

    def ended():
        found[:] = connect(where).cursor().execute(sql, [source]).fetchall()
        return found and found[0][0] in ("FINISHED", "FAILED")

    until(ended, "ended in Trino")
    return found


def until(condition, what):
    """Waits for something to become true."""
    deadline = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {LIMIT} s: {what}")
        time.sleep(0.05)


def all_of_it(where):
    """Each way, one after the other."""
    between_pages(where)
    from_another_thread(where)
    by_statement(where)
    by_request(where)
    by_time(where)


def between_pages(where):
    """The reader has had enough."""
    for encoding in (None, "json+zstd"):
        source = made_up("source")
        cursor = connect(where, source=source, encoding=encoding).cursor().execute(STREAM)
        see(f"enough, {encoding}", [len(cursor.fetchmany(2000)), cursor.cancel(), cursor.close(), fate(where, source)])
    seen("cancel before execute", connect(where).cursor().cancel)


def from_another_thread(where):
    """While a poll waits; the client ends without an error if its DELETE is answered first, so only Trino's word counts."""
    query = Running(where)
    query.runs()
    seen("cancel while running", query.cursor.cancel)
    see("after cancel", query.end() | {"error": "either way"})
    seen("cancel again", query.cursor.cancel)


def by_statement(where):
    """As an administrator does it."""
    query = Running(where)
    seen("kill_query", lambda: kill(where, query.runs(), "enough"))
    see("after kill_query", query.end())
    query = Running(where)
    seen("kill_query by position", lambda: connect(where).cursor().execute(f"CALL system.runtime.kill_query('{query.runs()}')").fetchall())
    see("after kill_query by position", query.end())


def kill(where, query_id, message):
    """What Superset sends, and others like it."""
    sql = f"CALL system.runtime.kill_query(query_id => '{query_id}',message => '{message}')"
    return connect(where).cursor().execute(sql).fetchall()


def by_request(where):
    """As scripts do it: DELETE by id alone."""
    query = Running(where)
    base = f"{where['scheme']}://{where['host']}:{where['port']}"
    auth = (where["user"], where["password"]) if where["password"] else None
    headers = {"X-Trino-User": where["user"]}
    if where["token"]:
        headers["Authorization"] = f"Bearer {where['token']}"
    answer = requests.delete(f"{base}/v1/query/{query.runs()}", headers=headers, auth=auth, verify=where["ca"] or True, timeout=30)
    see("DELETE by id", answer.status_code)
    see("after DELETE by id", query.end())


def by_time(where):
    """Trino's own limits."""
    for limit in ("query_max_run_time", "query_max_execution_time"):
        see(f"{limit} of 2 s", Running(where, session_properties={limit: "2s"}).end())
