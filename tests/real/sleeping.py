"""A real Trino that really sleeps: no process until the gateway's `command` driver starts one, none after it has stopped it."""

import json
import os
import shutil
import socket
import sys
import tempfile
from pathlib import Path

import sleeper
from coordinators import Coordinators

SCRIPT = Path(sleeper.__file__).resolve()


class SleepingTrino:
    """One coordinator, with those properties, on a port that stays ours; its driver first waits `wait` seconds, then starts it."""

    def __init__(self, version, wait, properties=()):
        self._trino = Coordinators(version, [properties])
        self.url = self._trino.urls[0]
        self.port = self._trino.ports[0]
        self._folder = Path(tempfile.mkdtemp(prefix=f"sleeping-{version}-"))
        plan = {"command": self._trino.command(), "port": self.port, "wait": wait}
        (self._folder / "life.json").write_text(json.dumps(plan))
        os.mkfifo(self._folder / "lifeline")
        # Open for both, so that opening waits for nobody.
        self._lifeline = os.open(self._folder / "lifeline", os.O_RDWR)
        self._reserved = reserved(self.port)

    def driver(self):
        """The backend's `resume` in the configuration."""
        words = {action: [sys.executable, str(SCRIPT), action, str(self._folder)] for action in ("resume", "suspend")}
        return {"command": words}

    def sleeps(self):
        """Whether nobody listens."""
        return not sleeper.listens(self.port)

    def count(self, what):
        """How often the driver was called for `resume` or `suspend`, or `started` the process."""
        try:
            return (self._folder / "calls").read_text().split().count(what)
        except FileNotFoundError:
            return 0

    def log(self):
        """The end of what its lives have printed."""
        return (self._folder / "log").read_text(errors="replace")[-4000:]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        sleeper.suspend(self._folder)
        os.close(self._lifeline)
        self._reserved.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._trino.stop()


def reserved(port):
    """A socket that keeps others from the port and refuses connections; a server that says SO_REUSEADDR may listen there."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", port))
    return held
