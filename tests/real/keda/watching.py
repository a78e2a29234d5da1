"""Waiting: for a state that is asked for, and for changes that an API server tells as they come."""

import http.client
import json
import socket
import ssl
import threading
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from api_server import ADMIN

# Seconds for what KEDA does by polls every second, and a busy machine's share.
LIMIT = 60


def until(what, holds, limit=LIMIT):
    """Waits for a state; what it was found to be."""
    deadline = time.monotonic() + limit
    while not (seen := holds()):
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.1)
    return seen


class Watch:
    """The changes of one object with a count, such as a Deployment, as they come, each as (Unix seconds, object)."""

    def __init__(self, server, objects, name):
        self.changes = []
        self._asked = 0
        self._changed = threading.Condition()
        version = json.loads(server.ask("GET", objects)[1])["metadata"]["resourceVersion"]
        url = urlsplit(server.url)
        trust = ssl.create_default_context(cafile=Path(server.environment["SLUICE_TEST_KUBE_FOLDER"]) / "ca.crt")
        self._connection = http.client.HTTPSConnection(url.hostname, url.port, context=trust)
        headers = {"Authorization": f"Bearer {ADMIN}"}
        path = f"{objects}?watch=1&resourceVersion={version}&fieldSelector=metadata.name%3D{name}"
        self._connection.request("GET", path, headers=headers)
        self._socket = self._connection.sock
        answer = self._connection.getresponse()
        threading.Thread(target=self._listen, args=[answer], name="watch", daemon=True).start()

    def _listen(self, answer):
        # What is raised is what we do at the end.
        with suppress(OSError, ValueError, http.client.HTTPException):
            for line in iter(answer.readline, b""):
                told = json.loads(line)
                with self._changed:
                    self.changes.append((time.time(), told["object"]))
                    self._changed.notify_all()

    def first(self, replicas, limit=LIMIT):
        """When it came to a count, waited for."""
        def found():
            return next((at for at, each in self.changes if each["spec"]["replicas"] == replicas), None)

        with self._changed:
            at = self._changed.wait_for(found, limit)
        assert at, f"it did not come to {replicas} in {limit} s"
        return at

    def next(self, limit):
        """The next change that nobody has asked for yet; None when there is none for so long."""
        with self._changed:
            self._changed.wait_for(lambda: len(self.changes) > self._asked, limit)
            if len(self.changes) == self._asked:
                return None
            self._asked += 1
            return self.changes[self._asked - 1][1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # What the thread waits for ends with it.
        self._socket.shutdown(socket.SHUT_RDWR)
