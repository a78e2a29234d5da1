"""The contract of `../client.py` for a program in Python: where to go, what is seen, marks; what changes from run to run becomes a word."""

import base64
import json
import re
import ssl
import sys
import threading
import time
import urllib.request

QUERY = re.compile(r"\d{8}_\d{6}_\d{5}_\w{5}")
# Several threads may see something.
LOCK = threading.Lock()
STATE = re.compile(r'"state":"(\w+)"')
ERROR = re.compile(r'"errorCode":\{"code":\d+,"name":"(\w+)"')
# Seconds for a query to end on a busy machine.
LIMIT = 180


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

    def outcome(self, query):
        """Trino's own word of a query, by its id, so that it is found whichever coordinator has it: how it ended."""
        deadline = time.monotonic() + LIMIT
        while (found := STATE.search(info := self._info(query)))[1] not in ("FAILED", "FINISHED"):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the query is still {found[1]}")
            time.sleep(0.1)
        error = ERROR.search(info)
        return [found[1], error and error[1]]

    def _info(self, query):
        headers = {"X-Trino-User": self.where["user"]}
        if self.where["password"]:
            pair = f"{self.where['user']}:{self.where['password']}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        request = urllib.request.Request(f"{self.url}/v1/query/{query}", headers=headers)
        trusting = ssl.create_default_context(cafile=self.where["ca"]) if self.where["ca"] else None
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trusting))
        with opener.open(request, timeout=LIMIT) as answer:
            return answer.read().decode()
