"""KEDA's own scaler clients, driven by the tests: the program of `scalers/`, one process for any number of triggers."""

import json
import subprocess
import threading
import time
from dataclasses import dataclass

import kedacore

# Seconds for an answer; KEDA itself waits for a scaler for ever.
ORDER_LIMIT = 30


class Refused(Exception):
    """KEDA's client gave an error, in its words."""


@dataclass(frozen=True)
class Push:
    """One frame of a stream as KEDA got it; `at` in Unix seconds."""

    active: bool
    at: float


class Scalers:
    """The process."""

    def __init__(self, folder):
        self._log = folder / "keda-scalers.log"
        self._changed = threading.Condition()
        self._answers = {}
        self._pushes = {}
        self._last = 0

    def __enter__(self):
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                [kedacore.install() / "keda-scalers"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )
        threading.Thread(target=self._listen, name="keda-scalers", daemon=True).start()
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()

    def _listen(self):
        for line in self._process.stdout:
            told = json.loads(line)
            with self._changed:
                if told["id"]:
                    self._answers[told["id"]] = told
                elif "active" in told:
                    self._pushes[told["scaler"]].append(Push(told["active"], told["at"] / 1e9))
                self._changed.notify_all()

    def order(self, do, scaler, **more):
        """Has something done; the answer, or what KEDA says against it."""
        with self._changed:
            self._last += 1
            number = self._last
            self._process.stdin.write(json.dumps({"id": number, "do": do, "scaler": scaler, **more}) + "\n")
            self._process.stdin.flush()
            if not self._changed.wait_for(lambda: number in self._answers, ORDER_LIMIT):
                raise RuntimeError(f"no answer to {do} in {ORDER_LIMIT} s:\n{self.log()}")
            told = self._answers.pop(number)
        if "error" in told:
            raise Refused(told["error"])
        return told

    def make(self, trigger, auth=None):
        """A scaler for a trigger as it stands in a ScaledObject."""
        name = f"scaler-{len(self._pushes)}"
        self._pushes[name] = []
        self.order("make", name, type=trigger["type"], metadata=trigger["metadata"], auth=auth or {})
        return Scaler(self, name)

    def log(self):
        """The end of what KEDA logged."""
        return self._log.read_text()[-4000:]

    def lines(self, since=0):
        """What KEDA logged, each line as JSON, after so many characters."""
        return [json.loads(line) for line in self._log.read_text()[since:].splitlines() if line.startswith("{")]

    def logged(self):
        """How many characters it has logged."""
        return len(self._log.read_text())

    def pushes(self, name):
        """All frames of a scaler's stream so far."""
        with self._changed:
            return list(self._pushes[name])

    def until(self, what, holds, limit):
        """Waits for a state that an answer or a push brings."""
        with self._changed:
            if not self._changed.wait_for(holds, limit):
                raise AssertionError(f"waited in vain for {what}, {limit} s; KEDA logged:\n{self.log()}")


class Scaler:
    """One trigger's client."""

    def __init__(self, house, name):
        self._house = house
        self._name = name

    def specs(self):
        """{metric: (type, target)} as KEDA would write them into the HPA."""
        return {each["name"]: (each["type"], quantity(each["target"])) for each in self._order("spec").get("specs", [])}

    def ask(self, metric=None):
        """(values, active) of a poll; without a metric, of the one that the scaler has."""
        if metric is None:
            (metric,) = self.specs()
        told = self._order("ask", metric=metric)
        return [quantity(each["value"]) for each in told.get("values", [])], told["active"]

    def run(self):
        """Opens the stream, as KEDA does for `external-push`; it comes again by KEDA's own rules when it ends."""
        self._order("run")
        return self

    def pushes(self):
        """All frames so far."""
        return self._house.pushes(self._name)

    def next_push(self, seen, limit=10):
        """The frame after so many, waited for."""
        self._house.until(f"frame {seen + 1}", lambda: len(self._house._pushes[self._name]) > seen, limit)
        return self.pushes()[seen]

    def close(self):
        """Ends the stream, gives the connection back."""
        self._order("close")

    def _order(self, do, **more):
        return self._house.order(do, self._name, **more)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def quantity(text):
    """A number as Kubernetes spells it: thousandths have an m."""
    return float(text[:-1]) / 1000 if text.endswith("m") else float(text)


def settled(measure, expected, what, limit=20):
    """Waits until a poll says what it should; an error of KEDA's client counts as its words."""
    deadline = time.monotonic() + limit
    while (seen := outcome(measure)) != expected:
        assert time.monotonic() < deadline, f"{what}: {seen}, not {expected}"
        time.sleep(0.05)


def outcome(measure):
    """What a poll gives."""
    try:
        return measure()
    except Refused as words:
        return str(words)
