"""A program of others as a process on free ports: started, waited for, ended with us; its words are kept for the case that it fails."""

import subprocess
import sys
import time

import wire

# Seconds for a program to answer; all take under one on an idle machine.
START_LIMIT = 60
ATTEMPTS = 3


class Ended(RuntimeError):
    """The program ended by itself."""


class Process:
    """One program with its log in `folder`; `is_ready` says whether it answers."""

    def __init__(self, name, command, folder, is_ready):
        self._name = name
        self._log = folder / f"{name}.log"
        with open(self._log, "ab") as log:
            words = [str(word) for word in command]
            self._process = subprocess.Popen(words, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self.until("answer", is_ready)
        except BaseException:
            self.kill()
            raise

    def until(self, what, holds, limit=START_LIMIT):
        """Waits for a state of the running program."""
        deadline = time.monotonic() + limit
        while not holds():
            if self._process.poll() is not None:
                raise Ended(f"{self._name} ended with {self._process.returncode}:\n{self.log()}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self._name} did not come to {what} in {limit} s:\n{self.log()}")
            time.sleep(0.05)

    def log(self):
        """The end of what it printed."""
        return self._log.read_text(errors="replace")[-4000:]

    def kill(self):
        """Ends it as a crash would."""
        self._process.kill()
        self._process.wait()


def on_free_ports(count, begin):
    """What `begin(*ports)` makes; tried anew with others where somebody took a port since we saw that it was free."""
    for left in range(ATTEMPTS)[::-1]:
        try:
            return begin(*wire.free_ports(count))
        except Ended as ended:
            if not left:
                raise
            print(f"another try: {ended}", file=sys.stderr, flush=True)


def answers(url):
    """Whether somebody says 200 there."""
    try:
        return wire.exchange("GET", url)[0] == 200
    except OSError:
        return False
