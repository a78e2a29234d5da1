"""A gateway with the scaler's port open, in front of coordinators of ours: what KEDA talks to."""

import http.client
import json
import signal
import subprocess
import time

import wire
import yaml
from gateway import BINARY, STOP_LIMIT, Gateway
from process import Process, answers, on_free_ports

# A group as XTrinode names them, so that its query finds it.
GROUP = "team-a--analytics"
# Of a worker, in every trigger.
TARGET = 4
# Seconds after which a scaler that knows nothing says so no more (rule L11), and a busy machine's share.
KNOWN_AFTER = 10 + 20
# Where no Prometheus is wanted.
NOBODY = "http://127.0.0.1:1"
# So that nothing but a query is demand.
PLAIN = {"linger": "0s", "unmetLease": "1s"}


class ScalingGateway(Gateway):
    """One group, awake on a simulated coordinator unless `backends` are given; it may be ended and begun again."""

    def __init__(self, backends, scaler=None, **settings):
        (port,) = wire.free_ports(1)
        self.scaler = f"127.0.0.1:{port}"
        asleep = sum("resume" in backend for backend in backends)
        groups = [{"name": GROUP, "backends": backends}]
        opened = {"enabled": True, "bind": self.scaler, **(scaler or {})}
        settings = {"queries": PLAIN, "routingGroups": groups, "defaultRoutingGroup": GROUP, **settings}
        super().__init__(backends, asleep=asleep, scaler=opened, **settings)

    def end(self):
        """Ends it by SIGTERM; configuration and ports stay."""
        self._process.send_signal(signal.SIGTERM)
        status = self._process.wait(STOP_LIMIT)
        assert status == 0 and "panicked" not in self.log(), self.log()

    def begin(self):
        """Begins it again, at the same addresses."""
        super().__enter__()

    def __exit__(self, *words):
        if self._process.poll() is None:
            super().__exit__(*words)

    def counted(self, name, **labels):
        """A sample of a metric with these labels; 0 where there is none."""
        text = wire.exchange("GET", self.metrics)[2].decode()
        found = [line for line in text.splitlines() if line.startswith(f"{name}{{")]
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        return sum(float(line.rsplit(" ", 1)[1]) for line in found if all(each in line for each in wanted))

    def known(self):
        """Waits until it knows its counts, so that 0 is an answer."""
        page = f"{self.health}/api/v1/routing-groups/{GROUP}/demand"
        deadline = time.monotonic() + KNOWN_AFTER
        while not answers(page):
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.1)
        return self

    def printed(self, trigger, target="deployment/workers", namespace="tests", prometheus=NOBODY):
        """What `sluice keda` prints for the group: a ScaledObject, and with TLS where its secrets are."""
        command = [
            BINARY, "keda", GROUP, "--config", self.config, "--target", target, "--namespace", namespace, "--trigger", trigger,
            "--gateway", "127.0.0.1", "--prometheus", prometheus,
        ]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return list(yaml.safe_load_all(done.stdout))

    def trigger(self, kind, **more):
        """The trigger of the ScaledObject, its name and metadata as they stand there."""
        (only,) = self.printed(kind, **more)[0]["spec"]["triggers"]
        return only

    def statement(self, sql="SELECT * FROM sim.rows(30000)"):
        """A statement whose client does nothing more until it is told to."""
        return Statement(self.port, sql)


class Statement:
    """One POST on a connection that is open already; `at` is when it began to be sent, in Unix seconds."""

    def __init__(self, port, sql):
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._connection.connect()
        self._page = None
        self.at = time.time()
        self._connection.request("POST", "/v1/statement", sql, wire.USER)

    def page(self):
        """The answer to the POST."""
        if self._page is None:
            self._page = self._read()
        return self._page

    def _read(self):
        answer = self._connection.getresponse()
        body = answer.read()
        assert answer.status == 200, body
        self._connection.close()
        return json.loads(body)

    def cancel(self):
        """Ends the query as a client does that wants no more."""
        status = wire.exchange("DELETE", self.page()["nextUri"])[0]
        assert status == 204, status

    def poll(self):
        """The next page, which is then the last one known."""
        status, _, body = wire.exchange("GET", self.page()["nextUri"])
        assert status == 200, body
        self._page = json.loads(body)
        return self._page

    def rows(self):
        """Reads the query to its end; how many rows came."""
        rows = len(self.page().get("data", []))
        while "nextUri" in self.page():
            rows += len(self.poll().get("data", []))
        assert "error" not in self.page(), self.page()["error"]
        return rows


def simulator(folder):
    """A simulated coordinator as a process."""
    return on_free_ports(1, lambda port: start_simulator(folder, port))


def start_simulator(folder, port):
    url = f"http://127.0.0.1:{port}"
    command = [BINARY, "simulator", "--bind", f"127.0.0.1:{port}"]
    process = Process(f"simulator-{port}", command, folder, lambda: answers(f"{url}/v1/info"))
    process.url = url
    return process
