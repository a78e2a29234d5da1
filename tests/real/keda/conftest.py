"""KEDA's clients and operator, the gateway that they ask, and what stands behind it."""

import kedacore
import pytest
from cluster import Cluster
from scalers import Scalers
from scaling import ScalingGateway, simulator

from lacking import begun


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Where processes keep what they say."""
    return tmp_path_factory.mktemp("keda")


@pytest.fixture(scope="session")
def trino(folder):
    """A simulated coordinator: a query of it lives until its client has read it or says that it wants no more."""
    process = simulator(folder)
    yield process
    process.kill()


@pytest.fixture(scope="session")
def backends(trino):
    """What stands behind the gateway."""
    return [{"name": "trino", "url": trino.url}]


@pytest.fixture(scope="session")
def keda(folder):
    """KEDA's scaler clients."""
    begun(kedacore.install)
    with Scalers(folder) as scalers:
        yield scalers


@pytest.fixture(scope="module")
def gateway(backends):
    """A gateway that knows its counts; tests leave it without a query."""
    with ScalingGateway(backends) as gateway:
        yield gateway.known()


@pytest.fixture(scope="session")
def cluster():
    """A Kubernetes API server with KEDA's operator on it."""
    with begun(Cluster) as cluster:
        yield cluster
