#!/usr/bin/env python3
"""The gateway among real peers, with all of its signals on: Prometheus scrapes it by the repository's configuration, its
alerts go to an Alertmanager, its spans to a Jaeger, its log and audit to files.

    stage.py run    play it with its load until Ctrl-C; prints where everybody listens

Behind the gateway stand simulated coordinators, one routing group for each fate: `team-a--analytics` (two that live),
`etl` (sleeps, is woken by demand and put to sleep again), `lost` (its coordinator is killed), `broken` (its driver fails),
`narrow` (one query at a time).
"""

import json
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import jaeger as jaeger_peer
import repository
import wire
from gateway import BINARY, Gateway
from load import PATIENCE, Load
from process import Process, on_free_ports
from prometheus import Alertmanager, Prometheus

# Nobody listens there, so that a scrape of it is refused at once.
NOBODY = "127.0.0.1:1"
# What Prometheus holds to be gone until its first scrape.
MISSED = {"GatewayNoReadyReplica", "GatewayScalingSignalMissing"}
# What a client trusts us with; it may show nowhere.
PASSWORD, CREDENTIAL, LITERAL = "password-of-the-traveller", "credential-of-the-traveller", "literal-of-the-traveller"
SECRETS = {
    "Authorization": f"Bearer {PASSWORD}", "X-Trino-Extra-Credential": f"token={CREDENTIAL}",
    "Cookie": f"Trino-UI-Token={PASSWORD}",
}
JOURNEY = f"SELECT '{LITERAL}', 42 /* sim: pages=3 queued=2 running=400ms */"
# Seconds for a driver's call: one starts a process on a busy machine.
CALL_LIMIT = "20s"


class Simulator(Process):
    """One simulated coordinator as a process."""

    def __init__(self, folder, port, *options):
        self.url = f"http://127.0.0.1:{port}"
        command = [BINARY, "simulator", "--bind", f"127.0.0.1:{port}", *options]
        super().__init__(f"simulator-{port}", command, folder, lambda: is_coordinator(self.url))


def is_coordinator(url):
    """Whether a coordinator answers there."""
    try:
        return wire.exchange("GET", f"{url}/v1/info")[0] == 200
    except OSError:
        return False


