"""What requests of a kind cost the gateway: instructions and allocations, counted, so that no other load changes them.

Some hundreds of requests more cost so much more: what a start and an end cost falls out. Counted is the binary of the tests,
without what only a release's linker does.
"""

from dataclasses import dataclass, field

import debian
from callgrind import Counts
from counted import Counted, first_poll
from one_page import Client, Coordinator

ALLOCATING = ("malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc")
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

    def cost(self, folder, store=None):
        """What one of them costs, by name; `store` as of `settings`."""
        few, more = [self._counted(requests, folder / str(requests), store) for requests in (self.few, self.more)]
        since = more - few
        each = {"instructions": since.instructions, "allocations": sum(since.calls[name] for name in ALLOCATING)}
        each |= {name: since.within[function] for name, function in self.parts.items()}
        return {name: round(count / (self.more - self.few), 1) for name, count in each.items()}

    def _counted(self, requests, folder, store):
        """So many by one client of a gateway that does nothing else but what a store asks of it."""
        folder.mkdir(parents=True)
        profile = folder / "profile"
        under = (debian.program("valgrind"), "--tool=callgrind", f"--callgrind-out-file={profile}")
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
