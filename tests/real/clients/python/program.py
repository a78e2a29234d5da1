"""The official Python client as its users use it: `program.py TASK`, the address on standard input, observations on standard output."""

from concurrent.futures import ThreadPoolExecutor

import ending
import results
import statements
import tables
from speaking import connect, play, see, seen
from sqlalchemy import text


def everything(where):
    """All that this client can do in one go."""
    statements.all_of_it(where)
    tables.all_of_it(where)


def cold(where):
    """The first things that somebody does who does not know that nobody is awake; no table, for catalogs come after readiness."""
    connection = connect(where)
    seen("select", lambda: connection.cursor().execute("SELECT 1 AS one, 'woken' AS word").fetchall())
    seen("probed and prepared", lambda: connection.cursor().execute("SELECT ? || 'ed'", ("prepar",)).fetchall())
    seen("pooled", lambda: pooled(where))
    seen("an error", lambda: connection.cursor().execute("SELECT nope").fetchall())


def pooled(where):
    """As a tool with a pool does it, which asks each connection whether it lives."""
    with tables.engine(where, pool_pre_ping=True).connect() as connection:
        return [list(row) for row in connection.execute(text("SELECT 1"))]


def transactions(where):
    """Transactions, and many statements at once that only read: their rows are the same whoever answers."""
    statements.transactions(where)
    statements.parameters(where)
    with ThreadPoolExecutor(8) as pool:
        counts = pool.map(lambda _: connect(where).cursor().execute("SELECT count(*) FROM lineitem").fetchall(), range(32))
        see("at once", list(counts))
    tables.frames(where)


TASKS = {
    "statements": everything, "large": results.large, "spooled": results.spooled, "cancel": ending.all_of_it,
    "transactions": transactions, "reading": results.reading, "idle": results.idle, "cold": cold,
}

if __name__ == "__main__":
    play(TASKS)
