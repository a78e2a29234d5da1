"""What a poll and a statement cost, of each kind: no more, and no less, than when somebody last looked.

`baseline.json` has what was counted last; `SLUICE_BLESS=1` writes it anew.
"""

import json
import os
from pathlib import Path

import pytest
import stores
from costs import Kind, rules
from lacking import begun

BASELINE = Path(__file__).parent / "baseline.json"
# What may be lost or won before somebody must look; two runs differ by a hundredth, more where so many others want the
# processor that messages come in pieces. What was lost is lost each time.
SPAN = 0.05
# Of a part: the compiler draws the line between two functions anew where anything else in the crate changes.
SPAN_OF_A_PART = 0.25
# Allocations more or fewer, since a look or two at the configuration is among them.
SPAN_OF_ALLOCATIONS = 3
ATTEMPTS = 3
PAGE = {"the page's head": "sluice::trino::page::Reader::feed"}
POLL = {
    "the request's head": "sluice::proxy::connection::one_by_one::heard::read",
    "what every request opens": "sluice::proxy::routes::open",
    "the request to the coordinator": "sluice::proxy::upstream::line::asked::asked",
    "the answer's head": "sluice::proxy::upstream::line::head::read",
    **PAGE,
    "the answer to the client": "sluice::proxy::connection::one_by_one::told::write",
}
STATEMENT = {
    "the decision": "sluice_routing::decide::decide",
    "the lines of the log": "tracing_core::event::Event::dispatch",
    "the query's place in the table": "sluice::queries::table::Table::insert",
}
# Some 100 KB, of which a third is left when it is compressed.
ROWS = 1500


def submit(client, _):
    """One more statement."""
    client.submit()


A_POLL = Kind("a poll", POLL, few=300, more=1300, allocations=True)
KINDS = [
    A_POLL,
    Kind("a poll of a page in gzip", PAGE, rows=ROWS, coding="gzip"),
    Kind("a poll of a page in zstd", PAGE, rows=ROWS, coding="zstd"),
    Kind("a statement", STATEMENT, submit),
    Kind("a statement behind 200 rules", STATEMENT, submit, settings={"rules": rules(200)}),
]
# What a poll of a gateway with a store may cost beside one without: its heartbeat and its reads of the fleet go on meanwhile,
# a poll itself asks nobody.
WITH_STORE = 1.1


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_it_costs_what_it_did(tmp_path, kind):
    """No sum has moved by more than a twentieth, and no part by a quarter."""
    for attempt in range(ATTEMPTS):
        figures = kind.cost(tmp_path / str(attempt))
        if os.environ.get("SLUICE_BLESS"):
            bless(kind, figures)
        known = json.loads(BASELINE.read_text())[kind.name]
        moved = {name: (known.get(name), figure) for name, figure in figures.items() if not is_near(kind, name, figure, known.get(name, 0))}
        if not moved:
            break
    print("\n".join(f"{name}: {figure}" for name, figure in figures.items()))
    assert not moved, "was, is; SLUICE_BLESS=1 writes what is, and the reason belongs into the commit"
    assert known.keys() == figures.keys()


def bless(kind, figures):
    """Writes down what is."""
    all_known = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    BASELINE.write_text(json.dumps(all_known | {kind.name: figures}, indent=2) + "\n")


def is_near(kind, name, figure, known):
    """Whether a figure is what it was."""
    if name == "allocations":
        return abs(figure - known) <= SPAN_OF_ALLOCATIONS
    return abs(figure - known) <= (SPAN_OF_A_PART if name in kind.parts else SPAN) * known


def test_a_poll_with_a_store_costs_a_tenth_more_at_most(tmp_path):
    """Beside what was counted without, here and now."""
    program = begun(stores.redis)
    for attempt in range(ATTEMPTS):
        folder = tmp_path / str(attempt)
        alone = A_POLL.whole(folder / "alone")
        with stores.shared(program, tmp_path) as store:
            shared = A_POLL.whole(folder / "shared", store)
        print(f"instructions of a poll: {alone:.1f}, with a store {shared:.1f}: x {shared / alone:.3f}")
        if shared <= WITH_STORE * alone:
            break
    assert shared <= WITH_STORE * alone
