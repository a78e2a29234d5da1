"""The official Python client, with SQLAlchemy and pandas. It takes no path before `/v1`: its URLs would have it before the port."""

from pathlib import Path

from client import Client
from interpreter import interpreter

HERE = Path(__file__).resolve().parent


class Python(Client):
    """A virtual environment from the pinned list, and the programs beside this file."""

    name = "trino (Python) 0.340.0"
    tasks = ("statements", "large", "spooled", "cancel", "transactions", "reading", "idle", "cold")
    full = True
    trinos = ("483", "435")
    prefix = False

    def prepare(self):
        self._python = interpreter(HERE / "requirements.txt")

    def command(self, task):
        return [self._python, HERE / "program.py", task]


CLIENTS = [Python()]
