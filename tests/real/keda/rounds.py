"""One round of an autoscaler: a POST, the workers that KEDA wants for it, its end, and nobody any more. And its times."""

import itertools
import time

from cluster import ACTIVATED
from watching import until

# Seconds between KEDA's polls, and from its last sight of demand to 0: as short as KEDA takes them.
POLLING = 1
COOLDOWN = 1
NUMBERS = itertools.count()


class Workers:
    """A Deployment and its ScaledObject, as `sluice keda` prints it, but for keys that make it quick."""

    def __init__(self, cluster, gateway, **spec):
        self.cluster = cluster
        self._gateway = gateway
        self.target = f"workers-{next(NUMBERS)}"
        self._spec = {"pollingInterval": POLLING, "cooldownPeriod": COOLDOWN, **spec}

    def __enter__(self):
        self.cluster.deployment(self.target)
        self._before = self._streams()
        made, *_ = self._gateway.printed("push", f"deployment/{self.target}")
        self.name = self.cluster.scale(made, **self._spec)
        self.heeded()
        return self

    def __exit__(self, *_):
        self.cluster.release(self.name, self.target)
        until("KEDA's stream ends", lambda: self._streams() <= self._before)

    def _streams(self):
        return self._gateway.samples("gateway_scaler_streams")

    def heeded(self):
        """Waits until KEDA has its stream."""
        until("KEDA's stream", lambda: self._streams() > self._before)

    def replicas(self):
        """How many are wanted."""
        return self.cluster.replicas(self.target)

    def gone(self):
        """Waits until none is wanted any more."""
        until("KEDA takes the workers away", lambda: self.replicas() == 0)

    def stay(self, seconds):
        """For so long, what was wanted stays wanted."""
        wanted, deadline = self.replicas(), time.monotonic() + seconds
        with self.watch() as watch:
            while (left := deadline - time.monotonic()) > 0:
                changed = watch.next(left)
                assert not changed or changed["spec"]["replicas"] == wanted, changed["spec"]
        assert self.replicas() == wanted

    def watch(self):
        """Who tells of each change of the Deployment."""
        return self.cluster.watch(self.target)


class Round:
    """From the POST until workers are wanted: the seconds until KEDA's `write` was accepted, by its own log, until its `event`
    says so, by the event's own time, and until a watch has `seen` it."""

    def __init__(self, workers, gateway):
        self._workers = workers
        # A poll that was under way when the last round ended may want workers once more.
        workers.gone()
        with workers.watch() as watch:
            self.statement = gateway.statement()
            self.seen = watch.first(1) - self.statement.at
        self.write = self._first(workers.cluster.written, workers.name)
        self.event = self._first(workers.cluster.recorded, workers.name, ACTIVATED)
        # Whatever becomes of the gateway, we have the answer.
        self.statement.page()

    def __repr__(self):
        return f"write {self.write:.4f} s, event {self.event:.4f} s, seen {self.seen:.4f} s"

    def _first(self, times, *whose):
        """Seconds from the POST to the first of these times after it."""
        since = self.statement.at
        return min(until("KEDA tells when", lambda: [at for at in times(*whose) if at > since])) - since

    def finish(self):
        """Ends the query and waits for 0."""
        self.statement.cancel()
        self._workers.gone()
        return self
