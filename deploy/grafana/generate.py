#!/usr/bin/env python3
"""Writes the dashboards.

    generate.py            write dashboards/*.json
    generate.py --check    say which file is not what would be written; exit 1 if there is one
"""

import json
import sys
from pathlib import Path

from boards import capacity, infrastructure, overview, pipeline, statements

FOLDER = Path(__file__).resolve().parent / "dashboards"
BOARDS = [board.BOARD for board in (overview, capacity, pipeline, statements, infrastructure)]


def files():
    """Each file with what belongs in it."""
    return {FOLDER / f"{board['uid']}.json": json.dumps(board, indent=2) + "\n" for board in BOARDS}


def main(words):
    """Writes, or says what differs; the exit status."""
    if words == []:
        for path, text in files().items():
            path.write_text(text)
        return 0
    if words == ["--check"]:
        wanted = files()
        there = set(FOLDER.glob("*.json"))
        wrong = [path for path, text in wanted.items() if path not in there or path.read_text() != text]
        wrong += there - set(wanted)
        for path in sorted(wrong):
            print(f"{path.name} is not what generate.py writes", file=sys.stderr)
        return 1 if wrong else 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
