"""A cold start from end to end: nothing runs, one statement comes, and the coordinator is woken by the gateway's own driver
while KEDA brings the workers, both at the same moment.

Who starts and stops processes for Deployments is the test: a real Trino for the coordinator's; for the workers only the count
is written, since a coordinator of ours works alone.
"""

import threading
import time

import pytest
import sleeper
import wire
from cluster import DEPLOYMENTS, NAMESPACE
from coordinators import Coordinators
from lacking import begun
from rounds import Workers
from scaling import ScalingGateway
from sleeping import reserved

SQL = "SELECT 1 AS one, 'woken' AS word"
# Seconds until both are asked for on a busy machine; then the coordinator does not listen yet, so neither waited for the other.
ASKED_LIMIT = 10
# Seconds for a Trino to start on a busy machine.
LIMIT = 240
COORDINATOR = "coordinator"


class Controller:
    """Stands for the cluster: makes of a Deployment's wanted count what is there."""

    def __init__(self, cluster, trino):
        self._cluster = cluster
        self._trino = trino
        self._watch = cluster.watch(COORDINATOR)
        self._thread = threading.Thread(target=self._work, name="controller", daemon=True)
        self._end = threading.Event()

    def _work(self):
        running = 0
        while not self._end.is_set():
            changed = self._watch.next(0.2)
            if not changed or changed["spec"]["replicas"] == running:
                continue
            running = changed["spec"]["replicas"]
            self._trino.start() if running else self._trino.kill()
            self._cluster.status(COORDINATOR, running)

    def __enter__(self):
        self._watch.__enter__()
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()
        self._watch.__exit__()


@pytest.fixture
def trino():
    """A Trino that sleeps: its port is ours, and nobody listens there."""
    trino = begun(lambda: Coordinators("483", [()]))
    with reserved(trino.ports[0]):
        yield trino
        trino.stop()


@pytest.fixture
def gateway(cluster, trino, monkeypatch):
    """Its driver speaks with the API server by the same kubeconfig as KEDA."""
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    cluster.deployment(COORDINATOR)
    resume = {"kubernetesScale": {"namespace": NAMESPACE, "deployment": COORDINATOR, "replicas": 1}}
    with ScalingGateway([{"name": "trino", "url": trino.urls[0], "resume": resume}]) as gateway:
        yield gateway.known()


def test_coldstart_coordinator_and_workers_are_asked_for_at_once(cluster, gateway, trino):
    """One POST, two Deployments, each by who owns it; the rows come; then the workers go, for they are KEDA's."""
    with Workers(cluster, gateway) as workers, Controller(cluster, trino):
        with cluster.watch(COORDINATOR) as of_coordinator, workers.watch() as of_workers:
            asked = time.time()
            statement = gateway.statement(SQL)
            at = {"coordinator": of_coordinator.first(1), "workers": of_workers.first(1)}
        assert not sleeper.listens(trino.ports[0]), "nobody has waited for the coordinator"
        took = {who: moment - asked for who, moment in at.items()}
        assert max(took.values()) < ASKED_LIMIT, took
        cluster.status(workers.target, 1)
        assert read(statement, trino) == [[1, "woken"]]
        assert (writers(cluster, workers.target), writers(cluster, COORDINATOR)) == ({"keda-operator"}, {"sluice"})
        workers.gone()
        assert cluster.replicas(COORDINATOR) == 1
        assert wire.answers(trino.urls[0])


def read(statement, trino):
    """All rows of a statement; its client polls as long as it is told to."""
    found, deadline = [], time.monotonic() + LIMIT
    while "nextUri" in statement.page():
        assert time.monotonic() < deadline, trino.log()
        found += statement.poll().get("data", [])
    assert "error" not in statement.page(), statement.page()["error"]
    return found


def writers(cluster, name):
    """Who has written the count of a Deployment, as the API server has them down."""
    managed = cluster.get(f"{DEPLOYMENTS}/{name}")["metadata"]["managedFields"]
    return {each["manager"] for each in managed if each.get("subresource") == "scale"}
