"""What one poll of a page of 1 KB costs the gateway: instructions and allocations, counted, so that no other load changes them.

A thousand polls more cost so much more: what a start and an end cost falls out. `baseline.json` has what was counted last;
`SLUICE_BLESS=1` writes it anew. Counted is the binary of the tests, without what only a release's linker does.
"""

import json
import os
from pathlib import Path

import debian
import pytest
import stores
from callgrind import Counts
from counted import Counted, first_poll
from lacking import begun
from one_page import Client, Coordinator

BASELINE = Path(__file__).parent / "baseline.json"
FEW, MORE = 300, 1300
# What may be lost or won before somebody must look; two runs differ by a hundredth, more where so many others want the
# processor that messages come in pieces. What was lost is lost each time.
SPAN = 0.05
# Of a part: the compiler draws the line between two functions anew where anything else in the crate changes.
SPAN_OF_A_PART = 0.25
ATTEMPTS = 3
# The costliest steps of a poll, each watched by itself: a gain in one must not hide a loss in another.
PARTS = {
    "the request's head": "sluice::proxy::connection::one_by_one::heard::read",
    "what every request opens": "sluice::proxy::routes::open",
    "the request to the coordinator": "sluice::proxy::upstream::line::asked::asked",
    "the answer's head": "sluice::proxy::upstream::line::head::read",
    "the page's head": "sluice::trino::page::Reader::feed",
    "the answer to the client": "sluice::proxy::connection::one_by_one::told::write",
}
# What a poll of a gateway with a store may cost beside one without: its heartbeat and its reads of the fleet go on meanwhile,
# a poll itself asks nobody.
WITH_STORE = 1.1
CONNECTIONS = "gateway_store_connections_active"
ALLOCATING = ("malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc")


def cost(folder, store=None):
    """What a poll costs, by name; `store` as of `settings`."""
    few, more = [count(polls, folder / str(polls), store) for polls in (FEW, MORE)]
    since = more - few
    each = {"instructions": since.instructions, "allocations": sum(since.calls[name] for name in ALLOCATING)}
    each |= {name: since.within[function] for name, function in PARTS.items()}
    return {name: round(count / (MORE - FEW), 1) for name, count in each.items()}


def count(polls, folder, store=None):
    """So many polls by one client of a gateway that does nothing else but what a store asks of it."""
    folder.mkdir(parents=True)
    profile = folder / "profile"
    under = (debian.program("valgrind"), "--tool=callgrind", f"--callgrind-out-file={profile}")
    with Coordinator() as trino:
        # Probed once, and with a name of another kind for the second backend, whose marker then stands in the paths.
        backends = [{"name": name, "url": f"http://{host}:{trino.port}"} for name, host in (("a", "127.0.0.1"), ("b", "localhost"))]
        settings = {"data": {"workers": 1}, "health": {"interval": "600s", "timeout": "60s"}, **({"store": store} if store else {})}
        with Counted(backends, under=under, **settings) as sluice, Client(sluice.port) as client:
            poll = first_poll(client)
            for _ in range(polls):
                client.poll(poll)
            assert not store or sluice.samples(CONNECTIONS) >= 1
    return Counts.read(profile)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What a poll costs a gateway that shares nothing."""
    return cost(tmp_path_factory.mktemp("alone"))


def test_a_poll_costs_what_it_did(tmp_path, alone):
    """Neither sum has moved by more than a twentieth, and no part by a quarter."""
    if os.environ.get("SLUICE_BLESS"):
        BASELINE.write_text(json.dumps(alone, indent=2) + "\n")
    known = json.loads(BASELINE.read_text())
    for attempt in range(ATTEMPTS):
        figures = cost(tmp_path / str(attempt)) if attempt else alone
        moved = {name: (known.get(name), figure) for name, figure in figures.items() if not is_near(name, figure, known.get(name, 0))}
        if not moved:
            break
    print("\n".join(f"{name}: {figure}" for name, figure in figures.items()))
    assert not moved, "was, is; SLUICE_BLESS=1 writes what is, and the reason belongs into the commit"
    assert known.keys() == figures.keys()


def is_near(name, figure, known):
    """Whether a figure is what it was; of allocations, half a one may differ, since tables grow now and then."""
    span = SPAN_OF_A_PART if name in PARTS else SPAN
    return abs(figure - known) <= max(span * known, 0.5)


def test_a_poll_with_a_store_costs_a_tenth_more_at_most(tmp_path, alone):
    """Beside what was counted without, here and now."""
    program = begun(stores.redis)
    for attempt in range(ATTEMPTS):
        with stores.shared(program, tmp_path) as store:
            shared = cost(tmp_path / str(attempt), store)
        ratio = shared["instructions"] / alone["instructions"]
        print(f"instructions of a poll: {alone['instructions']}, with a store {shared['instructions']}: x {ratio:.3f}")
        if ratio <= WITH_STORE:
            break
    assert ratio <= WITH_STORE
