#!/usr/bin/env python3
"""People at work: some clients that run statements through the gateway, follow the pages, sometimes fail, sometimes leave.

SLUICE_URL (http://127.0.0.1:8080), CLIENTS (4), SECONDS_TO_RUN (0: until it is stopped), SOURCE (load).
Each statement has a traceparent of its own. Once a second one line says how it goes.
"""

import json
import os
import random
import secrets
import threading
import time
import urllib.error
import urllib.request
from collections import Counter

URL = os.environ.get("SLUICE_URL", "http://127.0.0.1:8080")
CLIENTS = int(os.environ.get("CLIENTS", "4"))
SECONDS = float(os.environ.get("SECONDS_TO_RUN", "0"))
SOURCE = os.environ.get("SOURCE", "load")
STATEMENTS = [
    "SELECT 1",
    "SHOW CATALOGS",
    "SELECT count(*) FROM tpch.tiny.lineitem",
    "SELECT nationkey, count(*) FROM tpch.tiny.customer GROUP BY 1",
    "SELECT * FROM tpch.tiny.nation",
    "SELECT no_such_column FROM tpch.tiny.nation",
]
# Of a hundred statements, those that are cancelled after the first page.
CANCELLED = 5
# Seconds for one request; the gateway holds a statement for eight.
TIMEOUT = 60
COUNTS = Counter()


def ask(method, url, body=None, headers=()):
    """One request; the page, or nothing where there is none."""
    request = urllib.request.Request(url, data=body, method=method, headers=dict(headers))
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        text = answer.read()
    return json.loads(text) if text else {}


def run(statement):
    """One statement to its end; how it ended."""
    headers = {
        "X-Trino-User": random.choice(["ann", "bob", "eve"]),
        "X-Trino-Source": SOURCE,
        "traceparent": f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01",
    }
    page = ask("POST", f"{URL}/v1/statement", statement.encode(), headers.items())
    leaves = random.randrange(100) < CANCELLED
    while following := page.get("nextUri"):
        if leaves:
            ask("DELETE", following)
            return "canceled"
        page = ask("GET", following)
    return "error" if "error" in page else "ok"


def client(until):
    """One client, until it is time to go."""
    while time.monotonic() < until:
        try:
            COUNTS[run(random.choice(STATEMENTS))] += 1
        except urllib.error.HTTPError as refused:
            COUNTS[f"http {refused.code}"] += 1
            time.sleep(1)
        except (OSError, ValueError):
            COUNTS["lost"] += 1
            time.sleep(1)


def main():
    """All clients at once."""
    until = time.monotonic() + SECONDS if SECONDS else float("inf")
    clients = [threading.Thread(target=client, args=(until,), daemon=True) for _ in range(CLIENTS)]
    for each in clients:
        each.start()
    while any(each.is_alive() for each in clients):
        time.sleep(1)
        print(json.dumps({"event": "load", **COUNTS}), flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
