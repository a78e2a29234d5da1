"""The Trinos that the situations share: one JVM a release with several coordinators, started when first wanted."""

import threading

from client import LIMIT
from coordinators import FORWARDED, Coordinators
from where import Where

# The old protocol's headers are understood beside the new ones'; nothing else changes by it.
PRESTO = "protocol.v1.alternate-header-name=Presto"
# The release's coordinators, each with tables in memory of its own. Nobody but the direct reference goes to `direct`; who
# stands behind a gateway that makes the URIs is `plain`.
KINDS = {
    "483": {"direct": (PRESTO,), "plain": (PRESTO,), "forwarded": (PRESTO, FORWARDED), "other": (PRESTO, FORWARDED)},
    "435": {"direct": (PRESTO,), "plain": (PRESTO,)},
}
# They remember queries and their segments for a quarter of an hour; with half of it they collect garbage more than they work.
HEAP = "3g"


class Peers:
    """What outlives a situation: the Trinos, and what clients show when they ask one directly."""

    def __init__(self):
        self._jvms = {}
        self._references = {}
        self._lock = threading.Lock()

    def trinos(self, version):
        """{kind: URL} of a running release."""
        with self._lock:
            if version not in self._jvms:
                self._jvms[version] = Coordinators(version, list(KINDS[version].values()), HEAP).__enter__()
            return dict(zip(KINDS[version], self._jvms[version].urls))

    def pair(self):
        """Two backends of one group."""
        urls = self.trinos("483")
        return [{"name": "trino-a", "url": urls["forwarded"]}, {"name": "trino-b", "url": urls["other"]}]

    def reference(self, client, task, version, limit=LIMIT):
        """What a client shows without a gateway; asked once for each task and release."""
        url = self.trinos(version)["direct"]
        with self._lock:
            held = self._references.setdefault((client.name, task, version), Reference())
        return held.of(lambda: client.run(Where.at(url), task, limit=limit))

    def close(self):
        """Ends the JVMs."""
        for jvm in self._jvms.values():
            jvm.stop()


class Reference:
    """What is found out once, by whoever comes first; a failure is for everybody."""

    def __init__(self):
        self._lock = threading.Lock()
        self._found = None

    def of(self, find):
        """What was found."""
        with self._lock:
            if self._found is None:
                try:
                    self._found = (find(), None)
                except Exception as failure:
                    self._found = (None, failure)
        found, failure = self._found
        if failure:
            raise failure
        return found
