"""One size of one thing: what a poll and a statement cost a gateway that has so much of it, in instructions.

The gateway runs under callgrind, as in `tests/real/cost`, and only what its connections do for a request is counted: probes and sweeps go
on by the clock, whatever is asked. Counting begins when all that shall be there is there.
"""

import tempfile
import time
from pathlib import Path

import debian
import gateway
from callgrind import Counts
from costs import STEPS
from counted import Counted, first_poll
from one_page import Client, Coordinator

# So many that what only the first of them costs is lost among them.
REQUESTS = 100
# Under valgrind a thousand backends take their time to end, too.
gateway.STOP_LIMIT = 900
# Of the first group's first backend; each has an address of its own, all of which are this machine.
FIRST_ADDRESS = 0x7F010001


def address(number):
    """The address of the backend of that number."""
    return ".".join(str((FIRST_ADDRESS + number) >> shift & 255) for shift in (24, 16, 8, 0))


def configuration(port, groups=1, backends=2, rules=0):
    """Groups of so many backends, of which the last is the one that is asked for, by the last rule where there are any."""
    names = iter(range(groups * backends))
    urls = [[f"http://{address(next(names))}:{port}" for _ in range(backends)] for _ in range(groups)]
    listed = [
        {"name": f"g{group}", "backends": [{"name": f"b{group}-{place}", "url": url} for place, url in enumerate(members)]}
        for group, members in enumerate(urls)
    ]
    last = listed[-1]["name"]
    # A list of globs and a name each, as people write them; only the last holds.
    others = [rule(f"r{number}", {"source": [f"job-{number}-*", f"etl-{number}"], "user": f"u{number}"}, "g0") for number in range(rules - 1)]
    held = [rule("held", {"user": "alice"}, last)] if rules else []
    return {"routingGroups": listed, "defaultRoutingGroup": last, "rules": others + held}


def rule(name, when, group):
    """One of the configuration."""
    return {"name": name, "when": when, "routingGroup": group}


def until_seen(sluice, backends):
    """Waits until all were probed: with each that is, everybody takes a new snapshot and lets the old one go."""
    deadline = time.monotonic() + gateway.STOP_LIMIT
    # Not by its metrics: of a thousand groups one scrape takes longer, under valgrind, than all of their probes.
    while sum(map(is_up, sluice.lines().splitlines())) < backends:
        assert time.monotonic() < deadline, "not all of them were seen"
        time.sleep(1)


def is_up(line):
    """Whether a line of the log tells of a backend that was seen to be up."""
    return '"backend is healthy"' in line


def cost(what, queries=0, **sizes):
    """What a request of that kind costs, when so many queries are tracked."""
    with tempfile.TemporaryDirectory() as folder, Coordinator("0.0.0.0") as trino:
        profile = Path(folder) / "profile"
        under = (debian.program("valgrind"), "--tool=callgrind", f"--callgrind-out-file={profile}")
        settings = {"data": {"workers": 1}, "health": {"interval": "3600s", "timeout": "120s"}, **configuration(trino.port, **sizes)}
        with Counted([], under=under, **settings) as sluice:
            until_seen(sluice, len(settings["routingGroups"]) * len(settings["routingGroups"][0]["backends"]))
            # Not before: a connection that asks nothing for minutes is closed.
            with Client(sluice.port) as client:
                poll = first_poll(client)
                for _ in range(queries):
                    client.submit()
                sluice.forget()
                for _ in range(REQUESTS):
                    client.poll(poll) if what == "poll" else client.submit()
        counts = Counts.read(profile)
    assert all(counts.within[step] for step in STEPS), "a step has another name"
    return round(sum(counts.within[step] for step in STEPS) / REQUESTS)
