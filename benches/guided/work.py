#!/usr/bin/env python3
"""What a gateway is let do while its steps are counted: statements, polls of small and large pages, a cold start.

It is the work of every day in about its proportions, on plain HTTP and over several connections at once; nothing is timed.
SLUICE_BIN names the gateway.
"""

import subprocess
import sys
import threading
from pathlib import Path

REAL = Path(__file__).resolve().parents[2] / "tests/real"
sys.path[:0] = [str(REAL), str(REAL / "cost")]

from gateway import BINARY, Gateway
from one_page import Client, Coordinator

# Rows of a page, and how often it is asked for: about 1 KB, 64 KB and 1 MB.
PAGES = ((6, 2000), (1000, 300), (16000, 40))
# A query is a statement and its first polls, as a rule.
QUERIES, POLLS = 500, 4
CLIENTS = 4


def main():
    """All of it, one kind after the other."""
    # A cold start, cancels, a group that is not there: what a demonstration shows is asked for by real clients' requests.
    subprocess.run([BINARY, "demo", "--once"], stdout=subprocess.DEVNULL, check=True)
    for rows, times in PAGES:
        with Coordinator(rows=rows) as trino:
            backends = [{"name": name, "url": f"http://{host}:{trino.port}"} for name, host in (("a", "127.0.0.1"), ("b", "localhost"))]
            with Gateway(backends, telemetry={"sampleRatio": 0.01}) as gateway:
                at_once(lambda: polls(gateway, times))
                at_once(lambda: queries(gateway, QUERIES * times // PAGES[0][1]))


def polls(gateway, times):
    """One query, polled so often."""
    with Client(gateway.port) as client:
        poll = client.begin()
        for _ in range(times):
            client.poll(poll)


def queries(gateway, times):
    """So many queries."""
    with Client(gateway.port) as client:
        for _ in range(times):
            poll = client.begin()
            for _ in range(POLLS):
                client.poll(poll)


def at_once(work):
    """Several clients at the same time; an error of one is an error of all."""
    failed = []

    def one():
        try:
            work()
        except Exception as error:
            failed.append(error)

    clients = [threading.Thread(target=one) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    if failed:
        raise failed[0]


if __name__ == "__main__":
    main()
