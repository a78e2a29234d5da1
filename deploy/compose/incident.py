#!/usr/bin/env python3
"""Saves what a running gateway knows, before anybody changes anything: one archive, `incident-<time>.tar.gz`.

    incident.py [FOLDER]    where the archive goes (here)

What cannot be had is named in `missing.txt` of the archive and on standard error, and the exit status is 1: half an
archive is better than none.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import stack

LOGS = "docker compose logs --no-color --no-log-prefix --tail 5000 sluice"
PROFILE_SECONDS = 5
# Exemplars, which name traces, are told in this format only.
OPENMETRICS = {"Accept": "application/openmetrics-text; version=1.0.0"}
TRACE_ID = re.compile(r'"?trace_id"?[=:]\s*"([0-9a-f]{32})"')


def status():
    """What the gateway says of itself."""
    return stack.get("SLUICE_HEALTH_URL", "/api/v1/status")


def readiness():
    """The checks, also when they fail: 503 is an answer here."""
    try:
        return stack.get("SLUICE_HEALTH_URL", "/readyz")
    except OSError as failure:
        return str(failure).encode()


def events():
    """What changed."""
    return stack.get("SLUICE_ADMIN_URL", "/api/v1/events", stack.operator())


def queries():
    """Who runs and who waits; SQL is masked."""
    return stack.get("SLUICE_ADMIN_URL", "/api/v1/queries", stack.operator())


def metrics():
    """All of them, with exemplars."""
    return stack.get("SLUICE_METRICS_URL", "/metrics", OPENMETRICS)


def alerts():
    """What Prometheus holds to be wrong."""
    return stack.get("PROMETHEUS_URL", "/api/v1/alerts")


def logs():
    """The last lines; LOGS_COMMAND is another way to get them, such as kubectl logs."""
    command = shlex.split(os.environ.get("LOGS_COMMAND", LOGS))
    done = subprocess.run(command, cwd=stack.REPOSITORY, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    if done.returncode != 0:
        raise OSError(f"{command[0]}: {done.stderr.decode(errors='replace').strip()[-200:]}")
    return done.stdout


def profile():
    """Where the processor's time goes now."""
    return stack.get("SLUICE_PPROF_URL", "/debug/pprof/profile", seconds=PROFILE_SECONDS, timeout=PROFILE_SECONDS + 10)


PARTS = {
    "status.json": status,
    "readyz.txt": readiness,
    "events.json": events,
    "queries.json": queries,
    "metrics.txt": metrics,
    "alerts.json": alerts,
    "logs.jsonl": logs,
    "profile.pb": profile,
}


def collect(folder):
    """Gets every part; what is missing, with the reason."""
    missing = {}
    for name, part in PARTS.items():
        try:
            (folder / name).write_bytes(part())
        except (OSError, ValueError, subprocess.SubprocessError) as failure:
            missing[name] = str(failure)
    derive(folder, missing)
    (folder / "missing.txt").write_text("".join(f"{name}: {why}\n" for name, why in missing.items()))
    return missing


def derive(folder, missing):
    """What can be read out of the parts: the configuration's hash, and the traces that metrics and logs name."""
    if "status.json" not in missing:
        config = json.loads((folder / "status.json").read_text()).get("config", {})
        (folder / "config-hash.txt").write_text(f"{config.get('hash')}\n")
    named = set()
    for name in ("metrics.txt", "logs.jsonl"):
        if name not in missing:
            named.update(TRACE_ID.findall((folder / name).read_text(errors="replace")))
    (folder / "trace-ids.txt").write_text("".join(f"{each}\n" for each in sorted(named)))


def main(words):
    """Writes the archive; the exit status."""
    place = Path(words[0] if words else ".")
    name = time.strftime("incident-%Y%m%dT%H%M%SZ", time.gmtime())
    with tempfile.TemporaryDirectory() as folder:
        missing = collect(Path(folder))
        archive = place / f"{name}.tar.gz"
        with tarfile.open(archive, "w:gz") as tar:
            tar.add(folder, arcname=name)
    print(archive)
    for part, why in missing.items():
        print(f"missing {part}: {why}", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
