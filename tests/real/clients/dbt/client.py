"""dbt with dbt-trino, in an environment of its own: it pins much that others want newer."""

from pathlib import Path

from client import Client
from interpreter import interpreter

HERE = Path(__file__).resolve().parent


class Dbt(Client):
    """dbt called by its own Python interface, on a small project."""

    name = "dbt-trino 1.10.6"
    tasks = ("statements", "cold")
    prefix = False

    def prepare(self):
        self._python = interpreter(HERE / "requirements.txt")

    def command(self, task):
        return [self._python, HERE / "program.py", task]

    @property
    def environment(self):
        """The programs beside it share how one speaks."""
        return {"PYTHONPATH": HERE.parent / "python"}


CLIENTS = [Dbt()]
