"""A gateway with two backends, and queries that stay: their results are waited for by nobody."""

from contextlib import contextmanager

import wire

# More than the coordinator buffers for a client that does not read on; it costs no time once the buffer is full.
LONG = "SELECT * FROM tpch.sf1.lineitem"
# Queries at once of which surely one is at either backend.
ENOUGH = 6


class House:
    """Who lives here: a gateway, its backends by name, and the release of the Trinos."""

    def __init__(self, version, gateway, urls):
        self.version = version
        self.gateway = gateway
        self._name_of = {wire.coordinator_id(url): name for name, url in urls.items()}

    @contextmanager
    def query_at(self, name):
        """A query that runs at a backend, for the time of a `with`; the next goes where fewer are, so soon one comes there."""
        begun = []
        try:
            while not begun or self.name_of(begun[-1].id) != name:
                assert len(begun) < ENOUGH, f"none of {len(begun)} queries came to {name}"
                begun.append(Query(self.gateway.url))
            yield begun[-1]
        finally:
            for query in begun:
                query.cancel()

    def name_of(self, query_id):
        """The backend that runs a query, by the end of its id."""
        return self._name_of[query_id.rsplit("_", 1)[1]]


class Query:
    """A statement sent through the gateway and read up to its first row."""

    def __init__(self, url):
        self._pages = wire.pages(url, LONG)
        first = next(self._pages)
        self.id, self.info_uri = first["id"], first["infoUri"]
        self._last = next(page for page in self._pages if "data" in page)

    def outcome(self):
        """Reads on to the end; its error."""
        *_, last = self._pages
        return last.get("error")

    def cancel(self):
        """Ends it, if it has not ended."""
        wire.exchange("DELETE", self._last["nextUri"])
