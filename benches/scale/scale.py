#!/usr/bin/env python3
"""How the cost of a request grows with what a gateway has: queries, groups, backends, rules. Counted, not timed.

    scale.py [SIZES]    writes the section of `benches/RESULTS.md` and `benches/scale/scale.svg`; SIZES are 1,10,100,1000 if not given

It needs the binary of the tests (`make gateway`) and valgrind.
"""

import datetime
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
REAL = HERE.parents[1] / "tests/real"
sys.path[:0] = [str(REAL), str(REAL / "cost"), str(HERE.parent)]

import told
from measured import cost
from sections import keep

TITLE = "Scale, counted"
SIZES = "1,10,100,1000"
# What grows, what is asked for, and the name of its number.
SERIES = {
    "a poll, queries tracked": ("poll", "queries"),
    "a poll, groups": ("poll", "groups"),
    "a poll, backends of a group": ("poll", "backends"),
    "a statement, groups": ("statement", "groups"),
    "a statement, backends of a group": ("statement", "backends"),
    "a statement, rules before the one that holds": ("statement", "rules"),
}
# Ten for one: a gateway without queries tells nothing.
TIMES = {"queries": 10}
# With one backend there is nothing to find and nothing to choose from.
OTHERS = {"groups": {"backends": 1}, "backends": {"groups": 2}}


def measure(sizes):
    """{what grows: [(number, instructions), …]}."""
    results = {}
    for name, (what, number) in SERIES.items():
        grown = [size * TIMES.get(number, 1) for size in sizes]
        results[name] = [(size, cost(what, **{**OTHERS.get(number, {}), number: size})) for size in grown]
        print(f"{name}: {results[name]}", file=sys.stderr, flush=True)
    return results


def main(words):
    """Measures, prints, keeps."""
    sizes = words[0] if words else SIZES
    results = measure([int(size) for size in sizes.split(",")])
    table = told.table(results)
    print(table)
    (HERE / "scale.svg").write_text(told.plot(results))
    how = f"- {datetime.date.today()}, `make bench-scale SIZES={sizes}`: instructions, by callgrind, of the profile of the tests"
    keep(TITLE, f"{how}\n\n{table}\n\n![Instructions of a request by what there is](scale/scale.svg)\n")


if __name__ == "__main__":
    main(sys.argv[1:])
