"""What becomes of a test whose peer this machine cannot have: it says so and skips, in CI it fails."""

import os

import pytest

from cache import Missing


def lacks(missing):
    """Says what the machine lacks."""
    if os.environ.get("CI") == "true":
        pytest.fail(str(missing))
    pytest.skip(str(missing))


def begun(make):
    """Starts a peer, or finds a tool; what `make` gives."""
    try:
        return make()
    except Missing as missing:
        lacks(missing)
