"""The scripts around the compose stack, run without it: the cold start of trino-b with a simulated coordinator, and the
targets `health-observability`, `drill` and `incident` against a stand-in for all services.

No Docker engine is here: `docker` is a program that writes down what it was told.
"""

import json
import os
import subprocess
import sys
import tarfile
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import wire
import yaml
from boards import DEPLOY
from tools import run

COMPOSE = DEPLOY / "compose"
TOKEN = "of-the-check"
TRACE = "0af7651916cd43dd8448eb211c80319c"
# Seconds for a state to come; all take a few on an idle machine.
LIMIT = 60
ANSWERS = {
    "/api/v1/status": {"status": "ACTIVE", "config": {"hash": "sha256:abc"}},
    "/api/v1/events": [],
    "/api/v1/queries": [],
    "/api/v1/alerts": {"data": {"alerts": []}},
    "/api/v2/alerts": [{"labels": {"alertname": "GatewayRequestLatencyHigh"}}],
    "/loki/api/v1/query_range": {"data": {"result": [{"stream": {"trace_id": TRACE}, "values": []}]}},
    f"/api/traces/{TRACE}": {"batches": []},
    "/debug/pprof/profile": "samples",
    "/metrics": f'gateway_up 1\nx_bucket{{le="1.0"}} 1 # {{trace_id="{TRACE}"}} 0.5\n# EOF\n',
}
READY = {"/readyz", "/-/ready", "/ready", "/api/health"}
URLS = (
    "SLUICE_METRICS_URL", "SLUICE_HEALTH_URL", "SLUICE_ADMIN_URL", "SLUICE_PPROF_URL", "PROMETHEUS_URL", "ALERTMANAGER_URL", "LOKI_URL",
    "ALLOY_URL", "TEMPO_URL", "GRAFANA_URL",
)


