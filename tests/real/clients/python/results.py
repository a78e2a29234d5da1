"""Results too large for one page, with segments and without, and results that are read over a change behind the gateway."""

from speaking import Fingerprint, connect, mark, see, seen

# A scale of which all rows are wanted: those that are left out cost Trino as much.
LARGE = 'SELECT orderkey, totalprice, clerk FROM tpch."sf0.2".orders'
# More than client and gateway hold together: several segments.
LONG = 'SELECT orderkey, totalprice, clerk, comment FROM tpch."sf0.2".orders'
TINY = "SELECT * FROM tpch.tiny.lineitem"


def large(where):
    """300,000 rows, as the client reads them unless told otherwise: it is slow."""
    cursor = connect(where).cursor().execute(LARGE)
    see("large", Fingerprint().drain(cursor).value())


def spooled(where):
    """The same rows whatever the encoding, and the raw segments as tools take them that decode by themselves."""
    for name, encoding in {"off": None, "json": "json", "json+lz4": "json+lz4", "json+zstd": "json+zstd", "all": ["json+zstd", "json+lz4", "json"]}.items():
        connection = connect(where, encoding=encoding)
        seen(f"{name}: few", lambda: connection.cursor().execute("SELECT 1 AS one").fetchall())
        seen(f"{name}: many", lambda: Fingerprint().drain(connection.cursor().execute(TINY)).value())
        seen(f"{name}: no rows", lambda: connection.cursor().execute("SELECT * FROM nation WHERE false").fetchall())
        seen(f"{name}: error", lambda: connection.cursor().execute("SELECT 1 / (nationkey - 7) FROM nation").fetchall())
    segments = connect(where, encoding="json+zstd").cursor("segment")
    seen("segments", lambda: counted(segments.execute(TINY).fetchall()))


def counted(segments):
    """What does not depend on how the rows were cut into segments."""
    told = [[each.encoding, len(each.segment.data) == each.segment.metadata["segmentSize"]] for each in segments]
    return {"rows": sum(each.segment.metadata["rowsCount"] for each in segments), "each": sorted(map(list, {tuple(each) for each in told}))}


def reading(where):
    """The first rows, whatever happens now, the rest, and a statement after it."""
    connection = connect(where)
    cursor = connection.cursor().execute(LONG)
    rows = Fingerprint()
    rows.take(cursor.fetchmany(2000))
    see("first rows", rows.rows)
    mark("reading")
    seen("all rows", lambda: rows.drain(cursor).value())
    seen("one more", lambda: connection.cursor().execute("SELECT count(*) FROM nation").fetchall())


def idle(where):
    """A statement, whatever happens now, and a statement on the same connection with the same session."""
    connection = connect(where)
    cursor = connection.cursor()
    seen("before", lambda: cursor.execute("SET SESSION query_priority = 3").fetchall())
    seen("rows before", lambda: cursor.execute("SELECT name FROM region ORDER BY 1").fetchall())
    mark("idle")
    seen("rows after", lambda: cursor.execute("SELECT name FROM region ORDER BY 1").fetchall())
    seen("session after", lambda: cursor.execute("SHOW SESSION LIKE 'query_priority'").fetchall())
