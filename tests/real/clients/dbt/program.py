"""dbt as its users use it: `program.py TASK`; a project is seeded, run twice, tested, kept as a snapshot, and documented."""

import json
import os
import shutil
import sys
import tempfile
from contextlib import redirect_stdout, suppress
from pathlib import Path

# Before dbt is loaded, which reads it then; nobody is to be told of our runs.
os.environ["DBT_SEND_ANONYMOUS_USAGE_STATS"] = "false"

import trino
from dbt.cli.main import dbtRunner
from speaking import connect, made_up, play, see, seen

PROJECT = Path(__file__).resolve().parent / "project"


class Project:
    """A copy of the project in a folder of this run, with the profile that leads to Trino."""

    def __init__(self, where, folder):
        self.where = where
        self.schema = made_up("dbt")
        self.folder = Path(folder) / "project"
        shutil.copytree(PROJECT, self.folder)
        # JSON is YAML too.
        profile = {"clients": {"target": "clients", "outputs": {"clients": self.target()}}}
        (self.folder / "profiles.yml").write_text(json.dumps(profile))

    def target(self):
        """As a user writes it into his profile."""
        where = self.where
        target = {
            "type": "trino", "method": "none", "host": where["host"], "port": where["port"], "user": where["user"],
            "database": "memory", "schema": self.schema, "http_scheme": where["scheme"], "threads": 4, "retries": 3,
            "session_properties": {"query_max_run_time": "17m"},
        }
        if where["ca"]:
            target["cert"] = where["ca"]
        if where["password"]:
            target |= {"method": "ldap", "password": where["password"]}
        if where["token"]:
            target |= {"method": "jwt", "jwt_token": where["token"]}
        return target

    def dbt(self, *words):
        """Runs a command of dbt; what came of each node, and of the command."""
        options = ["--project-dir", self.folder, "--profiles-dir", self.folder, "--log-path", self.folder / "logs"]
        # Standard output is ours.
        with redirect_stdout(sys.stderr):
            ended = dbtRunner().invoke([str(word) for word in ("--log-level", "none", "--no-use-colors", *words, *options)])
        nodes = getattr(ended.result, "results", None) or []
        return {"success": ended.success, "error": ended.exception and type(ended.exception).__name__, "nodes": sorted(map(outcome, nodes))}

    def drop(self):
        """Leaves nothing behind in the coordinator's memory."""
        cursor = connect(self.where, catalog="memory", schema=self.schema).cursor()
        for (name, kind) in cursor.execute("SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = ?", [self.schema]).fetchall():
            cursor.execute(f"DROP {'VIEW' if kind == 'VIEW' else 'TABLE'} {name}").fetchall()
        cursor.execute(f"DROP SCHEMA IF EXISTS memory.{self.schema}").fetchall()


def outcome(result):
    """One node: what dbt prints of it, without times and ids."""
    response = getattr(result, "adapter_response", None) or {}
    return [result.node.unique_id, str(result.status), result.message or "", str(response.get("rows_affected", ""))]


def statements(where, project):
    """Everything that a project goes through."""
    for words in (
        ["debug"], ["seed"], ["run", "--exclude", "tag:broken"], ["run", "--exclude", "tag:broken"], ["run", "--select", "loads", "--full-refresh"],
        ["test"], ["snapshot"], ["snapshot"], ["run", "--select", "tag:broken"], ["docs", "generate", "--no-compile"],
    ):
        see(f"dbt {' '.join(words)}", project.dbt(*words))
    seen("catalog", lambda: catalog(project))
    for name in ("continents", "nations", "per_continent", "kept"):
        seen(f"rows of {name}", lambda: rows(where, project, name))
    seen("sum of loads", lambda: query(where, f"SELECT count(*), sum(orderkey), count(DISTINCT orderkey) FROM memory.{project.schema}.loads"))


def catalog(project):
    """What the documentation knows of the tables."""
    known = json.loads((project.folder / "target/catalog.json").read_text())
    nodes = {**known["nodes"], **known["sources"]}
    return {name: [[column["name"], column["type"]] for column in node["columns"].values()] for name, node in sorted(nodes.items())}


def rows(where, project, name):
    """The rows of a table, without the columns that tell a time."""
    found = connect(where).cursor().execute(f"SELECT * FROM memory.{project.schema}.{name}")
    names = [column.name for column in found.description]
    kept = [index for index, column in enumerate(names) if not column.startswith("dbt_")]
    return [names, sorted(repr([row[index] for index in kept]) for row in found.fetchall())]


def query(where, sql):
    """The rows of a statement."""
    return connect(where).cursor().execute(sql).fetchall()


def cold(where, project):
    """A scheduled run that finds nobody awake."""
    for words in (["debug"], ["build", "--select", "continents", "nations"]):
        see(f"dbt {' '.join(words)}", project.dbt(*words))


TASKS = {"statements": statements, "cold": cold}


def in_a_project(task):
    """The task in a project of its own."""

    def played(where):
        with tempfile.TemporaryDirectory() as folder:
            project = Project(where, folder)
            try:
                task(where, project)
            finally:
                # Where nobody took statements nothing was made; and who is awake since may have no catalogs yet.
                with suppress(trino.exceptions.Error, trino.exceptions.HttpError):
                    project.drop()

    return played


if __name__ == "__main__":
    play({name: in_a_project(task) for name, task in TASKS.items()})
