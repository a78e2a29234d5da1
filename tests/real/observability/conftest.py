"""Two stages, each played once: a busy one whose spans go by gRPC, and a quiet one whose spans go by HTTP."""

import time

import pytest

from lacking import begun
from stage import Stage

# Seconds of load before anybody looks: several scrapes in each window of a rate, two lives of the sleeper.
BUSY_FOR = 30
# Of them before a coordinator is killed.
LOST_AFTER = 6


def played(protocol):
    """A stage on which one traced query has been from the sleeping group's first demand to its end."""
    stage = begun(lambda: Stage(protocol).__enter__())
    try:
        stage.travelled = stage.journey()
        stage.settle()
        yield stage
    finally:
        stage.__exit__(None, None, None)


@pytest.fixture(scope="session")
def quiet():
    """Nobody but the traced client."""
    yield from played("http/protobuf")


@pytest.fixture(scope="session")
def stage():
    """Clients of every kind have been there for a while and are still; one coordinator was killed."""
    for stage in played("grpc"):
        stage.load.begin()
        begun = time.monotonic()
        time.sleep(LOST_AFTER)
        stage.lose()
        time.sleep(BUSY_FOR - (time.monotonic() - begun))
        yield stage


@pytest.fixture(scope="session")
def calm(stage):
    """The busy stage after everybody has gone home."""
    stage.load.end()
    stage.prometheus.until("no query in flight", lambda: stage.gateway.samples("xtrinode_gateway_inflight_queries") == 0)
    return stage
