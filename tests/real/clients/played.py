"""A situation played once for all its cases, several at a time; the tests then only look at what came of theirs."""

import time
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor

from compare import assert_same

# One client doing one task in one situation.
Case = namedtuple("Case", "situation client task")


class Played:
    """The outcomes of one situation: for each case None, or what went wrong."""

    def __init__(self, situation, cases, peers):
        self._outcomes = {}
        self.seconds = {}
        self._peers = peers
        try:
            ready = [case for case in cases if self._prepared(case)]
            if ready:
                self._play(situation, ready)
        except Exception as failure:
            # What the situation itself lacks or does wrong is the fault of every case that has none of its own.
            for case in cases:
                if self._outcomes.get(case) is None:
                    self._outcomes[case] = failure

    def outcome(self, case):
        """Raises what went wrong with a case."""
        if failure := self._outcomes[case]:
            raise failure

    def _prepared(self, case):
        """Fetches the client; whether it is there."""
        return self._kept(case, case.client.prepare)

    def _play(self, situation, cases):
        with situation.open(self._peers) as scene, ThreadPoolExecutor(situation.at_once) as pool:
            list(pool.map(lambda case: self._kept(case, lambda: self._one(scene, case)), cases))
            scene.verify(len(cases))

    def _one(self, scene, case):
        """One case: what the client shows here is what it shows directly."""
        through = case.client.run(scene.where, case.task, scene.on_mark)
        assert_same(self._peers.reference(case.client, case.task, case.situation.trino), through)

    def _kept(self, case, do):
        """Does something for a case and keeps its failure; whether it went well."""
        begun = time.monotonic()
        try:
            do()
            self._outcomes[case] = None
        except Exception as failure:
            self._outcomes[case] = failure
        self.seconds[case] = time.monotonic() - begun
        return self._outcomes[case] is None
