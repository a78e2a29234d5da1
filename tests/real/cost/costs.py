"""What requests of a kind cost the gateway: instructions and allocations, counted, so that no other load changes them.

Counted is only what a connection does for a request: what goes on by the clock, such as a look at the configuration's file
every few seconds, is more the slower the machine is. Some hundreds of requests more cost so much more; what only the first ones
cost falls out. It is the binary of the tests, without what only a release's linker does.
"""

from dataclasses import dataclass, field

import debian
from callgrind import Counts
from counted import Counted, first_poll
from one_page import Client, Coordinator

ALLOCATING = ("malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc")
# What a connection does for a request, from its head to the last byte of its answer.
STEPS = (
    "sluice::proxy::connection::one_by_one::heard::read",
    "sluice::proxy::connection::answer::answer::{{closure}}",
    "sluice::proxy::connection::one_by_one::Talk<S>::tell::{{closure}}",
)
CONNECTIONS = "gateway_store_connections_active"


@dataclass(frozen=True)
class Kind:
    """Requests that are alike, and the steps of one that are watched by themselves: a gain in one must not hide a loss in another."""

    name: str
    parts: dict
    # What the client does again and again.
    ask: object = lambda client, poll: client.poll(poll)
    # The page that is answered.
    rows: int = 6
    coding: str | None = None
    # The gateway's, besides what is needed for counting.
    settings: dict = field(default_factory=dict)
    few: int = 100
    more: int = 500
    # Calls are counted where instructions are not, and each look at the configuration makes thousands: so only of many requests.
    allocations: bool = False

    def cost(self, folder):
        """What one of them costs, by name."""
        since = self._since(folder, [f"--toggle-collect={step}" for step in STEPS])
        each = {"instructions": since.instructions}
        if self.allocations:
            each["allocations"] = sum(since.calls[name] for name in ALLOCATING)
        each |= {name: since.within[function] for name, function in self.parts.items()}
        return {name: round(count / (self.more - self.few), 1) for name, count in each.items()}

    def whole(self, folder, store=None):
        """Instructions of the whole process for one of them, with all that goes on meanwhile; `store` as of `settings`."""
        return self._since(folder, [], store).instructions / (self.more - self.few)

    def _since(self, folder, only, store=None):
        few, more = [self._counted(requests, folder / str(requests), only, store) for requests in (self.few, self.more)]
        return more - few

    def _counted(self, requests, folder, only, store):
        """So many by one client of a gateway that does nothing else but what a store asks of it."""
        folder.mkdir(parents=True)
        profile = folder / "profile"
        under = (debian.program("valgrind"), "--tool=callgrind", f"--callgrind-out-file={profile}", *only)
        with Coordinator(rows=self.rows, coding=self.coding) as trino:
            # Probed once, and with a name of another kind for the second backend, whose marker then stands in the paths.
            backends = [{"name": name, "url": f"http://{host}:{trino.port}"} for name, host in (("a", "127.0.0.1"), ("b", "localhost"))]
            settings = {"data": {"workers": 1}, "health": {"interval": "600s", "timeout": "60s"}, **self.settings}
            settings |= {"store": store} if store else {}
            with Counted(backends, under=under, **settings) as sluice, Client(sluice.port) as client:
                poll = first_poll(client)
                for _ in range(requests):
                    self.ask(client, poll)
                assert not store or sluice.samples(CONNECTIONS) >= 1
        return Counts.read(profile)


def rules(count):
    """So many, of which the last holds: lists of a glob and a name, as people write them, and a user."""
    others = [{"source": [f"job-{number}-*", f"etl-{number}"], "user": f"u{number}"} for number in range(count - 1)]
    listed = [{"name": f"r{number}", "when": when, "routingGroup": "real"} for number, when in enumerate(others)]
    return [*listed, {"name": "held", "when": {"user": "alice"}, "routingGroup": "real"}]
