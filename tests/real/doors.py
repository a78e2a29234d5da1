"""The ways a client comes to a coordinator: directly, which is the reference, or through the gateway.

Every request that a client makes is recorded. Trino's clients follow `nextUri` wherever it points, so a gateway whose
answers point at the coordinator is bypassed without anyone noticing: a query that succeeds proves nothing.
"""

import time
from dataclasses import dataclass

import requests
import trino

# Seconds for the gateway's numbers to settle after the last byte.
SETTLE_LIMIT = 60


@dataclass(frozen=True)
class Exchange:
    """One request that a client made; the status is None where no whole answer came."""

    method: str
    url: str
    status: int | None


class RecordingSession(requests.Session):
    """The HTTP session of a client, which notes what is sent."""

    def __init__(self, exchanges):
        super().__init__()
        self.trust_env = False
        self._exchanges = exchanges

    def another(self, headers):
        """A second session that notes in the same place."""
        session = RecordingSession(self._exchanges)
        session.headers.update(headers)
        return session

    def send(self, request, **options):
        status = None
        try:
            answer = super().send(request, **options)
            status = answer.status_code
            return answer
        finally:
            self._exchanges.append(Exchange(request.method, request.url, status))


class RecordedRequest(trino.client.TrinoRequest):
    """The client fetches spooled segments in sessions of its own making; here those are recorded too."""

    def unauthenticated(self):
        request = super().unauthenticated()
        request._http_session = self._http_session.another(request.http_headers)
        # The setter binds the methods of the new session.
        request.max_attempts = request.max_attempts
        return request


class RecordedConnection(trino.dbapi.Connection):
    """A connection of the official client whose every request is recorded."""

    def _create_request(self):
        request = super()._create_request()
        request.__class__ = RecordedRequest
        return request


class Door:
    """An address that clients connect to; `coordinators` are the base URLs behind it."""

    def __init__(self, url, coordinators, gateway=None):
        self.url = url
        self.coordinators = coordinators
        self.gateway = gateway
        self.exchanges = []
        self._counted_before = self._counted()
        self._in_flight_before = self._in_flight()

    def session(self):
        """An HTTP session whose requests are recorded."""
        return RecordingSession(self.exchanges)

    def connect(self, **options):
        """A connection of the official client, without spooling unless `encoding` is given."""
        host, port = self.url.removeprefix("http://").split(":")
        options = {"user": "tests", "catalog": "tpch", "schema": "tiny", "encoding": None, **options}
        return RecordedConnection(host=host, port=int(port), http_session=self.session(), **options)

    def rows(self, sql, **options):
        """All rows of a statement, each a list."""
        with self.connect(**options) as connection:
            return connection.cursor().execute(sql).fetchall()

    def _counted(self):
        return self.gateway.samples("gateway_requests_total") if self.gateway else 0

    def _seen(self, path):
        return len({exchange.url for exchange in self.exchanges if path in exchange.url})

    def _in_flight(self):
        return self.gateway.samples("xtrinode_gateway_inflight_queries") if self.gateway else 0

    def begin(self):
        """Forgets what was recorded; before each test."""
        self.exchanges.clear()
        self._counted_before = self._counted()
        # What a test that failed left behind is its own fault only.
        self._in_flight_before = self._in_flight()

    def verify(self):
        """Checks that all that was recorded came through this door, and that nothing is left over; after each test."""
        # Acknowledgements are sent in the background.
        settle(lambda: self._seen("/v1/spooled/ack/"), lambda: self._seen("/v1/spooled/download/"), "acknowledged segments")
        strays = [exchange for exchange in self.exchanges if not exchange.url.startswith(f"{self.url}/")]
        assert not strays, f"bypassed {self.url}: {strays[:3]}"
        if self.gateway:
            settle(lambda: self._counted() - self._counted_before, lambda: len(self.exchanges), "requests at the gateway")
            settle(self._in_flight, lambda: self._in_flight_before, "queries in flight")


def settle(measure, expected, what, limit=SETTLE_LIMIT):
    """Waits until a number has the value that it should."""
    deadline = time.monotonic() + limit
    while (seen := measure()) != (wanted := expected()):
        assert time.monotonic() < deadline, f"{what}: {seen}, not {wanted}"
        time.sleep(0.05)
