"""What every client does: select, fail, prepare, set, begin and commit."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from trino.exceptions import TrinoUserError
from trino.transaction import IsolationLevel


def test_select(door, reference):
    sql = "SELECT nationkey, name, regionkey FROM nation ORDER BY nationkey"
    found = door.rows(sql)
    assert len(found) == 25
    assert found[0] == [0, "ALGERIA", 0]
    assert found == reference.rows(sql)


def test_types_and_names_survive(door, reference):
    sql = (
        "SELECT 9007199254740993 AS big, DECIMAL '1.50' AS exact, TIMESTAMP '2026-11-21 08:00:00.123456' AS moment,"
        " ARRAY[1, NULL] AS list, MAP(ARRAY['ä'], ARRAY['\"\\']) AS map, CAST(NULL AS varchar) AS nothing, X'00ff' AS bytes"
    )
    cursor = door.connect().cursor()
    found = cursor.execute(sql).fetchall()
    assert [column.name for column in cursor.description] == ["big", "exact", "moment", "list", "map", "nothing", "bytes"]
    assert found == reference.rows(sql)


def test_error_in_trinos_words(door):
    with pytest.raises(TrinoUserError) as failed:
        door.rows("SELECT nope FROM nation")
    assert failed.value.error_name == "COLUMN_NOT_FOUND"
    assert failed.value.message == "line 1:8: Column 'nope' cannot be resolved"


def test_error_in_mid_flight(door):
    cursor = door.connect().cursor()
    with pytest.raises(TrinoUserError) as failed:
        cursor.execute("SELECT 1 / (orderkey - 4000) FROM tpch.sf1.orders").fetchall()
    assert failed.value.error_name == "DIVISION_BY_ZERO"


@pytest.mark.parametrize("legacy", [True, False], ids=["in_headers", "immediate"])
def test_prepared_statement(door, legacy):
    cursor = door.connect(legacy_prepared_statements=legacy).cursor()
    sql = "SELECT name FROM nation WHERE nationkey > ? AND name LIKE ? ORDER BY name"
    assert cursor.execute(sql, (15, "R%")).fetchall() == [["ROMANIA"], ["RUSSIA"]]
    assert cursor.execute(sql, (22, "R%")).fetchall() == []


def test_session_property(door):
    connection = door.connect(session_properties={"query_max_run_time": "17m"})
    cursor = connection.cursor()
    cursor.execute("SET SESSION query_priority = 3").fetchall()
    shown = cursor.execute("SHOW SESSION").fetchall()
    values = {name: value for name, value, *_ in shown}
    assert (values["query_priority"], values["query_max_run_time"]) == ("3", "17m")
    cursor.execute("RESET SESSION query_priority").fetchall()
    shown = cursor.execute("SHOW SESSION LIKE 'query_priority'").fetchall()
    assert shown[0][1] == shown[0][2]


def test_use_changes_catalog_and_schema(door):
    cursor = door.connect().cursor()
    cursor.execute("USE tpch.sf1").fetchall()
    assert cursor.execute("SELECT count(*) FROM customer").fetchall() == [[150000]]


def test_transaction_stays_on_its_coordinator(door):
    """The transaction lives in one coordinator: all its statements must come to that one, its end too."""
    with door.connect(isolation_level=IsolationLevel.READ_COMMITTED) as connection:
        owners = set()
        for _ in range(5):
            cursor = connection.cursor()
            assert cursor.execute("SELECT count(*) FROM region").fetchall() == [[5]]
            owners.add(cursor.query_id.rsplit("_", 1)[1])
        connection.commit()
        assert len(owners) == 1
        connection.cursor().execute("SELECT 1").fetchall()
        connection.rollback()


def test_statements_spread_over_the_coordinators(door):
    """Load decides who gets a statement, and each query is followed to where it runs."""

    def once(_):
        cursor = door.connect().cursor()
        assert cursor.execute("SELECT count(*) FROM lineitem").fetchall() == [[60175]]
        return cursor.query_id.rsplit("_", 1)[1]

    with ThreadPoolExecutor(8) as pool:
        owners = set(pool.map(once, range(32)))
    assert len(owners) == len(door.coordinators)


def test_writes_arrive(door):
    """The table lives in the memory of one coordinator, so one statement makes, fills and counts it."""
    cursor = door.connect(catalog="memory", schema="default").cursor()
    name = f"written_{abs(hash(door.url))}"
    assert cursor.execute(f"CREATE TABLE {name} AS SELECT * FROM tpch.tiny.nation").fetchall() == [[25]]
    assert cursor.stats["state"] == "FINISHED"
