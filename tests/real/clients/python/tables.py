"""SQLAlchemy and pandas: what tools build on."""

import pandas
import sqlalchemy
from speaking import auth, encoded, made_up, see, seen
from sqlalchemy import Column, MetaData, Table, func, inspect, select, text
from sqlalchemy.types import BigInteger, String
from trino.transaction import IsolationLevel


def engine(where, more=None, place=None, **options):
    """An engine by URL, as SQLAlchemy's users write it; `more` are arguments of the client, `place` a catalog and schema."""
    url = f"trino://{where['user']}@{where['host']}:{where['port']}/{place or where['catalog'] + '/' + where['schema']}"
    arguments = {"http_scheme": where["scheme"], "verify": where["ca"] or True, "auth": auth(where), "source": where["source"]}
    return sqlalchemy.create_engine(url, connect_args={**arguments, **encoded(where), **(more or {})}, **options)


def all_of_it(where):
    """Each observation of the two."""
    reflection(where)
    statements(where)
    frames(where)
    writes(where)


def reflection(where):
    """What a tool asks to draw its tree."""
    reflected = inspect(engine(where))
    asked = {
        "schemas": lambda: sorted(reflected.get_schema_names()),
        "tables": lambda: sorted(reflected.get_table_names()),
        "views": lambda: reflected.get_view_names(schema="tiny"),
        "columns": lambda: [{**column, "type": str(column["type"])} for column in reflected.get_columns("lineitem")],
        "primary key": lambda: reflected.get_pk_constraint("nation"),
        "foreign keys": lambda: reflected.get_foreign_keys("nation"),
        "indexes": lambda: reflected.get_indexes("nation"),
        "comment": lambda: reflected.get_table_comment("nation"),
        "there": lambda: [reflected.has_table("nation"), reflected.has_table("nothing")],
        "no table": lambda: reflected.get_columns("nothing"),
        "version": lambda: str(reflected.bind.dialect.server_version_info),
        "reflected": lambda: [f"{column.name} {column.type}" for column in Table("orders", MetaData(), autoload_with=reflected.bind).columns],
    }
    for name, question in asked.items():
        seen(f"inspect: {name}", question)


def statements(where):
    """Statements of the expression language, with parameters and with errors."""
    with engine(where).connect() as connection:
        nation = Table("nation", MetaData(), autoload_with=connection)
        seen("text", lambda: [list(row) for row in connection.execute(text("SELECT name FROM nation WHERE nationkey > :n ORDER BY 1"), {"n": 20})])
        query = select(nation.c.regionkey, func.count()).group_by(nation.c.regionkey).order_by(nation.c.regionkey).limit(3)
        seen("select", lambda: [list(row) for row in connection.execute(query)])
        seen("streamed", lambda: sum(len(part) for part in connection.execution_options(stream_results=True).execute(text("SELECT * FROM lineitem")).partitions(1000)))
        seen("error", lambda: connection.execute(text("SELECT nope FROM nation")))
    # By name SQLAlchemy and the client disagree: one writes a space, the other an underscore. `scalar` would leave each query
    # before its end, which sometimes aborts its transaction.
    with engine(where, {"isolation_level": IsolationLevel.READ_COMMITTED}).begin() as connection:
        see("in a transaction", [connection.execute(text("SELECT count(*) FROM region")).scalar_one() for _ in range(3)])


def frames(where):
    """pandas reads, whole and in pieces."""
    bound = engine(where)
    frame = pandas.read_sql("SELECT * FROM nation ORDER BY nationkey", bound)
    see("frame", {"types": {name: str(kind) for name, kind in frame.dtypes.items()}, "rows": frame.values.tolist()})
    pieces = pandas.read_sql("SELECT orderkey, totalprice, orderdate FROM orders", bound, chunksize=4000)
    see("pieces", sorted(len(piece) for piece in pieces))
    frame = pandas.read_sql("SELECT orderkey, totalprice, orderdate FROM orders", bound)
    see("sums", [len(frame), int(frame.orderkey.sum()), round(float(frame.totalprice.sum()), 2), str(frame.orderdate.min())])
    seen("bad frame", lambda: pandas.read_sql("SELECT nope", bound))


def writes(where):
    """Tables made and filled by both, in a schema of this run."""
    schema = made_up("framed")
    bound = engine(where, place=f"memory/{schema}")
    with bound.connect() as connection:
        connection.execute(text(f"CREATE SCHEMA memory.{schema}"))
    table = Table("made", MetaData(), Column("k", BigInteger), Column("name", String))
    seen("create", lambda: table.create(bound))
    with bound.connect() as connection:
        seen("insert", lambda: connection.execute(table.insert(), [{"k": n, "name": f"row {n}"} for n in range(3)]).rowcount)
        seen("inserted", lambda: [list(row) for row in connection.execute(select(table).order_by(table.c.k))])
    frame = pandas.DataFrame({"k": [1, 2], "word": ["ä", None]})
    seen("to_sql", lambda: frame.to_sql("framed", bound, schema=schema, index=False, method="multi", if_exists="append"))
    seen("from_sql", lambda: pandas.read_sql("SELECT * FROM framed ORDER BY k", bound).astype(object).to_dict("records"))
    with bound.connect() as connection:
        for name in ("made", "framed"):
            connection.execute(text(f"DROP TABLE {name}"))
        connection.execute(text(f"DROP SCHEMA memory.{schema}"))
