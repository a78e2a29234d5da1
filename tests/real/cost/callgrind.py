"""What valgrind's tool callgrind has counted of a program: instructions of each function, and how often which one was called.

Its format is described at valgrind's own "Callgrind Format Specification": a name is written once and then meant by its
number, costs stand on lines of their own, and the line after `calls=` is what those calls cost in all.
"""

import re
from collections import Counter
from dataclasses import dataclass, field

# `fn=(12) name` for the first time, `fn=(12)` from then on.
NAME = re.compile(r"\((\d+)\)(?: (.*))?")
# Where, absolutely or from the line before, and how many.
COST = re.compile(r"[-+*\d]\S* \d+")
# Of a function that calls itself, callgrind tells the depths apart.
DEPTH = re.compile(r"'\d+$")


@dataclass
class Counts:
    """Instructions in all; of each function with all that it calls; and calls of each."""

    instructions: int = 0
    within: Counter = field(default_factory=Counter)
    calls: Counter = field(default_factory=Counter)

    @classmethod
    def read(cls, file):
        """What a file of callgrind says."""
        counts, names = cls(), {}
        caller = callee = None
        for line in file.read_text(errors="replace").splitlines():
            key, _, rest = line.partition("=")
            if key in ("fn", "cfn"):
                number, name = NAME.match(rest).groups()
                names.setdefault(number, DEPTH.sub("", name or ""))
                caller, callee = (names[number], None) if key == "fn" else (caller, names[number])
            elif key == "calls":
                counts.calls[callee] += int(rest.split()[0])
            elif COST.match(line):
                cost = int(line.split()[1])
                counts._add(cost, caller, callee)
                callee = None
        return counts

    def _add(self, cost, caller, callee):
        if callee is None:
            self.instructions += cost
            self.within[caller] += cost
        elif callee != caller:
            self.within[caller] += cost

    def __sub__(self, other):
        """What came since."""
        since = Counts(self.instructions - other.instructions)
        for mine, theirs, left in ((self.within, other.within, since.within), (self.calls, other.calls, since.calls)):
            left.update({name: count - theirs[name] for name, count in mine.items()})
        return since
