#!/usr/bin/env python3
"""Wakes and suspends one coordinator, as the gateway's `command` driver is told to: `sleeper.py resume|suspend FOLDER`.

Both may be repeated. `FOLDER/life.json` says what runs, where it listens and how long it is waited for first: that stands
for the machine that a real cold start must get. What runs is given the FIFO `FOLDER/lifeline` as its standard input; the
tests hold the other end, and a JVM of ours ends with its input.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

# Seconds for a killed process to let go of its port.
END_LIMIT = 4


def resume(folder):
    """Starts the process unless it is there; readiness is not waited for."""
    note(folder, "resume")
    if (folder / "pid").exists():
        return
    with open(folder / "lifeline", "rb") as lifeline, open(folder / "log", "ab") as log:
        command = [sys.executable, __file__, "run", str(folder)]
        process = subprocess.Popen(command, stdin=lifeline, stdout=log, stderr=log, cwd=folder, start_new_session=True)
    (folder / "pid").write_text(str(process.pid))
    note(folder, "started")


def suspend(folder):
    """Ends the process, as a crash would, and waits until nobody listens."""
    note(folder, "suspend")
    try:
        pid = int((folder / "pid").read_text())
    except FileNotFoundError:
        return
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    deadline = time.monotonic() + END_LIMIT
    while listens(life(folder)["port"]):
        if time.monotonic() > deadline:
            sys.exit("it still listens")
        time.sleep(0.02)
    (folder / "pid").unlink()


def run(folder):
    """Becomes the process, after a while."""
    plan = life(folder)
    time.sleep(plan["wait"])
    os.execv(plan["command"][0], plan["command"])


def listens(port):
    """Whether somebody takes connections there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def life(folder):
    """What the tests wrote down."""
    return json.loads((folder / "life.json").read_text())


def note(folder, what):
    """Keeps what was done, for the tests to count."""
    with open(folder / "calls", "a") as calls:
        calls.write(f"{what}\n")


if __name__ == "__main__":
    {"resume": resume, "suspend": suspend, "run": run}[sys.argv[1]](Path(sys.argv[2]))
