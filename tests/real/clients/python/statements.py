"""What the DBAPI offers: rows and types, parameters, session, transactions, errors, warnings, writes."""

import datetime
import decimal
import uuid
from zoneinfo import ZoneInfo

from speaking import connect, made_up, see, seen, told
from trino.transaction import IsolationLevel

TYPES = {
    "whole": "SELECT TINYINT '-1', SMALLINT '2', INTEGER '3', 9007199254740993, true, CAST(NULL AS varchar)",
    "broken": "SELECT REAL '0.1', 0.1e0, nan(), infinity(), -infinity(), DECIMAL '12345678901234567890.123456789'",
    "texts": "SELECT 'ä€😀\"\\', CHAR 'c  ', CAST('v' AS varchar(3)), X'00ff', JSON '{\"a\": [1, null]}', UUID '12151fd2-7586-11e9-8f9e-2a86e4085a59', IPADDRESS '::1'",
    "times": "SELECT DATE '2026-11-21', TIME '01:02:03.456', TIME '01:02:03.456 +02:00', TIMESTAMP '2026-11-21 08:00:00.123456789',"
    " TIMESTAMP '2026-11-21 08:00:00.1 Europe/Berlin', TIMESTAMP '2026-11-21 08:00 -05:30', INTERVAL '2' DAY, INTERVAL '3' MONTH",
    "nested": "SELECT ARRAY[1, NULL], ARRAY[ARRAY['a'], ARRAY[]], MAP(ARRAY['k'], ARRAY[DECIMAL '1.5']), CAST(ROW(1, 'x') AS ROW(a bigint, b varchar)), ROW(1, NULL)",
}
PARAMETERS = [
    7, -1.5, "it's ä", None, True, b"\x00\xff", decimal.Decimal("1.50"), datetime.date(2026, 11, 21), datetime.time(1, 2, 3, 456000),
    datetime.datetime(2026, 11, 21, 8, 0, 0, 123456), datetime.datetime(2026, 11, 21, 8, tzinfo=ZoneInfo("Europe/Berlin")),
    [1, None], {"k": 1.5}, (1, "x"), uuid.UUID("12151fd2-7586-11e9-8f9e-2a86e4085a59"),
]
ERRORS = {
    "column": "SELECT nope FROM nation",
    "table": "SELECT * FROM nothing_there",
    "catalog": "SELECT * FROM nowhere.tiny.nation",
    "syntax": "SELECT FROM WHERE",
    "type": "SELECT 1 + 'a'",
    "in mid-flight": "SELECT 1 / (orderkey - 4000) FROM tpch.sf1.orders",
    "by itself": "SELECT fail('told so')",
    "procedure": "CALL system.runtime.nothing()",
    "kill of nobody": "CALL system.runtime.kill_query('20200101_000000_00000_xxxxx', 'gone')",
    "read only": "CREATE TABLE tpch.tiny.mine (a bigint)",
}


def all_of_it(where):
    """Every observation of the DBAPI, those of writes the last."""
    rows(where)
    parameters(where)
    session(where)
    transactions(where)
    errors(where)
    writes(where)


def rows(where):
    """Rows, their description, and the ways to fetch them."""
    connection = connect(where)
    for name, sql in TYPES.items():
        shown(f"types {name}", connection.cursor(), sql)
        shown(f"types {name}, primitive", connection.cursor(legacy_primitive_types=True), sql)
    shown("no rows", connection.cursor(), "SELECT * FROM nation WHERE false")
    shown("metadata", connection.cursor(), "SHOW COLUMNS FROM lineitem")
    cursor = connection.cursor().execute("SELECT nationkey FROM nation ORDER BY 1")
    see("fetchone", [cursor.fetchone(), cursor.fetchmany(2), cursor.fetchmany(), len(cursor.fetchall()), cursor.fetchone(), cursor.fetchall()])
    see("iterated", list(connection.cursor().execute("SELECT name FROM region ORDER BY 1")))
    see("described", [list(column) for column in connection.cursor().describe("SELECT nationkey AS n, name FROM nation")])
    progress = []
    counting = connection.cursor(stats_callback=lambda stats: progress.append(stats["state"]))
    counting.execute("SELECT count(*) FROM tpch.sf1.lineitem").fetchall()
    see("progress", {"last": progress[-1], "more than once": len(progress) > 1})
    base = f"{where['scheme']}://{where['host']}:{where['port']}/"
    see("info page is where we are", counting.info_uri.startswith(base))


def shown(name, cursor, sql, parameters=None):
    """Tells all that a cursor shows of one statement."""

    def all_of():
        found = cursor.execute(sql, parameters).fetchall()
        return {
            "rows": found, "types": [[type(value).__name__ for value in row] for row in found[:1]],
            "description": [list(column) for column in cursor.description or []], "update": [cursor.update_type, cursor.rowcount],
            "warnings": cursor.warnings, "state": cursor.stats["state"],
        }

    seen(name, all_of)


