"""What docs/CLIENTS.md says that a client shows while a backend wakes in the modes `hold` and `reject`.

The page has a table with the columns `client`, `hold` and `reject`. A cell begins with `works` where the client waits
without knowing, else it quotes in backticks a part of what its user reads.
"""

import json
import re

from cache import REPOSITORY

PAGE = REPOSITORY / "docs/CLIENTS.md"
WORKS = "works"


def outcome(direct, through):
    """`works`, or the first thing that a user sees which is not as it should be."""
    if through == direct:
        return WORKS
    odd = [seen for seen, expected in zip(through, [*direct, *[None] * len(through)]) if seen != expected]
    return json.dumps(odd[0] if odd else "it ended early", ensure_ascii=False)


def check(client, mode, seen):
    """The page says what was seen."""
    cell = table(PAGE.read_text()).get(client, {}).get(mode)
    assert cell, f"{PAGE.name} does not say what {client} does in the mode {mode}; it was: {seen}"
    quoted = re.findall(r"`([^`]+)`", cell)
    agrees = seen == WORKS if cell.startswith(WORKS) else seen != WORKS and quoted and all(part in seen for part in quoted)
    assert agrees, f"{PAGE.name} says of {client} in the mode {mode}: {cell}\nseen: {seen}"


def table(page):
    """{client: {column: cell}} of the table whose head names the modes."""
    found, head = {}, None
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
        names = [cell.strip("`") for cell in cells]
        if {"client", "hold", "reject"} <= set(names):
            head = names
        elif not cells:
            head = None
        elif head and not set(line) <= set("|-: "):
            row = dict(zip(head, cells))
            found[row["client"]] = row
    return found
