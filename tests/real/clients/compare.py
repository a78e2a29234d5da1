"""What a user sees through the gateway beside what the same client shows when it asks the coordinator itself."""

import json
from difflib import unified_diff

# Lines of a difference that are shown; a wrong million of rows is told by its first ones.
SHOWN = 60
# Letters of a line that are shown.
LONGEST = 2000


def assert_same(direct, through):
    """Both lists of observations are equal, in their order; else the difference is told in words."""
    if direct != through:
        told = list(unified_diff(lines(direct), lines(through), "direct", "through sluice", lineterm="", n=1))
        raise AssertionError("\n".join(line[:LONGEST] for line in told[:SHOWN]))


def lines(seen):
    """An observation a line; what it is called stands in each, so that a difference names it."""
    return [f"{each['see']}: {json.dumps(each['value'], ensure_ascii=False)}" for each in seen]
