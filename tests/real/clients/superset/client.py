"""Superset's SQL and calls, replayed with the Python client: Superset itself is not run."""

from pathlib import Path

from client import Client
from interpreter import interpreter

HERE = Path(__file__).resolve().parent
PYTHON = HERE.parent / "python"


class Superset(Client):
    """In the environment of the Python client, whose programs it shares."""

    name = "Superset's calls"
    tasks = ("statements", "cancel", "cold")
    prefix = False

    def prepare(self):
        self._python = interpreter(PYTHON / "requirements.txt")

    def command(self, task):
        return [self._python, HERE / "program.py", task]

    @property
    def environment(self):
        return {"PYTHONPATH": PYTHON}


CLIENTS = [Superset()]
