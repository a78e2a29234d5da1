#!/usr/bin/env python3
"""From a POST to KEDA, and to KEDA's write of the count: many rounds, their p50, p99 and greatest.

    bench.py [ROUNDS]    50 rounds of a Deployment from 0 to 1 and back, about 4 s each

The target is p50 of at most 20 ms and p99 of at most 50 ms to the frame; a missed one is told, and is no failure of the
program: other work on the machine shows in it.
"""

import math
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cluster import Cluster
from rounds import Round, Workers
from scalers import Scalers
from scaling import ScalingGateway, simulator

ROUNDS = 50
# Seconds to the frame: what facts and issue promise.
TARGETS = {0.5: 0.020, 0.99: 0.050}


def main(words):
    """Plays the rounds and prints their times."""
    rounds = int(words[0]) if words else ROUNDS
    with tempfile.TemporaryDirectory() as folder, Cluster() as cluster:
        coordinator = simulator(Path(folder))
        try:
            with ScalingGateway([{"name": "trino", "url": coordinator.url}]) as gateway, Scalers(Path(folder)) as keda:
                report(play(cluster, gateway.known(), keda, rounds))
        finally:
            coordinator.kill()
    return 0


def play(cluster, gateway, keda, rounds):
    """{what: seconds of each round}."""
    times = {"frame": [], "write": [], "event": [], "seen": []}
    trigger = gateway.trigger("push")
    # A stream of KEDA's client beside the operator's own: the operator does not say when a frame has come.
    with keda.make(trigger) as stream:
        # Open before the workers' own is counted.
        stream.run().next_push(0)
        play_on(cluster, gateway, stream, rounds, times)
    return times


def play_on(cluster, gateway, stream, rounds, times):
    """The rounds, on an open stream."""
    with Workers(cluster, gateway) as workers:
        for _ in range(rounds):
            played = Round(workers, gateway)
            first = next(push for push in stream.pushes() if push.at > played.statement.at)
            assert first.active
            times["frame"].append(first.at - played.statement.at)
            for name in ("write", "event", "seen"):
                times[name].append(getattr(played, name))
            played.finish()
            print(f"\r{len(times['frame'])} of {rounds}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)


def report(times):
    """A table, and whether the targets were met."""
    words = {
        "frame": "POST to KEDA's client: active", "write": "POST to KEDA's write accepted",
        "event": "POST to KEDA's event of it", "seen": "POST to a watch of the Deployment",
    }
    print(f"{'milliseconds, ' + str(len(times['frame'])) + ' rounds':<36}{'p50':>8}{'p99':>8}{'max':>8}")
    for name, values in times.items():
        shown = [quantile(values, 0.5), quantile(values, 0.99), max(values)]
        print(f"{words[name]:<36}" + "".join(f"{1000 * each:>8.1f}" for each in shown))
    for share, limit in TARGETS.items():
        reached = quantile(times["frame"], share)
        print(f"p{share * 100:.0f} to the frame: {1000 * reached:.1f} ms, {'within' if reached <= limit else 'MISSED:'} {1000 * limit:.0f} ms")


def quantile(values, share):
    """The smallest value that so many of them do not exceed."""
    ordered = sorted(values)
    return ordered[math.ceil(share * len(ordered)) - 1]


if __name__ == "__main__":
    begun = time.monotonic()
    status = main(sys.argv[1:])
    print(f"{time.monotonic() - begun:.0f} s in all", file=sys.stderr)
    sys.exit(status)
