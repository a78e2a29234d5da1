"""Each case once: a client, a task, a situation. A situation is played for all its cases when the first is asked for."""

import os
import re

import pytest

import client
import matrix
from cache import Missing
from peers import Peers
from played import Case, Played

# All that may be played; `-k` chooses among their names.
CASES = [
    Case(situation, each, task)
    for situation in matrix.COLUMNS
    for each in client.ALL
    for task in each.tasks
    if situation.plays(each, task)
]


def pytest_generate_tests(metafunc):
    """A test that asks for a `case` runs for each."""
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", CASES, ids=case_id)


def case_id(case):
    """`situation-client-task`, without spaces so that `-k` can name it; behind it the rule that the case is asked for by."""
    name = f"{case.situation.name}-{case.client.name}-{case.task}".replace(" ", "-")
    return f"{name}-obs_H5" if re.fullmatch(matrix.H5, name) else name


@pytest.fixture(scope="session")
def peers():
    """The Trinos, ended with the session."""
    peers = Peers()
    yield peers
    peers.close()


@pytest.fixture(scope="session")
def play(request, peers):
    """Plays the situation of a case with all the cases that were chosen; its outcome as an exception or none."""
    chosen = [item.callspec.params["case"] for item in request.session.items if hasattr(item, "callspec")]
    stages = {}

    def outcome(case):
        if case.situation not in stages:
            cases = [each for each in chosen if each.situation is case.situation]
            stages[case.situation] = Played(case.situation, cases, peers)
        try:
            stages[case.situation].outcome(case)
        except Missing as missing:
            if os.environ.get("CI") == "true":
                pytest.fail(str(missing))
            pytest.skip(str(missing))

    return outcome
