"""The clients of `clients/`, fetched and built before their tests ask for them: it takes minutes, and most of it is waiting."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent / "clients"))

import client  # noqa: E402, after the line that makes it findable

# What `make test` plays of the clients' matrix: the `whole`, or the `fast` part, as `make test-clients-fast` does.
MATRIX = "whole"
OPTIONS = {"whole": (), "fast": ("-m", "fast")}


def clients():
    """One after the other, since others build at the same time; the first failure is raised when all have been tried."""
    failures = []
    for each in client.ALL:
        try:
            each.prepare()
        except Exception as failure:
            failures.append(failure)
    if failures:
        raise failures[0]
