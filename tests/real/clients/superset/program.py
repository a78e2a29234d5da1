"""How Superset uses the official Python client: `program.py TASK`; its SQL and its calls replayed, the killing above all.

SQL Lab runs a statement in a thread, takes the query's id and page from the cursor as soon as it has them, and keeps both
in a database of its own: whoever presses Stop later knows the first id only, and sends it in a CALL on another connection.
"""

import signal
import time

import requests
from ending import BUSY, Running, kill
from speaking import connect, play, see, seen
from sqlalchemy import inspect, text
from tables import engine

MESSAGE = "Query cancelled by Superset"
# Seconds between two looks at the cursor of a running statement.
LOOK = 0.1
# Seconds that a chart may take here; a minute by default there.
TIME_OUT = 2


def statements(where):
    """What it asks to connect, to fill its lists, to estimate and to draw."""
    bound = engine(where, {"source": "Apache Superset"}, pool_pre_ping=True)
    reflected = inspect(bound)
    asked = {
        "catalogs": "SHOW CATALOGS", "schemas": "SHOW SCHEMAS", "functions": "SHOW FUNCTIONS LIKE 'approx%'",
        "estimate": "EXPLAIN (TYPE IO, FORMAT JSON) SELECT * FROM orders", "version": "SELECT VERSION()",
        "views": "SELECT table_name FROM information_schema.tables WHERE table_schema = 'tiny' AND table_type = 'VIEW'",
        "chart": "SELECT date_trunc('year', CAST(orderdate AS TIMESTAMP)) AS __timestamp, count(*) AS count FROM tpch.tiny.orders GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 1000",
        "sql lab": "-- 6dcd92a04feb50f14bbcf07c661680ba\nSELECT * FROM nation ORDER BY nationkey\nLIMIT 1001",
    }
    with bound.connect() as connection:
        for name, sql in asked.items():
            seen(name, lambda: [list(row) for row in connection.execute(text(sql.replace(":", "\\:")))])
    seen("tables", lambda: sorted(reflected.get_table_names("tiny")))
    seen("columns", lambda: [[column["name"], str(column["type"])] for column in reflected.get_columns("orders", "tiny")])
    seen("partitions", lambda: reflected.get_indexes("orders", "tiny"))
    see("link", link(where, connect(where).cursor().execute("SELECT 1").info_uri))


def link(where, uri):
    """Whether the page that SQL Lab links opens."""
    base = f"{where['scheme']}://{where['host']}:{where['port']}/"
    return [uri.startswith(base), requests.get(uri, verify=where["ca"] or True, timeout=30).status_code]


def cancel(where):
    """Stop pressed late and early, and what becomes of a statement whose time is up."""
    late = Running(where)
    late.runs()
    seen("stop", lambda: kill(where, late.first_id(), MESSAGE))
    see("stopped", late.end())
    again = late.first_id()
    seen("stop again", lambda: kill(where, again, MESSAGE))
    early = Running(where)
    seen("stop at once", lambda: kill_soon(where, early))
    see("stopped at once", early.end() | {"trino": "whatever it had come to"})
    see("time-out", timed_out(where))


def kill_soon(where, query):
    """Stop was pressed before there was an id."""
    query_id = query.first_id()
    # It polls for the id, so the statement's own first poll has always been sent.
    time.sleep(LOOK)
    return kill(where, query_id, MESSAGE)


class Late(Exception):
    """A chart has had its time."""


def timed_out(where):
    """The alarm ends the waiting and not the query, which goes on until it is killed."""
    query = Running(where)
    query_id = query.runs()

    def ring(*_):
        raise Late

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(TIME_OUT)
    try:
        query.end()
        late = False
    except Late:
        late = True
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    return [late, query.cursor.stats["state"], kill(where, query_id, MESSAGE), query.end()]


def cold(where):
    """Two statements for who sleeps: one is stopped while it waits, one after its hand-over, each by the first id it had."""
    waiting, running = Running(where, BUSY), Running(where, BUSY)
    held = {query: (query.first_id(), query.cursor.info_uri) for query in (waiting, running)}
    if refused := [query.error for query in (waiting, running) if not query.first_id()]:
        see("refused", refused)
        return
    seen("stop while it waits", lambda: kill_soon(where, waiting))
    see("stopped while it waited", waiting.end_here())
    running.runs()
    query_id, uri = held[running]
    see("link after the hand-over", link(where, uri))
    seen("stop after the hand-over", lambda: kill(where, query_id, MESSAGE))
    see("stopped after the hand-over", running.end())
    seen("stop again", lambda: kill(where, query_id, MESSAGE))
    seen("one more", lambda: connect(where).cursor().execute("SELECT 1").fetchall())


TASKS = {"statements": statements, "cancel": cancel, "cold": cold}

if __name__ == "__main__":
    play(TASKS)
