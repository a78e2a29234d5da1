"""KEDA's operator, a real API server, and the gateway as scaler: workers come for the first query and go after the last."""

import pytest
from cluster import ACTIVATED, DEPLOYMENTS, FAILED, OBJECTS, SCALERS
from rounds import COOLDOWN, POLLING, Round, Workers
from scaling import GROUP, TARGET
from watching import until

# Rounds in `make test`; `make bench-keda` does more and takes their times.
ROUNDS = 3
# Seconds from a POST to KEDA's write: milliseconds when idle, and never the pause of a broken stream.
WRITE_LIMIT = 3
# Seconds between KEDA's polls, so many that whatever happens comes by the stream.
SLOW_POLLING = 300
# Seconds until a push is repeated while nobody has come: 1, 2, 4, 8, then 15, and a busy machine's share.
REPEAT_LIMIT = 15 + 5
# Seconds for which nothing may happen: several polls and the whole cooldown.
STILL = COOLDOWN + 5 * POLLING


@pytest.fixture
def workers(cluster, gateway):
    """A Deployment of 0 that KEDA scales by what `sluice keda` printed."""
    with Workers(cluster, gateway) as workers:
        yield workers


@pytest.fixture
def slow_workers(cluster, gateway):
    """The same, but KEDA hardly ever asks."""
    with Workers(cluster, gateway, pollingInterval=SLOW_POLLING) as workers:
        yield workers


def test_coldstart_keda_takes_workers_from_0_to_1_and_back(workers, gateway, cluster):
    """Three times, as one POST after the other comes and ends."""
    check_scaler(cluster.get(f"{SCALERS}/keda-hpa-{workers.name}"), workers)
    for _ in range(ROUNDS):
        measured = Round(workers, gateway)
        assert measured.write < WRITE_LIMIT, measured
        until("KEDA says that it is active", lambda: cluster.condition(workers.name, "Active") == "True")
        measured.finish()
    assert len(cluster.recorded(workers.name, ACTIVATED)) == ROUNDS


def check_scaler(scaler, workers):
    """The HPA that would go on from one worker."""
    assert scaler["spec"]["scaleTargetRef"]["name"] == workers.target
    (metric,) = scaler["spec"]["metrics"]
    assert metric["external"]["target"] == {"type": "AverageValue", "averageValue": str(TARGET)}
    assert scaler["spec"]["minReplicas"] == 1


def test_coldstart_it_is_the_push_that_wakes(slow_workers, gateway):
    """Without any poll."""
    measured = Round(slow_workers, gateway)
    measured.statement.cancel()
    assert measured.write < WRITE_LIMIT, measured


def test_coldstart_T1_a_push_that_came_to_nothing_is_repeated(slow_workers, gateway, cluster):
    """KEDA does not try its write again by itself: without another push nobody would come before the next poll."""
    with cluster.refusing(slow_workers.target):
        statement = gateway.statement()
        until("KEDA's write is refused", lambda: cluster.recorded(slow_workers.name, FAILED))
        assert slow_workers.replicas() == 0
    until("the push is repeated", lambda: slow_workers.replicas() == 1, REPEAT_LIMIT)
    statement.cancel()
    assert gateway.counted("gateway_scaler_pushes_total", routing_group=GROUP, kind="repeat") > 0


def test_coldstart_a_gateway_that_restarts_takes_nobody_away(workers, gateway):
    """With a query under way: KEDA gets errors, then a lower bound, then the truth; the workers stay until its end."""
    statement = Round(workers, gateway).statement
    gateway.end()
    gateway.begin()
    # Its client goes on, and the gateway knows it again by that.
    statement.poll()
    workers.stay(STILL)
    assert statement.rows() == 30_000
    gateway.known()
    workers.gone()
    # And the stream is there again: the next round is as fast as the first.
    workers.heeded()
    assert Round(workers, gateway).finish().write < WRITE_LIMIT


def test_coldstart_a_gateway_that_is_down_freezes(workers, gateway, cluster):
    """No answer is not 0: nobody is taken away, and KEDA says that something is wrong."""
    statement = Round(workers, gateway).statement
    gateway.end()
    try:
        until("KEDA says that the trigger fails", lambda: cluster.condition(workers.name, "Ready") == "False")
        workers.stay(STILL)
    finally:
        gateway.begin()
    # The new one never hears of that query: what it does not know yet is no 0 either, and then it is.
    assert workers.replicas() == 1
    statement.cancel()
    workers.gone()
    until("KEDA says that all is well", lambda: cluster.condition(workers.name, "Ready") == "True")


def test_coldstart_only_its_own_count_is_written(workers, gateway, cluster):
    """Another Deployment of the namespace stays as it is."""
    cluster.deployment("bystander")
    Round(workers, gateway).finish()
    assert cluster.replicas("bystander") == 0
    status, _ = cluster.server.ask("DELETE", f"{DEPLOYMENTS}/bystander")
    assert status == 200 and cluster.get(f"{OBJECTS}/bystander") is None
