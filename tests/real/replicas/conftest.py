"""Coordinators of ours, awake or asleep, a store, and a crowd of clients; the replicas between them are each test's own."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import stores
import wire
from gateway import BINARY
from lacking import begun
from process import Process, answers, on_free_ports

CROWD = Path(__file__).resolve().parent / "crowd.py"
# Seconds for people to come to the end of what they are at, on a busy machine.
LEAVE_LIMIT = 180
# Seconds for everybody to come to the end of one statement there.
ROUND_LIMIT = 180


@pytest.fixture
def folder(tmp_path):
    """Where processes keep what they say."""
    return tmp_path


@pytest.fixture
def coordinators(folder):
    """Two coordinators that stand in for each other; they take X-Forwarded-* as they come."""
    started = [on_free_ports(1, lambda port: simulator(folder, port)) for _ in range(2)]
    yield [{"name": f"trino-{at}", "url": each.url} for at, each in enumerate(started)]
    for each in started:
        each.kill()


def simulator(folder, port):
    """A simulated coordinator as a process."""
    url = f"http://127.0.0.1:{port}"
    command = [BINARY, "simulator", "--bind", f"127.0.0.1:{port}", "--process-forwarded", "true"]
    process = Process(f"simulator-{port}", command, folder, lambda: answers(f"{url}/v1/info"))
    process.url = url
    return process


class Sleeper:
    """A coordinator without a process until the test starts one; whoever resumes it leaves a line."""

    def __init__(self, folder):
        (self._port,) = wire.free_ports(1)
        self._folder = folder
        self._calls = folder / "calls"
        self._process = None
        begin = ["/bin/sh", "-c", f"echo called >>{self._calls}"]
        url = f"http://127.0.0.1:{self._port}"
        self.backend = {"name": "sleeper", "url": url, "resume": {"command": {"resume": begin, "suspend": ["/bin/true"]}}}

    def calls(self):
        """How often somebody resumed it."""
        return len(self._calls.read_text().splitlines()) if self._calls.exists() else 0

    def wake(self):
        """It starts."""
        self._process = simulator(self._folder, self._port)

    def end(self):
        """It is gone."""
        if self._process:
            self._process.kill()


@pytest.fixture
def sleeper(folder):
    """A coordinator that sleeps."""
    sleeper = Sleeper(folder)
    yield sleeper
    sleeper.end()


@pytest.fixture
def store(folder):
    """The settings of a store that all replicas share, and a Redis for it."""
    with stores.shared(begun(stores.redis), folder) as settings:
        yield settings


class Crowds:
    """People in processes of their own, so that no interpreter is too slow for them; `people` are counts by kind, all for one group."""

    def __init__(self, url, group, **people):
        self._people = {kind: self._begin(url, kind, count, group) for kind, count in people.items()}

    def _begin(self, url, kind, count, group):
        words = [sys.executable, str(CROWD), url, kind, str(count), group]
        return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def so_far(self):
        """What each kind has done and failed at until now."""
        for process in self._people.values():
            process.stdin.write("\n")
            process.stdin.flush()
        return {kind: json.loads(process.stdout.readline()) for kind, process in self._people.items()}

    def go_on(self, more):
        """Waits until each kind has come to the end of so many more statements."""
        before = self.so_far()
        deadline = time.monotonic() + ROUND_LIMIT
        while any(seen["done"] < before[kind]["done"] + more for kind, seen in self.so_far().items()):
            assert time.monotonic() < deadline, (before, self.so_far())
            time.sleep(0.2)

    def leave(self):
        """Lets them finish; gives what each kind has done and failed at in all."""
        for process in self._people.values():
            process.stdin.close()
        told = {kind: json.loads(process.stdout.read()) for kind, process in self._people.items()}
        for process in self._people.values():
            process.wait(LEAVE_LIMIT)
        return told

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self._people.values():
            process.kill()
            process.wait()
