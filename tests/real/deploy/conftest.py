"""What the checks share: the way to the modules of tests/real, and tools that are installed when first asked for."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import tools  # noqa: E402
from lacking import begun  # noqa: E402


@pytest.fixture(scope="session")
def promtool():
    """Prometheus' own tool."""
    return begun(lambda: tools.program("promtool"))


@pytest.fixture(scope="session")
def amtool():
    """Alertmanager's own tool."""
    return begun(lambda: tools.program("amtool"))


@pytest.fixture(scope="session")
def compose():
    """Reads docker-compose.yml with profiles, as Docker does."""
    return begun(tools.compose)


@pytest.fixture(scope="session")
def grafana_types():
    """The folder with Grafana's types and a compiler."""
    return begun(tools.grafana_types)


@pytest.fixture(scope="session")
def crds():
    """The schemas of the custom resources, by kind."""
    return begun(tools.crds)


@pytest.fixture(scope="session")
def curl():
    """Installs it where it is missing."""
    begun(tools.curl)


@pytest.fixture(scope="session")
def sluice():
    """The gateway's binary."""
    return begun(tools.sluice)
