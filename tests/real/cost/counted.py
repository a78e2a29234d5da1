"""A gateway whose instructions are counted, and the first request that counts."""

import socket
import subprocess
import time

import debian
from gateway import Gateway
from one_page import PATIENCE


class Counted(Gateway):
    """A gateway under callgrind, which is asked for nothing before its client comes: who asks until it is ready asks now
    oftener, now more rarely, and all of it would be counted."""

    def _is_ready(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), PATIENCE).close()
        except OSError:
            return False
        return True

    def forget(self):
        """Counts from 0 again: what was executed until now is not told."""
        control = debian.program("callgrind_control", "valgrind")
        subprocess.run([control, "-z", str(self.pid)], check=True, stdout=subprocess.DEVNULL)


def first_poll(client):
    """The request for a page of a query that has begun; until its backend was seen, none does."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return client.begin()
        except RuntimeError:
            if time.monotonic() > deadline:
                raise
