"""The contract of `../client.py` for a program in Python: where to go, what is seen, marks; what changes from run to run becomes a word."""

import json
import re
import sys
import threading

QUERY = re.compile(r"\d{8}_\d{6}_\d{5}_\w{5}")
# Several threads may see something.
LOCK = threading.Lock()


class Contract:
    """One run of a task."""

    def __init__(self):
        self.where = json.loads(sys.stdin.readline())
        host = self.where["host"]
        self.address = f"[{host}]:{self.where['port']}" if ":" in host else f"{host}:{self.where['port']}"
        self.url = f"{self.where['scheme']}://{self.address}"

    def see(self, name, value):
        """Shows a value under a name."""
        self._say({"see": name, "value": value})

    def mark(self, word):
        """Lets the situation do something, and waits until it has."""
        self._say({"mark": word})
        if not sys.stdin.readline():
            raise EOFError(f"nobody answers the mark {word}")

    def _say(self, line):
        with LOCK:
            print(json.dumps(line), flush=True)

    def steady(self, text):
        """A text without what is different each time."""
        text = re.sub(rf"{re.escape(self.url)}\S*", "<address>", text)
        return QUERY.sub("<query>", text).replace(self.address, "<address>")
