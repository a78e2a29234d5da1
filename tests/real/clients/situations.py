"""What surrounds a client while it does its task: one `Situation` each, played for all clients that take part in it.

A situation opens as a context: it starts what it needs, yields a `Scene`, and ends it. The cases of one scene run several
at a time; a scene says what is done when the clients have come to their marks, and what must hold afterwards.
"""

from contextlib import contextmanager
from dataclasses import dataclass

from compare import assert_same
from doors import settle
from gateway import Gateway
from where import Where

# `/v1/info` is the gateway's own answer, with what it is told: so it is the fixture's even while nobody is awake.
SETTINGS = {"queries": {"linger": "0s"}, "info": {"environment": "testing", "nodeVersion": "testversion"}}
# What a client does that follows an answer's `nextUri`: all of it must come to the gateway.
POLLS = ("statement_gateway_queued", "statement_queued", "statement_executing", "statement_results")


@dataclass
class Scene:
    """Where the clients of a situation go, what is done when all are at their marks, and what must hold after them."""

    where: Where
    gateways: list
    act: object = None
    # What a client waits for besides, given the word of its mark.
    then: object = None

    def where_for(self, client):
        """Where that client goes: all to the same, unless the situation says otherwise."""
        return self.where

    def verify(self):
        """Every statement was polled at a gateway, not past it, and nothing is left in flight."""
        try:
            settle(lambda: self.told("xtrinode_gateway_inflight_queries"), lambda: 0, "queries in flight")
        except AssertionError as left:
            raise AssertionError(f"{left}: {[gateway.queries() for gateway in self.gateways]}") from None
        statements = self.told("gateway_query_events_total", 'event="routed"')
        polls = sum(self.told("gateway_http_requests_total", f'operation="{poll}"') for poll in POLLS)
        assert 0 < statements <= polls, f"{polls} polls for {statements} statements: the gateway was bypassed"

    def told(self, name, label=""):
        """The sum of a metric over the gateways that live."""
        return sum(gateway.samples(name, label) for gateway in self.gateways)


class Situation:
    """One column of the table."""

    name = ""
    # How many clients are at work at once: Trino and they share the machine.
    at_once = 3
    trino = "483"
    # It waits more than it works, and bears any delay: it is played beside all the others.
    patient = False
    # What is played here, and only by clients that are played everywhere.
    tasks = ()
    full = True

    def plays(self, client, task):
        """Whether a client does a task here."""
        return task in self.tasks and self.trino in client.trinos and (client.full or not self.full)

    @contextmanager
    def open(self, peers):
        """Starts it all; yields a Scene."""
        raise NotImplementedError

    def judge(self, case, through, direct):
        """Raises where a user sees what should not be; `direct` finds out what is seen without a gateway."""
        assert_same(direct(), through)


class Warm(Situation):
    """A coordinator that is there, behind a gateway in one of its URI modes."""

    full = False

    def __init__(self, uris, *tasks, trino="483"):
        self.uris = uris
        self.tasks = tasks
        self.trino = trino
        self.name = f"warm-{uris}" if trino == "483" else f"warm-{uris}-{trino}"

    def plays(self, client, task):
        """Everybody where Trino makes the URIs; where the gateway does, or an old Trino stands behind it, who is played everywhere."""
        everybody = self.uris == "forwarded" or self.trino != "483"
        return super().plays(client, task) and (client.full or everybody)

    @contextmanager
    def open(self, peers):
        url = peers.trinos(self.trino)["forwarded" if self.uris == "forwarded" else "plain"]
        with Gateway([{"name": "trino", "url": url, "uris": self.uris}], **SETTINGS) as gateway:
            yield Scene(Where.at(gateway.url), [gateway])


class Pair(Situation):
    """Two backends in the group: transactions, prepared statements and segments must find theirs.

    So must what ends a query, which `test_cancel.py` in the folder above plays before two backends in each URI mode.
    """

    name = "pair"
    tasks = ("transactions", "spooled")

    @contextmanager
    def open(self, peers):
        with Gateway(peers.pair(), **SETTINGS) as gateway:
            scene = Scene(Where.at(gateway.url), [gateway])
            yield scene
            for name in ("trino-a", "trino-b"):
                assert gateway.samples("gateway_upstream_requests_total", f'backend="{name}"') > 10, f"{name} had nothing to do"


class Drained(Situation):
    """The backend that all queries run on is drained in mid-use; another takes what comes next."""

    name = "drained"
    tasks = ("reading", "idle")
    at_once = 16

    @contextmanager
    def open(self, peers):
        with Gateway(peers.pair(), **SETTINGS) as gateway:
            gateway.command("/admin/backends/trino-b/drain")

            def change():
                assert gateway.samples("gateway_query_events_total", 'event="submitted"') > 0
                gateway.command("/admin/backends/trino-b/activate")
                gateway.command("/admin/backends/trino-a/drain")

            yield Scene(Where.at(gateway.url), [gateway], change)
            assert gateway.samples("gateway_upstream_requests_total", 'backend="trino-b"') > 0, "nothing came to the other"

