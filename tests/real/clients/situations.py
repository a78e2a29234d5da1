"""What surrounds a client while it does its task: one `Situation` each, played for all clients that take part in it.

A situation opens as a context: it starts what it needs, yields a `Scene`, and ends it. The cases of one scene run several
at a time; a scene says what is done when a client comes to a mark.
"""

from contextlib import contextmanager
from dataclasses import dataclass

from doors import settle
from gateway import Gateway
from where import Where


# `/v1/info` is the gateway's own answer, with the environment that it is told.
SETTINGS = {"queries": {"linger": "0s"}, "info": {"environment": "testing"}}


@dataclass
class Scene:
    """Where the clients of a situation go, what is done to them at a mark, and what must hold after them."""

    gateway: Gateway
    where: Where
    on_mark: object = None

    def __post_init__(self):
        self._counted_before = self.gateway.samples("gateway_requests_total")
        self._in_flight_before = self.gateway.samples("xtrinode_gateway_inflight_queries")

    def requests(self):
        """What the gateway has counted since the scene began."""
        return self.gateway.samples("gateway_requests_total") - self._counted_before

    def in_flight(self):
        """Queries that count as demand, beyond those of before."""
        return self.gateway.samples("xtrinode_gateway_inflight_queries") - self._in_flight_before

    def verify(self, statements):
        """Polls came to the gateway, not only the statements themselves, and nothing is left in flight."""
        settle(self.in_flight, lambda: 0, "queries in flight")
        assert self.requests() >= 2 * statements, f"{self.requests()} requests for {statements} statements: bypassed"


class Situation:
    """One column of the table."""

    name = ""
    # How many clients are at work at once: Trino and they share the machine.
    at_once = 3
    trino = "483"

    def plays(self, client, task):
        """Whether a client does a task here."""
        raise NotImplementedError

    @contextmanager
    def open(self, peers):
        """Starts it all; yields a Scene."""
        raise NotImplementedError


class Warm(Situation):
    """A coordinator that is there, behind a gateway in one of its URI modes."""

    TASKS = ("statements", "large", "spooled", "cancel")

    def __init__(self, uris, trino="483"):
        self.uris = uris
        self.trino = trino
        self.name = f"warm-{uris}" if trino == "483" else f"warm-{uris}-{trino}"

    def plays(self, client, task):
        return self.trino in client.trinos and task in self.TASKS and (client.full or self.uris == "forwarded" or task == "statements")

    @contextmanager
    def open(self, peers):
        url = peers.trinos(self.trino)[self.uris]
        with Gateway([{"name": "trino", "url": url, "uris": self.uris}], **SETTINGS) as gateway:
            yield Scene(gateway, Where.at(gateway.url))


ALL = [
    *(Warm(uris) for uris in ("forwarded", "host", "rewrite")),
    *(Warm(uris, "435") for uris in ("host", "rewrite")),
]
