"""What the checks share: the way to the modules of tests/real, and tools that are installed when first asked for."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import tools  # noqa: E402
from cache import Missing  # noqa: E402


def installed(get):
    """A tool; where the machine lacks it, it says so and skips, in CI it fails."""
    try:
        return get()
    except Missing as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing))
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def promtool():
    """Prometheus' own tool."""
    return installed(lambda: tools.program("promtool"))


@pytest.fixture(scope="session")
def amtool():
    """Alertmanager's own tool."""
    return installed(lambda: tools.program("amtool"))


@pytest.fixture(scope="session")
def compose():
    """Reads docker-compose.yml with profiles, as Docker does."""
    return installed(tools.compose)


@pytest.fixture(scope="session")
def grafana_types():
    """The folder with Grafana's types and a compiler."""
    return installed(tools.grafana_types)


@pytest.fixture(scope="session")
def crds():
    """The schemas of the custom resources, by kind."""
    return installed(tools.crds)


@pytest.fixture(scope="session")
def curl():
    """Installs it where it is missing."""
    installed(tools.curl)


@pytest.fixture(scope="session")
def sluice():
    """The gateway's binary."""
    return installed(tools.sluice)
