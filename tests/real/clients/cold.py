"""All clients at once before one Trino that sleeps: what they see in each mode of a cold start, for the price of one."""

from contextlib import contextmanager

import claims
from doors import settle
from gateway import Gateway
from peers import PRESTO
from situations import SETTINGS, Scene, Situation
from sleeping import SleepingTrino
from where import Where

# Seconds for it to be up, on a busy machine.
UP_LIMIT = 480
# How long a request is held in the mode `hold`: three times, and a client that tries no more often has given up.
HELD = "3s"


class Cold(Situation):
    """Nobody sees that it slept: the mode `queue`."""

    tasks = ("cold",)
    full = False
    # All of them: who came later would find it awake.
    at_once = 64
    patient = True

    def __init__(self, mode, wait):
        self.mode = mode
        self.wait = wait
        self.name = f"cold-{mode}"

    @contextmanager
    def open(self, peers):
        with SleepingTrino(self.trino, self.wait, (PRESTO,)) as trino:
            backend = {"name": "sleeper", "url": trino.url, "resume": trino.driver(), "stats": {"user": "tests"}}
            cold_start = {"mode": self.mode, **({"holdFor": HELD} if self.mode == "hold" else {})}
            with Gateway([backend], {"coldStart": cold_start}, asleep=1, **SETTINGS) as gateway:
                yield Scene(Where.at(gateway.url), [gateway])
                # Whoever gave up left demand behind, and it comes up for nobody.
                settle(lambda: gateway.samples("gateway_backend_up"), lambda: 1, "backends that are up", UP_LIMIT)
                assert trino.count("started") == gateway.samples("gateway_auto_resume_total") == 1


class Told(Cold):
    """A mode in which some clients see an error: each sees what docs/CLIENTS.md says of it."""

    # Some clients have patience for two minutes only.
    patient = False

    def judge(self, case, through, direct):
        claims.check(case.client.name, self.mode, claims.outcome(direct(), through))
