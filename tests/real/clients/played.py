"""A situation played once for all its cases, several at a time; the tests then only look at what came of theirs."""

import time
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor

from gathering import Gathering

# Clients that are asked directly at a time.
REFERENCES_AT_ONCE = 3

# Played beside whatever comes before it: a minute of waiting, and a mode that bears any delay.
BESIDE = "cold-queue"

# One client doing one task in one situation.
Case = namedtuple("Case", "situation client task")


class Played:
    """The outcomes of one situation: for each case None, or what went wrong."""

    def __init__(self, situation, cases, peers):
        self._outcomes = {}
        self._peers = peers
        # How long each client was at work, and the whole of it.
        self.seconds = {}
        begun = time.monotonic()
        try:
            ready = [case for case in cases if self._prepared(case)]
            if ready:
                self._play(situation, ready)
        except Exception as failure:
            # What the situation itself lacks or does wrong is the fault of every case that has none of its own.
            for case in cases:
                if self._outcomes.get(case) is None:
                    self._outcomes[case] = failure
        self.whole = time.monotonic() - begun

    def outcome(self, case):
        """Raises what went wrong with a case."""
        if failure := self._outcomes[case]:
            raise failure

    def _prepared(self, case):
        """Fetches the client; whether it is there."""
        return self._kept(case, case.client.prepare)

    def _play(self, situation, cases):
        with situation.open(self._peers) as scene, ThreadPoolExecutor(situation.at_once) as pool:
            gathering = Gathering(len(cases) if scene.act else 0, scene.act or (lambda: None))
            seen = list(pool.map(lambda case: self._shown(scene, gathering, case), cases))
            scene.verify()
        # The references come when nobody waits for them.
        with ThreadPoolExecutor(REFERENCES_AT_ONCE) as pool:
            list(pool.map(lambda case, through: self._kept(case, lambda: self._judge(case, through)), cases, seen))

    def _shown(self, scene, gathering, case):
        """What the client of a case shows here; a failure of its program is that of the case."""
        seen = None
        begun = time.monotonic()

        def on_mark(word):
            gathering.arrive()
            if scene.then:
                scene.then(word)

        def run():
            nonlocal seen
            seen = case.client.run(scene.where_for(case.client), case.task, on_mark)

        self._kept(case, run)
        self.seconds[case] = time.monotonic() - begun
        gathering.leave()
        return seen

    def _judge(self, case, through):
        """Compares with what the client shows directly."""
        if failure := self._outcomes[case]:
            raise failure
        case.situation.judge(case, through, lambda: self._peers.reference(case.client, case.task, case.situation.trino))

    def _kept(self, case, do):
        """Does something for a case and keeps its failure; whether it went well."""
        try:
            do()
            self._outcomes[case] = None
        except Exception as failure:
            self._outcomes[case] = failure
        return self._outcomes[case] is None


class Stages:
    """The situations of the cases that were chosen: one is begun at once on a thread of its own, each other when it is asked for."""

    def __init__(self, cases, peers, beside):
        self._cases = {}
        for case in cases:
            self._cases.setdefault(case.situation, []).append(case)
        self._peers = peers
        self._over = {}
        self._beside = {each: beside.submit(self._play, each) for each in self._cases if each.name == BESIDE}

    def played(self, situation):
        """What came of a situation."""
        if situation in self._beside:
            self._beside[situation].result()
        elif situation not in self._over:
            self._play(situation)
        return self._over[situation]

    def over(self):
        """Each situation that was played."""
        return self._over.items()

    def _play(self, situation):
        self._over[situation] = Played(situation, self._cases[situation], self._peers)
