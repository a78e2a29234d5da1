"""The official client of Node. It is only given a base URL, and asks for `/v1` below that host, so no path."""

from pathlib import Path

import node
from client import Client

HERE = Path(__file__).resolve().parent


class Npm(Client):
    """A program beside this file, with the packages of its lock file."""

    tasks = ("statements", "large", "cancel", "transactions", "reading", "idle", "cold")
    prefix = False

    def __init__(self, name, folder):
        self.name = name
        self._folder = folder

    def prepare(self):
        """Fetches what the lock file names; the bundles of Node that the wheel holds do as well."""
        self._packages = node.packages(self._folder) / "node_modules"
        self._node = Path(node.find()) / "node"

    def command(self, task):
        return [self._node, self._folder / "program.js", task]

    @property
    def environment(self):
        """Where `require` finds the packages."""
        return {"NODE_PATH": self._packages}


CLIENTS = [Npm("trino-client (Node) 0.2.9", HERE)]
