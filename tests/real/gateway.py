"""The gateway as a process of its own: started from a generated `sluice.yaml`, watched through its metrics, ended by SIGTERM."""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import wire
from cache import REPOSITORY

TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or REPOSITORY / "target")
BINARY = Path(os.environ.get("SLUICE_BIN") or TARGET / "quick/sluice")
# Seconds; both take well under one.
START_LIMIT = 30
STOP_LIMIT = 15
# Of a query, as the gateway tells it.
ENDED = {"FINISHED", "FAILED", "CANCELED", "ABANDONED", "REJECTED"}
SAMPLE = re.compile(r"^(\w+)(\{.*\})? (\S+)$", re.MULTILINE)


class Gateway:
    """A running gateway; `backends` are the entries of its one routing group, of which so many are `asleep` at first.

    `group` are more keys of the group, `data` of the data listener, and `settings` of the whole configuration; `under` is
    a command that runs the gateway and looks at it meanwhile.
    """

    def __init__(self, backends, group=None, asleep=0, data=None, under=(), **settings):
        self.port, metrics, health, admin = wire.free_ports(4)
        self.url = f"{'https' if data and 'tls' in data else 'http'}://127.0.0.1:{self.port}"
        self.metrics = f"http://127.0.0.1:{metrics}/metrics"
        self.health = f"http://127.0.0.1:{health}"
        self.admin = f"http://127.0.0.1:{admin}"
        self._folder = Path(tempfile.mkdtemp(prefix="sluice-"))
        config = {
            "data": {"bind": f"127.0.0.1:{self.port}", **(data or {})},
            "metrics": {"bind": f"127.0.0.1:{metrics}"},
            "admin": {"bind": f"127.0.0.1:{admin}"},
            "health": {"bind": f"127.0.0.1:{health}", "interval": "500ms", **settings.pop("health", {})},
            "drain": {"wait": "100ms", "deadline": "5s"},
            "routingGroups": [{"name": "real", "backends": backends, **(group or {})}],
            **settings,
        }
        # JSON is YAML too.
        self.config = self._folder / "sluice.yaml"
        self.config.write_text(json.dumps(config, indent=2))
        self._awake = len(backends) - asleep
        self._under = under
        self._process = None

    def __enter__(self):
        with open(self._folder / "log", "wb") as log:
            command = [*self._under, BINARY, "serve", "--config", self.config]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self._await_ready()
        except BaseException:
            self._process.kill()
            raise
        return self

    @property
    def pid(self):
        """The number of its process."""
        return self._process.pid

    def terminate(self):
        """Tells it to leave, as a roll-out does, without waiting for it."""
        self._process.terminate()

    def left(self):
        """Waits until it has left."""
        self._process.wait(STOP_LIMIT)

    def command(self, path):
        """Gives it an operator's command."""
        status, _, body = wire.exchange("POST", f"{self.admin}{path}")
        if status != 200:
            raise RuntimeError(f"{path}: {status} {body[:500]!r}")

    def queries(self):
        """What it says of the queries that have not ended."""
        told = json.loads(wire.exchange("GET", f"{self.admin}/api/v1/queries?limit=1000")[2])
        return [query for query in told if query["state"] not in ENDED]

    def kill(self):
        """Ends it as a crash would."""
        self._process.kill()
        self._process.wait()

    def __exit__(self, *_):
        if self._process.poll() == -signal.SIGKILL:
            shutil.rmtree(self._folder, ignore_errors=True)
            return
        self._process.terminate()
        try:
            status = self._process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise RuntimeError(f"the gateway did not end after SIGTERM:\n{self.log()}") from None
        if status != 0 or "panicked" in self.log():
            raise RuntimeError(f"the gateway ended with {status}:\n{self.log()}")
        shutil.rmtree(self._folder, ignore_errors=True)

    def _await_ready(self):
        deadline = time.monotonic() + START_LIMIT
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the gateway is not ready:\n{self.log()}")
            time.sleep(0.05)

    def _is_ready(self):
        """Whether it takes queries: its own word, and each backend that is awake seen healthy (a replica is ready without)."""
        try:
            ready = wire.exchange("GET", f"{self.health}/readyz")[0] == 200
            return ready and self.samples("gateway_backend_up") == self._awake
        except OSError:
            return False

    def samples(self, name, label=""):
        """The sum of a metric over all its labels, or over those that read as `label="value"`."""
        text = wire.exchange("GET", self.metrics)[2].decode()
        found = [float(value) for metric, labels, value in SAMPLE.findall(text) if metric == name and label in labels]
        if not found:
            raise AssertionError(f"the gateway shows no {name}")
        return sum(found)

    def log(self):
        """The end of what it printed."""
        return self.lines()[-8000:]

    def lines(self):
        """All that it printed."""
        return (self._folder / "log").read_text(errors="replace")
