"""The harness itself: what it takes for a difference, how it waits for marks, what it does with programs that end badly."""

import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import claims
import pytest
import table
from client import Client, Failed
from compare import assert_same
from gathering import Gathering
from killed import Killed
from played import Case, Stages
from situations import Scene, Situation
from where import Where

WHERE = Where.at("http://127.0.0.1:1")
TASKS = {
    "told": 'say(see="where", value=where["host"]); say(mark="m"); input(); say(see="after", value=[1])',
    "broken": 'say(see="first", value=1); sys.exit("these words")',
    "garbled": 'print("no JSON", flush=True); time.sleep(60)',
    "endless": "time.sleep(60)",
}
PROGRAM = """
import json, sys, time
def say(**words): print(json.dumps(words), flush=True)
where = json.loads(input())
"""


class Scripted(Client):
    """A client that is a few lines of Python."""

    name = "scripted 1.0"

    def command(self, task):
        return [sys.executable, "-c", PROGRAM + TASKS[task]]


def observations(**values):
    """Observations in the order of their names."""
    return [{"see": name, "value": value} for name, value in values.items()]


def test_marks_are_told_and_answered():
    marks = []
    seen = Scripted().run(WHERE, "told", marks.append)
    assert marks == ["m"]
    assert seen == observations(where="127.0.0.1", after=[1])


@pytest.mark.parametrize(
    ("task", "limit", "words"), [("broken", 60, "these words"), ("endless", 1, "not done in 1 s"), ("garbled", 60, "ended with")]
)
def test_bad_end_is_a_failure(task, limit, words):
    with pytest.raises(Failed, match=words):
        Scripted().run(WHERE, task, limit=limit)


def test_differences_are_named():
    assert_same(observations(a=1, b=2), observations(a=1, b=2))
    for through in (observations(a=1), observations(a=1, b=3), observations(b=2, a=1), observations(a=1, b=2, c=3)):
        with pytest.raises(AssertionError, match="through sluice"):
            assert_same(observations(a=1, b=2), through)


def test_schemas_of_others_are_not_compared():
    alone = {"columns": [], "count": 1, "rows": [["default", "memory"]]}
    beside = {"columns": [], "count": 2, "rows": [["dbt_933c8ab5da19", "memory"], ["default", "memory"]]}
    without_others = sys.modules["clients_jdbc"].without_others
    for seen, expected in (("schemas", alone), ("tables", beside)):
        assert without_others({"see": seen, "value": beside}) == {"see": seen, "value": expected}


def test_all_are_at_their_marks_before_anything_is_done():
    done = []
    gathering = Gathering(3, lambda: done.append(len(arrived)))
    arrived = []

    def client():
        arrived.append(1)
        gathering.arrive()

    clients = [threading.Thread(target=client) for _ in range(2)]
    for each in clients:
        each.start()
    # The third has no mark.
    gathering.leave()
    for each in clients:
        each.join(10)
    assert done == [2]
    gathering.arrive()
    assert done == [2], "whoever comes late goes on at once"


def test_what_is_done_may_fail():
    def fail():
        raise ValueError("not done")

    with pytest.raises(ValueError, match="not done"):
        Gathering(1, fail).arrive()


class Meeting(Situation):
    """A situation that somebody waits for."""

    def __init__(self, barrier, patient):
        self.patient = patient
        self._barrier = barrier

    @contextmanager
    def open(self, peers):
        self._barrier.wait(60)
        yield Scene(WHERE, [])

    def judge(self, case, through, direct):
        """Nothing is compared here."""


class Nobody(Scripted):
    """A client that is told nothing and says nothing."""

    def run(self, *arguments, **options):
        return []


class NoPeers:
    """Nobody asks them."""

    def reference(self, *_):
        return []


def test_who_is_patient_is_begun_at_once_and_the_others_when_they_are_asked_for(monkeypatch):
    monkeypatch.setattr(Scene, "verify", lambda scene: None)
    begun, alone = threading.Barrier(2), threading.Barrier(1)
    other, patient = Meeting(alone, patient=False), Meeting(begun, patient=True)
    cases = [Case(each, Nobody(), "told") for each in (other, patient)]
    with ThreadPoolExecutor(2) as pool:
        stages = Stages(cases, NoPeers(), pool)
        # Nobody has asked for it yet.
        begun.wait(60)
        for case in cases:
            stages.played(case.situation).outcome(case)
    assert [situation for situation, _ in stages.over()] == [patient, other]


@pytest.mark.parametrize(
    ("through", "words"),
    [
        (observations(rows=[9, 9], afterwards=1), "though its coordinator had died"),
        (observations(rows=[10, 10], afterwards=1), "nobody heard"),
        (observations(rows={"error": "gone"}, afterwards={"error": "gone"}), "afterwards"),
        (observations(rows={"error": "gone"}, afterwards=1), None),
        ([*observations(error={"error": "gone"}), *observations(afterwards=1)], None),
    ],
)
def test_short_result_is_never_taken(through, words):
    whole = observations(rows=[10, 10], afterwards=1)
    if words is None:
        Killed().judge(None, through, lambda: whole)
        return
    with pytest.raises(AssertionError, match=words):
        Killed().judge(None, through, lambda: whole)


def test_page_of_clients_is_held_to_what_was_seen(tmp_path, monkeypatch):
    page = tmp_path / "CLIENTS.md"
    page.write_text("| client | `hold` | `reject` |\n| --- | --- | --- |\n| a | works, it repeats | `503` |\n\n| b | x | y |\n")
    monkeypatch.setattr(claims, "PAGE", page)
    good, bad = observations(select=1), observations(select={"error": "503"})
    claims.check("a", "hold", claims.outcome(good, good))
    claims.check("a", "reject", claims.outcome(good, bad))
    for client, mode, seen in (("a", "hold", bad), ("a", "reject", good), ("a", "reject", observations(select=2)), ("b", "hold", good)):
        with pytest.raises(AssertionError, match="CLIENTS.md"):
            claims.check(client, mode, claims.outcome(good, seen))


def test_table_shows_the_worst():
    shown = table.text([
        ("one", "warm", "statements", "passed", ""), ("one", "warm", "large", "failed", "words\nand more"),
        ("two", "cold", "cold", "skipped", "no Node"),
    ])
    assert [line.split() for line in shown.splitlines()] == [
        ["client", "warm", "cold"], ["one", "FAILED", "1/2", "-"], ["two", "-", "skipped"],
        "! one, warm, large: words".split(), "! two, cold, cold: no Node".split(),
    ]


def test_address_is_as_the_programs_read_it():
    told = json.loads(Where.at("https://127.0.0.1:8443/trino", ca="ca.pem").as_json("word"))
    assert (told["scheme"], told["port"], told["path"], told["ca"], told["word"]) == ("https", 8443, "/trino", "ca.pem", "word")
