#!/usr/bin/env python3
"""What a gateway needs: its binary, its start with a hundred groups, its memory and processor with thousands of connections.

    footprint.py    prints the table, and writes it into `benches/RESULTS.md`

It measures a release: SLUICE_BIN names it, else `target/release/sluice` is taken. 11,000 connections want 12,500 open files.
"""

import asyncio
import datetime
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
REAL = REPOSITORY / "tests/real"
sys.path[:0] = [str(REAL), str(REAL / "cost"), str(HERE.parent)]
os.environ.setdefault("SLUICE_BIN", str(Path(os.environ.get("CARGO_TARGET_DIR") or REPOSITORY / "target") / "release/sluice"))

import wire
from connections import Clients, trino
from gateway import BINARY, Gateway
from sections import keep

TITLE = "Footprint"
GROUPS, STARTS = 100, 15
IDLE, BUSY = 10_000, 1_000
# Seconds of each look at a process.
LOOK = 10
MEBI = 1 << 20


def main():
    """Measures, prints, keeps."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    rows = [("binary, stripped", f"{stripped() / MEBI:.1f} MB", "25 MB"), ("start to serving, 100 groups", started(), "50 ms")]
    rows += asyncio.run(connected())
    text = "\n".join([f"- {datetime.date.today()}, `make bench-footprint`, Linux {os.uname().release}, {os.cpu_count()} cores", "", *table(rows)]) + "\n"
    print(text)
    keep(TITLE, text)


def table(rows):
    """What was measured, and what is aimed at."""
    return ["| what | measured | at most |", "| --- | --: | --: |", *(f"| {' | '.join(row)} |" for row in rows)]


def stripped():
    """Bytes of the binary without what only debuggers read."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sluice"
        subprocess.run(["strip", "-o", path, BINARY], check=True)
        return path.stat().st_size


def started():
    """Milliseconds until the first answer, with the fastest and the slowest of all starts."""
    took = sorted(first_answer() for _ in range(STARTS))
    return f"{statistics.median(took):.0f} ms ({took[0]:.0f} to {took[-1]:.0f})"


def first_answer():
    """Milliseconds from the start of the process to its first answer on the data port."""
    groups = [{"name": f"g{number}", "backends": [{"name": f"b{number}", "url": f"http://127.0.0.1:{port}"}]} for number, port in enumerate(range(20_000, 20_000 + GROUPS))]

    class Timed(Gateway):
        def _await_ready(self):
            while not answers(self.url):
                time.sleep(0.0005)

    gateway = Timed([], routingGroups=groups)
    begun = time.monotonic()
    with gateway:
        return (time.monotonic() - begun) * 1000


def answers(url):
    """Whether anybody does."""
    try:
        return wire.exchange("GET", f"{url}/v1/info")[0] == 200
    except OSError:
        return False


async def connected():
    """Rows about a gateway with many connections."""
    async with trino() as port:
        gateway = Gateway([{"name": "a", "url": f"http://127.0.0.1:{port}"}])
        # It waits for its backend, which answers on this loop.
        await asyncio.to_thread(gateway.__enter__)
        try:
            return await crowded(gateway)
        finally:
            await asyncio.to_thread(gateway.__exit__)


async def crowded(gateway):
    """Rows before, while all wait, and while some of them work."""
    before = resident(gateway)
    async with Clients(gateway.port) as clients:
        await clients.come(IDLE + BUSY)
        waiting, idle = resident(gateway), await share_of_a_core(gateway)
        polls = await clients.work(BUSY, LOOK)
        working = resident(gateway)
    return [
        ("resident before anybody came", f"{before / MEBI:.0f} MB", "–"),
        (f"{IDLE + BUSY:,} connections that wait: resident", f"{waiting / MEBI:.0f} MB", "–"),
        (f"{IDLE + BUSY:,} connections that wait: of a core", f"{idle:.2f}", "none busy"),
        (f"{IDLE:,} wait, {BUSY:,} poll ({polls / LOOK:,.0f} a second): largest resident", f"{max(working, peak(gateway)) / MEBI:.0f} MB", "250 MB"),
    ]


def told(gateway, name):
    """A line of what the kernel says of the process, in bytes."""
    lines = Path(f"/proc/{gateway.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def resident(gateway):
    """Bytes that are in memory now."""
    return told(gateway, "VmRSS")


def peak(gateway):
    """The most that ever were."""
    return told(gateway, "VmHWM")


async def share_of_a_core(gateway):
    """What the process used of one, over a while."""
    before = used(gateway)
    await asyncio.sleep(LOOK)
    return (used(gateway) - before) / LOOK


def used(gateway):
    """Seconds of a processor."""
    fields = Path(f"/proc/{gateway.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