class Stage:
    """All that plays; the spans go to Jaeger by that protocol."""

    def __init__(self, protocol="grpc"):
        self._protocol = protocol
        self._closing = ExitStack()

    def __enter__(self):
        try:
            self._set()
        except BaseException:
            self._closing.close()
            raise
        return self

    def __exit__(self, *_):
        self._closing.close()

    def _set(self):
        self.begun = time.time()
        self.folder = Path(tempfile.mkdtemp(prefix="stage-"))
        self._closing.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.jaeger = self._closing.enter_context(jaeger_peer.Jaeger())
        self.audit = self.folder / "audit.jsonl"
        self._simulators = [self._simulator() for _ in range(4)]
        self._sleeping = f"127.0.0.1:{wire.free_ports(1)[0]}"
        self._closing.callback(self._end_sleeper)
        groups = self._groups()
        backends = [backend for group in groups for backend in group["backends"]]
        self.gateway = self._closing.enter_context(Gateway(backends, asleep=2, **self._settings(groups)))
        self.alertmanager = self._closing.enter_context(Alertmanager(repository.ALERTMANAGER))
        self.prometheus = self._closing.enter_context(self._prometheus())
        self.load = self._closing.enter_context(Load(self))

    def settle(self):
        """Waits until Prometheus has scraped the gateway, misses it no more, and knows the Alertmanager: an alert that it can
        tell nobody at once, or that goes on from before, is told a minute later."""
        self.prometheus.until("a first scrape", lambda: self.prometheus.query('up{job="sluice"} == 1'))
        self.prometheus.until("miss nothing", lambda: not MISSED & {name for name, *_ in self.prometheus.alerts()})
        told = "/api/v1/alertmanagers"
        self.prometheus.until("know its Alertmanager", lambda: self.prometheus.ask(told)["data"]["activeAlertmanagers"])

    def _simulator(self):
        made = on_free_ports(1, lambda port: Simulator(self.folder, port, "--spooling"))
        self._closing.callback(made.kill)
        return made

    def lose(self):
        """Kills the coordinator of the group `lost`."""
        self._simulators[2].kill()

    def _end_sleeper(self):
        command = [BINARY, "simulator", "--stop", f"http://{self._sleeping}"]
        subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, timeout=60, check=True)

    def journey(self):
        """One statement of a traced client for the group that sleeps, its polls without a word of the trace."""
        return Journey(self.gateway.url)

    def log(self):
        """The whole lines of the gateway's log, each as JSON."""
        return [json.loads(line) for line in whole_lines(self.gateway.lines())]

    def audited(self):
        """The whole lines of its audit."""
        return [json.loads(line) for line in whole_lines(self.audit.read_text())]

    def _groups(self):
        first, second, lost, narrow = ({"name": f"trino-{index}", "url": each.url} for index, each in enumerate(self._simulators))
        driver = [str(BINARY), "simulator"]
        resume = [*driver, "--bind", self._sleeping, "--starting-for", "1s", "--unused-for", "2m", "--detach"]
        suspend = [*driver, "--stop", f"http://{self._sleeping}"]
        sleeper = {
            "name": "sleeper", "url": f"http://{self._sleeping}", "stats": {"user": "tests"},
            "resume": {"callTimeout": CALL_LIMIT, "command": {"resume": resume, "suspend": suspend}},
        }
        broken = {"name": "broken", "url": f"http://{NOBODY}", "resume": {"deadline": "3s", "command": {"resume": ["false"]}}}
        return [
            {"name": "team-a--analytics", "backends": [first, second]},
            {"name": "etl", "backends": [sleeper], "coldStart": {"holdFor": "1s"}, "suspend": {"afterIdle": "3s"}},
            {"name": "lost", "backends": [lost]},
            {"name": "broken", "backends": [broken], "coldStart": {"holdFor": "1s", "deadline": "4s"}},
            {"name": "narrow", "backends": [narrow], "coldStart": {"maxRunning": 1, "maxWaiting": 2}},
        ]

    def _settings(self, groups):
        """Every signal on, every trace kept, time short."""
        spans = {"grpc": self.jaeger.grpc, "http/protobuf": self.jaeger.http}[self._protocol]
        rules = {"analytics": "team-a--analytics", "nightly": "etl", "lost": "lost", "broken": "broken", "narrow": "narrow"}
        return {
            "routingGroups": groups,
            "rules": [{"name": source, "when": {"source": source}, "routingGroup": group} for source, group in rules.items()],
            "queries": {"linger": "0s", "abandonAfter": "5s", "countRows": True},
            "log": {"format": "json", "level": "info,sluice=debug", "access": "all"},
            "audit": {"path": str(self.audit)},
            "telemetry": {"otlpEndpoint": spans, "otlpProtocol": self._protocol, "sampleRatio": 1},
        }

    def _prometheus(self):
        """With the configuration of deploy/, who is scraped told anew, and all times short."""
        def config(own):
            scraped = {"sluice": self.gateway.metrics.split("/")[2], "alertmanager": self.alertmanager.address, "prometheus": own}
            return repository.prometheus(scraped, self.alertmanager.address, NOBODY)

        return Prometheus(config, repository.rules_in_haste())


class Journey:
    """A query with its client's trace; whole when this returns."""

    def __init__(self, base):
        self.trace, self.parent = secrets.token_hex(16), secrets.token_hex(8)
        headers = {"X-Trino-Source": "nightly", "X-Trino-User": "traveller", **SECRETS}
        first = {**headers, "traceparent": f"00-{self.trace}-{self.parent}-01", "tracestate": "customer=1"}
        status, _, body = wire.exchange("POST", f"{base}/v1/statement", JOURNEY, first)
        self.pages = 1
        self.rows = []
        begun = time.monotonic()
        while True:
            if time.monotonic() - begun > PATIENCE:
                raise RuntimeError(f"{self.query}: no end after {self.pages} pages")
            if status != 200:
                raise RuntimeError(f"{status}: {body[:500]!r}")
            page = json.loads(body)
            self.rows += page.get("data", [])
            # A query that waits has an id of the gateway's until a coordinator has given it one.
            self.query = page["id"]
            if "nextUri" not in page:
                return
            status, _, body = wire.exchange("GET", page["nextUri"], None, headers)
            self.pages += 1


def whole_lines(text):
    """The lines that are written to their end."""
    return text.split("\n")[:-1]


def main(words):
    """Reads the command line; exits 2 when it is not understood."""
    if words != ["run"]:
        print(__doc__, file=sys.stderr)
        return 2
    with Stage() as stage:
        stage.load.begin()
        peers = {"gateway": stage.gateway.url, "metrics": stage.gateway.metrics, "Prometheus": stage.prometheus.url,
                 "Alertmanager": stage.alertmanager.url, "Jaeger": stage.jaeger.api, "audit": stage.audit}
        print(json.dumps(peers, indent=2, default=str), flush=True)
        try:
            sys.stdin.read()
        except KeyboardInterrupt:
            pass
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
