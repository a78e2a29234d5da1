"""A situation played once for all its cases, several at a time; the tests then only look at what came of theirs."""

import time
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from gathering import Gathering

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
            seen = list(pool.map(lambda case: self._shown_and_referred(scene, gathering, case), cases))
            scene.verify()
        for case, through in zip(cases, seen):
            self._kept(case, lambda: self._judge(case, through))

    def _shown_and_referred(self, scene, gathering, case):
        """What the client of a case shows here; what it shows directly is found out at once, while others are still at work."""
        seen = self._shown(scene, gathering, case)
        if self._outcomes[case] is None:
            # Who asks for it hears of its failure.
            with suppress(Exception):
                self._reference(case)
        return seen

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
        case.situation.judge(case, through, lambda: self._reference(case))

    def _reference(self, case):
        return self._peers.reference(case.client, case.task, case.situation.trino)

    def _kept(self, case, do):
        """Does something for a case and keeps its failure; whether it went well."""
        try:
            do()
            self._outcomes[case] = None
        except Exception as failure:
            self._outcomes[case] = failure
        return self._outcomes[case] is None


class Stages:
    """The situations of the cases that were chosen, each played when it is asked for; those that mostly wait are begun at once."""

    def __init__(self, cases, peers, pool):
        self._cases = {}
        for case in cases:
            self._cases.setdefault(case.situation, []).append(case)
        self._peers = peers
        self._pool = pool
        self._begun = {}
        for situation in self._cases:
            if situation.patient:
                self._begin(situation)

    def played(self, situation):
        """What came of a situation."""
        if situation not in self._begun:
            self._begin(situation)
        return self._begun[situation].result()

    def over(self):
        """Each situation that was played, and what came of it."""
        return [(situation, begun.result()) for situation, begun in self._begun.items()]

    def _begin(self, situation):
        self._begun[situation] = self._pool.submit(Played, situation, self._cases[situation], self._peers)
