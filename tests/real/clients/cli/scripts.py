"""What is asked of the command line."""

# Every output format shows this; a row of each kind of value, and a second statement.
SHOWN = (
    "SELECT nationkey, name, nationkey < 1 AS first FROM nation WHERE nationkey < 3 ORDER BY 1;"
    " SELECT NULL AS nothing, 'it''s \"ä\", a\ttab' AS word, 1.50 AS exact, DOUBLE '1.5' AS twice, X'00ff' AS bytes,"
    " TIMESTAMP '2026-11-21 08:09:10.123 Europe/Berlin' AS moment, INTERVAL '2' DAY AS days;"
)
# This too, but for JSON: the command line dies of an array there.
NESTED = "SELECT ARRAY[1, NULL] AS list, MAP(ARRAY['k'], ARRAY[1]) AS map, CAST(ROW(1, 'x') AS ROW(n integer, w varchar)) AS pair"
ME = (
    "SELECT current_user, current_catalog, current_schema, current_timezone(), current_path; SHOW SESSION LIKE 'query_priority';"
    " SELECT \"user\", source FROM system.runtime.queries WHERE state = 'RUNNING' AND query LIKE '%finds itself: trino_cli_476%'"
)
OPTIONS = (
    "--timezone=Asia/Kathmandu", "--session=query_priority=4", "--client-tags=one,two", "--client-info=words", "--trace-token=a-trace",
    "--path=tpch.tiny", "--session-user=bob", "--extra-credential=key=value", "--disable-compression", "--output-format=CSV_HEADER",
)
TYPED = (
    "SELECT * FROM region ORDER BY regionkey",
    "SELECT * FROM region WHERE false",
    "SELECT nope",
    "SELECT FROM",
    "SELECT * FROM (SELECT name FROM region ORDER BY name) WHERE name < 'B'",
    "SET SESSION query_priority = 3",
    "SHOW SESSION LIKE 'query_priority'",
    "USE tpch.sf1",
    "SELECT count(*) FROM nation",
    "USE nowhere.tiny",
    "SHOW SCHEMAS FROM tpch LIKE 's%'",
    "EXPLAIN SELECT 1",
    "SELECT 1 / (orderkey - 4000) FROM tpch.sf1.orders",
)
# How many of those lead to another schema that is there.
SCHEMAS_TYPED = 1
TRANSACTIONS = (
    "START TRANSACTION",
    *["SELECT count(*) FROM region"] * 6,
    "COMMIT",
    "SELECT count(*) FROM nation",
    "START TRANSACTION READ ONLY",
    "SELECT nope",
    "SELECT 'in an aborted transaction'",
    "ROLLBACK",
    "COMMIT",
    *["SELECT count(*) FROM nation"] * 6,
    "START TRANSACTION ISOLATION LEVEL SERIALIZABLE",
    "SELECT count(*) FROM supplier",
    "ROLLBACK",
)


def all_kinds(table):
    """Statements of every kind, with a table of ours."""
    return (
        f"DROP TABLE IF EXISTS {table}",
        f"CREATE TABLE {table} (number bigint, word varchar)",
        f"INSERT INTO {table} VALUES (1, 'one'), (2, NULL)",
        f"INSERT INTO {table} SELECT nationkey, name FROM nation WHERE nationkey > 22",
        f"SELECT * FROM {table} ORDER BY 1, 2",
        f"CREATE TABLE {table} (number bigint)",
        f"SHOW CREATE TABLE {table}",
        f"DELETE FROM {table} WHERE number = 1",
        f"COMMENT ON TABLE {table} IS 'of the tests'",
        f"TRUNCATE TABLE {table}",
        f"DROP TABLE {table}",
        "SET SESSION query_priority = 5",
        "SHOW SESSION LIKE 'query_priority'",
        "RESET SESSION query_priority",
        "SHOW SESSION LIKE 'query_priority'",
        "USE tpch.sf1",
        "SELECT count(*) FROM customer",
        "USE tpch.tiny",
        "SET TIME ZONE 'America/Bahia_Banderas'",
        "SELECT current_timezone()",
        "SET PATH tpch.tiny",
        "SELECT current_path",
        "SET ROLE NONE",
        "SET SESSION AUTHORIZATION bob",
        "SELECT current_user",
        "RESET SESSION AUTHORIZATION",
        "PREPARE few FROM SELECT name FROM region WHERE regionkey < ? ORDER BY name",
        "EXECUTE few USING 2",
        "DESCRIBE INPUT few",
        "DESCRIBE OUTPUT few",
        "DEALLOCATE PREPARE few",
        "EXECUTE few USING 2",
        "EXECUTE IMMEDIATE 'SELECT ? + 1' USING 41",
        "SHOW CATALOGS",
        "DESCRIBE orders",
        "SELECT * FROM (SELECT name FROM region ORDER BY name) WHERE name < 'B'",
        "CALL system.runtime.kill_query(query_id => '20260101_000000_00000_nobdy', message => 'no')",
        "EXPLAIN (TYPE VALIDATE) SELECT 1",
        "SELECT 1 / (orderkey - 4000) FROM tpch.sf1.orders",
        "SELECT 'the last'",
    )
