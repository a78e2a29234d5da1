"""What stands on a screen after all that was painted, without what is different each time."""

import re

CONTROL = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])|\x1b[=>]|(\r)|(\n)|([^\x1b\r\n]+)")
# Below a result stand its measures, which are different each time.
MEASURED = re.compile(r"^(?:Splits:|CPU Time:|Per Node:|Parallelism:|Peak |Spilled|\d+[.:]\d+ \[).*")
# A line without a terminal's movements shows each step of a query that takes long enough.
STEP = re.compile(r"^Query \S+ \[[A-Z]+\] ")


def screen(painted):
    """The lines that stand there after all cursor movements that the command line makes; measures without their numbers."""
    lines, row, new = [""], 0, True
    for parameter, letter, back, down, text in CONTROL.findall(painted):
        if letter == "A":
            row = max(0, row - int(parameter or 1))
        elif letter == "J":
            del lines[row + 1 :]
            lines[row] = ""
        elif letter == "K" and parameter == "2":
            lines[row] = ""
        elif back:
            new = True
        elif down:
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif text:
            lines[row] = text if new else lines[row] + text
            new = False
    return [MEASURED.sub("<measure>", line.rstrip()) for line in lines if not STEP.match(line)]
