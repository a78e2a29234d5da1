"""Each case once: a client, a task, a situation. A situation is played for all its cases when the first is asked for."""

import re
from concurrent.futures import ThreadPoolExecutor

import client
import matrix
import pytest
import table
from cache import Missing
from lacking import lacks
from peers import Peers
from played import Case, Stages

# All that may be played; `-k` chooses among their names.
CASES = [
    Case(situation, each, task)
    for situation in matrix.COLUMNS
    for each in client.ALL
    for task in each.tasks
    if situation.plays(each, task)
]
# Three minutes of them.
FAST = {("warm-forwarded", "statements"), ("warm-forwarded", "spooled"), ("cold-queue", "cold")}
# What was played, for the summary.
STAGES = pytest.StashKey()
# Tasks whose seconds are told for each situation.
SLOWEST = 4
FAST_CLIENTS = re.compile(r"trino-jdbc 484|trino \(Python\)|trino-go-client")


def pytest_generate_tests(metafunc):
    """A test that asks for a `case` runs for each."""
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", [pytest.param(case, id=case_id(case), marks=marks(case)) for case in CASES])


def marks(case):
    """`fast` for what `make test-clients-fast` runs."""
    chosen = (case.situation.name, case.task) in FAST and FAST_CLIENTS.match(case.client.name)
    return [pytest.mark.fast] if chosen else []


def case_id(case):
    """`situation-client-task`, in letters that `-k` takes; behind it the rules that the case is asked for by."""
    name = re.sub(r"[^\w.-]+", "-", f"{case.situation.name}-{case.client.name}-{case.task}")
    return "-".join([name, *(rule for rule, names in matrix.RULES.items() if re.fullmatch(names, name))])


def case_of(item):
    """The case that a test is run for, if any."""
    return item.callspec.params.get("case") if hasattr(item, "callspec") else None


@pytest.fixture(scope="session")
def peers():
    """The Trinos, ended with the session."""
    peers = Peers()
    yield peers
    peers.close()


@pytest.fixture(scope="session", autouse=True)
def stages(request, peers):
    """The situations as they are played, with all the cases that were chosen."""
    with ThreadPoolExecutor(len(matrix.COLUMNS)) as pool:
        stages = Stages([case for item in request.session.items if (case := case_of(item))], peers, pool)
        request.config.stash[STAGES] = stages
        yield stages


@pytest.fixture(scope="session")
def play(stages):
    """Plays the situation of a case; its outcome as an exception or none."""

    def outcome(case):
        try:
            stages.played(case.situation).outcome(case)
        except Missing as missing:
            lacks(missing)

    return outcome


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Keeps with a report whose case it was."""
    report = (yield).get_result()
    if case := case_of(item):
        report.case = case


def pytest_terminal_summary(terminalreporter):
    """Shows the table at the end."""
    outcomes = [
        (report.case.client.name, report.case.situation.name, report.case.task, outcome, reason(report))
        for outcome in table.MARKS
        for report in terminalreporter.stats.get(outcome, [])
        if hasattr(report, "case") and (report.when == "call" or outcome != "passed")
    ]
    if outcomes:
        order = [(case.client.name, case.situation.name, case.task) for case in CASES]
        outcomes.sort(key=lambda each: order.index(each[:3]))
        terminalreporter.write_sep("=", "clients")
        terminalreporter.write_line(table.text(outcomes))
        for situation, played in terminalreporter.config.stash[STAGES].over():
            slowest = sorted(played.seconds.items(), key=lambda each: -each[1])[:SLOWEST]
            told = ", ".join(f"{case.client} {case.task} {seconds:.0f}" for case, seconds in slowest)
            terminalreporter.write_line(f"{situation.name}: {played.whole:.0f} s ({told})")


def reason(report):
    """Why a case did not pass, in a line."""
    if report.outcome == "skipped":
        return str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
    crash = getattr(report.longrepr, "reprcrash", None)
    return crash.message if crash else ""