class Everybody(BaseHTTPRequestHandler):
    """Answers for every service of the stack."""

    def do_GET(self):
        path = self.path.partition("?")[0]
        asked = json.dumps(ANSWERS[path]) if path in ANSWERS and not isinstance(ANSWERS[path], str) else ANSWERS.get(path, "ok")
        wants_token = path in ("/api/v1/events", "/api/v1/queries")
        allowed = not wants_token or self.headers.get("Authorization") == f"Bearer {TOKEN}"
        self.send_response(200 if allowed and (path in ANSWERS or path in READY) else 401 if not allowed else 404)
        self.end_headers()
        self.wfile.write(asked.encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def stack(tmp_path):
    """The environment in which all addresses are the stand-in's, and `docker` writes down what it is told."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Everybody)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    docker = tmp_path / "bin/docker"
    docker.parent.mkdir()
    docker.write_text(f"#!/bin/sh\necho \"$@\" >>{tmp_path}/told\ncase \"$*\" in *logs*) echo '{{\"trace_id\":\"{TRACE}\"}}';; esac\n")
    docker.chmod(0o755)
    yield {**dict.fromkeys(URLS, url), "SLUICE_ADMIN_TOKEN": TOKEN, "PATH": f"{docker.parent}{os.pathsep}{os.environ['PATH']}"}
    server.shutdown()


@contextmanager
def program(*words, **environment):
    """A program in the background, ended afterwards."""
    words = [str(word) for word in words]
    started = subprocess.Popen(words, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        yield started
    finally:
        started.terminate()
        try:
            started.wait(20)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


def until(holds, limit=LIMIT):
    """Waits for a state."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        try:
            if result := holds():
                return result
        except OSError:
            pass
        time.sleep(0.1)
    raise AssertionError("it did not come about")


def post(url, call):
    """The status of a call of the webhook driver."""
    return wire.exchange("POST", url, json.dumps(call), {"Content-Type": "application/json"})[0]


@contextmanager
def resumer():
    """The resumer at a free port; its URL."""
    (port,) = wire.free_ports(1)
    with program(sys.executable, COMPOSE / "resumer.py", PORT=str(port)):
        url = f"http://127.0.0.1:{port}"
        until(lambda: wire.exchange("GET", f"{url}/healthz")[0] == 200)
        yield url


def test_the_resumer_keeps_what_is_wanted():
    with resumer() as url:
        wanted = lambda: wire.exchange("GET", f"{url}/wanted/trino-b")[0]
        call = {"group": "g", "backend": "trino-b", "wakeId": "w", "attempt": 1, "reason": "demand"}
        assert wanted() == 404
        assert [post(f"{url}/resume", call), post(f"{url}/resume", call), wanted()] == [202, 409, 200]
        assert [post(f"{url}/suspend", call), post(f"{url}/suspend", call), wanted()] == [202, 409, 404]
        assert post(f"{url}/resume", {}) == post(f"{url}/elsewhere", call) == 400
        assert wire.exchange("POST", f"{url}/resume", "no JSON")[0] == 400


@contextmanager
def compose_gateway(sluice, folder, resumer_url, ports):
    """The gateway with the compose stack's own configuration, its neighbours at these addresses."""
    data, metrics, health, admin, profiles, trino_a, trino_b = ports
    config = yaml.safe_load((COMPOSE / "sluice.yaml").read_text())
    del config["telemetry"]["otlpEndpoint"]
    text = json.dumps(config | {
        "data": {"bind": f"127.0.0.1:{data}"},
        "metrics": {"bind": f"127.0.0.1:{metrics}"},
        "health": {"bind": f"127.0.0.1:{health}", "interval": "300ms"},
        "drain": {"wait": "0s", "deadline": "2s"},
        "audit": {"path": str(folder / "audit.jsonl")},
    })
    for name, address in {
        "0.0.0.0:8081": f"127.0.0.1:{admin}", "http://trino-a:8080": f"http://127.0.0.1:{trino_a}",
        "http://trino-b:8080": f"http://127.0.0.1:{trino_b}", "http://resumer:8000": resumer_url,
    }.items():
        assert name in text
        text = text.replace(name, address)
    file = folder / "sluice.yaml"
    file.write_text(text)
    environment = {"SLUICE_ADMIN_TOKEN": TOKEN, "SLUICE_PPROF": "1", "SLUICE_PPROF_ADDR": f"127.0.0.1:{profiles}"}
    with program(sluice, "serve", "--config", file, **environment):
        until(lambda: wire.exchange("GET", f"http://127.0.0.1:{health}/readyz")[0] == 200)
        yield {
            "SLUICE_URL": f"http://127.0.0.1:{data}", "SLUICE_METRICS_URL": f"http://127.0.0.1:{metrics}",
            "SLUICE_HEALTH_URL": f"http://127.0.0.1:{health}", "SLUICE_ADMIN_URL": f"http://127.0.0.1:{admin}",
            "SLUICE_PPROF_URL": f"http://127.0.0.1:{profiles}", "SLUICE_ADMIN_TOKEN": TOKEN,
        }


def listens(port):
    """Whether a coordinator answers there."""
    try:
        return wire.exchange("GET", f"http://127.0.0.1:{port}/v1/info")[0] == 200
    except OSError:
        return False


def test_trino_b_sleeps_until_a_statement_wants_it(sluice, tmp_path):
    """The cold start of docker-compose.yml: configuration, resumer and the container's own script, with a simulated Trino in it.

    Then people work on it, and an incident is saved.
    """
    ports = wire.free_ports(7)
    trino_a, trino_b = ports[-2:]
    asleep = {"RUN": f"{sluice} simulator --bind 127.0.0.1:{trino_b}"}
    with resumer() as url, program(sluice, "simulator", "--bind", f"127.0.0.1:{trino_a}"), program(
        "bash", COMPOSE / "trino/wanted.sh", WANTED=f"{url}/wanted/trino-b", **asleep
    ), compose_gateway(sluice, tmp_path, url, ports) as places:
        until(lambda: listens(trino_a))
        assert not listens(trino_b)
        pages = list(wire.pages(places["SLUICE_URL"], "SELECT 1", {"X-Trino-Source": "dbt"}))
        assert "error" not in pages[-1], pages[-1]
        assert listens(trino_b)
        works(places)
        saves(places, tmp_path)
        assert post(f"{url}/suspend", {"backend": "trino-b"}) == 202
        until(lambda: not listens(trino_b))


def works(places):
    """The load generator, for a moment."""
    environment = {**places, "SECONDS_TO_RUN": "1", "CLIENTS": "2"}
    status, said = run(sys.executable, COMPOSE / "load.py", environment=environment)
    counts = json.loads(said.splitlines()[-1])
    assert status == 0 and counts.get("ok", 0) + counts.get("error", 0) > 0 and "lost" not in counts, said


def saves(places, folder):
    """`make incident` on a gateway that really runs; Prometheus is the only one who is not there."""
    environment = {**places, "PROMETHEUS_URL": "http://127.0.0.1:1", "LOGS_COMMAND": "echo {}"}
    status, said = run(sys.executable, COMPOSE / "incident.py", folder, environment=environment)
    missing = [line.split()[1].rstrip(":") for line in said.splitlines() if line.startswith("missing")]
    assert (status, missing) == (1, ["alerts.json"]), said


def archive_of(folder):
    """Name and text of each file in the one archive there."""
    (path,) = folder.glob("incident-*.tar.gz")
    with tarfile.open(path) as tar:
        return {member.name.partition("/")[2]: tar.extractfile(member).read().decode() for member in tar.getmembers() if member.isfile()}


def test_obs_F2_an_incident_is_saved_whole(stack, tmp_path):
    status, said = run(sys.executable, COMPOSE / "incident.py", tmp_path, environment=stack)
    assert status == 0, said
    found = archive_of(tmp_path)
    assert set(found) == {
        "status.json", "readyz.txt", "events.json", "queries.json", "metrics.txt", "alerts.json", "logs.jsonl", "profile.pb",
        "config-hash.txt", "trace-ids.txt", "missing.txt",
    }
    assert (found["config-hash.txt"], found["trace-ids.txt"], found["missing.txt"]) == ("sha256:abc\n", f"{TRACE}\n", "")


def test_obs_F2_what_is_missing_is_named(stack, tmp_path):
    gone = {**stack, "SLUICE_PPROF_URL": "http://127.0.0.1:1", "SLUICE_ADMIN_TOKEN": "wrong"}
    status, said = run(sys.executable, COMPOSE / "incident.py", tmp_path, environment=gone)
    assert status == 1
    found = archive_of(tmp_path)
    assert {line.partition(":")[0] for line in found["missing.txt"].splitlines()} == {"events.json", "queries.json", "profile.pb"}
    assert "missing profile.pb" in said and "status.json" in found


def test_obs_S3_health_names_who_is_not_ready(stack):
    assert run(sys.executable, COMPOSE / "health.py", environment=stack)[0] == 0
    status, said = run(sys.executable, COMPOSE / "health.py", environment={**stack, "LOKI_URL": "http://127.0.0.1:1"})
    assert status == 1 and "not ready: loki\n" in said


def test_obs_F2_the_drill_walks_from_the_alert_to_the_profile(stack, tmp_path):
    status, said = run(sys.executable, COMPOSE / "drill.py", environment=stack)
    assert status == 0, said
    for step in ("the alert", "a slow query in the log", "its trace", "a CPU profile"):
        assert f"ok: {step}" in said
    told = (tmp_path / "told").read_text().splitlines()
    assert told.count("compose pause trino-a") == told.count("compose unpause trino-a") > 0
    assert told[0] == "compose --profile loadtest up --detach load"
    assert told[-1] == "compose --profile loadtest rm --stop --force load"


def test_make_writes_secrets_of_its_own(tmp_path):
    """`.env` is made once, of its example."""
    for name in ("Makefile", ".env.example", "Cargo.lock"):
        (tmp_path / name).write_text((DEPLOY.parent / name).read_text())
    status, said = run("make", "--silent", ".env", folder=tmp_path)
    assert status == 0, said
    written = dict(line.split("=", 1) for line in (tmp_path / ".env").read_text().splitlines() if "=" in line and line[0] != "#")
    assert set(written) == {"SLUICE_ADMIN_TOKEN", "GRAFANA_ADMIN_PASSWORD"}
    assert all(len(value) == 32 for value in written.values()) and len(set(written.values())) == 2
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0


def test_scripts_of_bash_parse():
    for file in (DEPLOY / "compose").rglob("*.sh"):
        status, said = run("bash", "-n", file)
        assert status == 0, said
