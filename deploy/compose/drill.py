#!/usr/bin/env python3
"""A drill on the whole stack: a backend becomes slow, and every way from the alert to the cause is walked.

It needs `make up-observability`, takes up to ten minutes (alerts wait before they fire) and leaves the stack as it was.
"""

import subprocess
import sys
import threading
import time

import health
import stack

BACKEND = "trino-a"
# Seconds: shorter than three failed probes in a row, longer than the bound of GatewayRequestLatencyHigh.
STOPPED, RUNNING = 3, 1
# The first of these that fires will do: which one it is depends on the machine.
EXPECTED = {"GatewayRequestLatencyHigh", "GatewayBackendUnhealthy", "GatewayHigh503Rate"}
ALERT_LIMIT = 720
FOUND_LIMIT = 120
SLOW = '{service="sluice"} | json | event="query_completed" | duration_ms > 2000'


def compose(*words):
    """Runs docker compose; whether it worked."""
    command = ["docker", "compose", *words]
    return subprocess.run(command, cwd=stack.REPOSITORY, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL).returncode == 0


def slow_down(over):
    """Stops and continues the backend until it is over."""
    while not over.is_set():
        compose("pause", BACKEND)
        over.wait(STOPPED)
        compose("unpause", BACKEND)
        over.wait(RUNNING)


def until(what, found, limit):
    """What `found` finds, waited for."""
    deadline = time.monotonic() + limit
    while True:
        try:
            if result := found():
                print(f"ok: {what}: {result}", flush=True)
                return result
        except (OSError, ValueError, KeyError, IndexError) as failure:
            last = failure
        else:
            last = "nothing"
        if time.monotonic() > deadline:
            raise SystemExit(f"{what}: not within {limit} s ({last})")
        time.sleep(2)


def firing():
    """One of the alerts that are expected, as Alertmanager has it from Prometheus."""
    alerts = stack.ask("ALERTMANAGER_URL", "/api/v2/alerts")
    return sorted(EXPECTED & {alert["labels"]["alertname"] for alert in alerts})


def trace_of_a_slow_query():
    """The trace id of a line that LogQL finds."""
    now = time.time_ns()
    found = stack.ask("LOKI_URL", "/loki/api/v1/query_range", query=SLOW, start=now - 900 * 10**9, end=now, limit=1)
    return found["data"]["result"][0]["stream"]["trace_id"]


def spans(trace):
    """How large the trace is that Tempo has."""
    return len(stack.get("TEMPO_URL", f"/api/traces/{trace}"))


def samples():
    """How large a CPU profile is."""
    return len(stack.get("SLUICE_PPROF_URL", "/debug/pprof/profile", seconds=5, timeout=15))


def walk():
    """From the alert to the log, to the trace, to the profile."""
    until("the alert", firing, ALERT_LIMIT)
    trace = until("a slow query in the log", trace_of_a_slow_query, FOUND_LIMIT)
    until("its trace, in bytes", lambda: spans(trace), FOUND_LIMIT)
    until("a CPU profile, in bytes", samples, FOUND_LIMIT)


def main():
    """The drill; whatever happens, the backend runs again."""
    if health.main([]) != 0:
        return 1
    over = threading.Event()
    slow = threading.Thread(target=slow_down, args=(over,))
    try:
        if not compose("--profile", "loadtest", "up", "--detach", "load"):
            raise SystemExit("the load did not start")
        slow.start()
        walk()
    finally:
        over.set()
        if slow.is_alive():
            slow.join()
        compose("--profile", "loadtest", "rm", "--stop", "--force", "load")
    print("the drill is over")
    return 0


if __name__ == "__main__":
    sys.exit(main())