def parameters(where):
    """Parameters by EXECUTE IMMEDIATE, by headers, and by the client's own probe for which of the two it is."""
    sql = f"SELECT {', '.join('?' * len(PARAMETERS))}"
    for name, legacy in {"probed": None, "immediate": False, "in headers": True}.items():
        connection = connect(where, legacy_prepared_statements=legacy)
        shown(f"parameters {name}", connection.cursor(), sql, PARAMETERS)
        shown(f"parameters {name} twice", connection.cursor(), "SELECT name FROM nation WHERE nationkey > ? AND name LIKE ? ORDER BY 1", (15, "R%"))
        shown(f"parameters {name} too few", connection.cursor(), "SELECT ?, ?", (1,))
    connection = connect(where)
    for sql in ("PREPARE kept FROM SELECT name FROM region WHERE regionkey = ?", "EXECUTE kept USING 1", "DESCRIBE INPUT kept", "DEALLOCATE PREPARE kept", "EXECUTE kept USING 1"):
        shown(f"by hand: {sql}", connection.cursor(), sql)


def session(where):
    """What a session keeps from one statement to the next."""
    connection = connect(
        where, session_properties={"query_max_run_time": "17m"}, client_tags=["one", "two"], timezone="Europe/Berlin",
        roles={"system": "ALL"}, extra_credential=[("key", "value")],
    )
    cursor = connection.cursor()
    shown("session zone", cursor, "SELECT current_timezone(), current_user, current_catalog, current_schema")
    for sql in (
        "SHOW SESSION LIKE 'query_max_run_time'", "SET SESSION query_priority = 3", "SHOW SESSION LIKE 'query_priority'",
        "RESET SESSION query_priority", "SHOW SESSION LIKE 'query_priority'", "SET SESSION nothing = 1", "SET TIME ZONE 'Asia/Tokyo'",
        "USE tpch.sf1", "SELECT count(*) FROM customer", "SELECT current_catalog, current_schema", "USE nowhere.nothing",
        "SET PATH tpch.tiny", "SET ROLE ALL", "SHOW CURRENT ROLES", "SET SESSION AUTHORIZATION other", "SELECT current_user",
        "RESET SESSION AUTHORIZATION", "SELECT current_user",
    ):
        shown(f"session: {sql}", cursor, sql)


def transactions(where):
    """Commit, roll back, fail, and go on."""
    for level in (IsolationLevel.READ_UNCOMMITTED, IsolationLevel.READ_COMMITTED, IsolationLevel.SERIALIZABLE):
        connection = connect(where, isolation_level=level)
        counts = [connection.cursor().execute("SELECT count(*) FROM region").fetchall() for _ in range(5)]
        seen(f"commit at {level.name}", lambda: [counts, connection.commit()])
        seen(f"again at {level.name}", lambda: [connection.cursor().execute("SELECT 1").fetchall(), connection.rollback()])
    connection = connect(where, isolation_level=IsolationLevel.READ_COMMITTED)
    shown("fails in a transaction", connection.cursor(), "SELECT nope")
    shown("after it", connection.cursor(), "SELECT 1")
    seen("rolled back", connection.rollback)
    shown("after that", connection.cursor(), "SELECT 1")
    shown("write in a transaction", connection.cursor(), "CREATE TABLE memory.default.never AS SELECT 1 AS one")
    seen("and rolled back", connection.rollback)


def errors(where):
    """Trino's own words for what is wrong, and its warnings."""
    connection = connect(where)
    for name, sql in ERRORS.items():
        shown(f"error {name}", connection.cursor(), sql)
    # This client keeps the warnings of the answer to the POST only, where Trino has none yet.
    shown("warning", connection.cursor(), "SELECT count(*) FROM (SELECT * FROM nation ORDER BY name)")
    cursor = connection.cursor()
    try:
        cursor.execute("SELECT nope FROM nation")
    except Exception as error:
        see("place of an error", [told(error), error.args[0].get("errorLocation")])


def writes(where):
    """Update counts; the tables live in one coordinator's memory, in a schema of this run."""
    schema = made_up("written")
    connection = connect(where, catalog="memory", schema=schema)
    for sql in (
        f"CREATE SCHEMA memory.{schema}", "CREATE TABLE t AS SELECT nationkey AS k, name FROM tpch.tiny.nation", "INSERT INTO t VALUES (100, 'x'), (101, 'y')",
        "SELECT count(*), max(k) FROM t", "CREATE TABLE t (a bigint)", "DELETE FROM t WHERE k = 100", "UPDATE t SET name = 'z' WHERE k = 101",
        "CREATE VIEW v AS SELECT k FROM t", "SELECT count(*) FROM v", "COMMENT ON TABLE t IS 'ours'", "ALTER TABLE t RENAME TO u", "TRUNCATE TABLE u",
        "INSERT INTO u SELECT nationkey, name FROM tpch.tiny.nation ORDER BY 1",
    ):
        shown(f"write: {sql.replace(schema, 'written')}", connection.cursor(), sql)
    many = connection.cursor()
    seen("executemany", lambda: [many.executemany("INSERT INTO u VALUES (?, ?)", [(n, f"row {n}") for n in range(200, 205)]).fetchall(), many.rowcount])
    for sql in ("SELECT count(*), max(k) FROM u", "DROP VIEW v", "DROP TABLE u", f"DROP SCHEMA memory.{schema}"):
        shown(f"write: {sql.replace(schema, 'written')}", connection.cursor(), sql)
