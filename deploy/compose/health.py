#!/usr/bin/env python3
"""Asks every service of the stack whether it is ready; names those that are not, and exits 1 if there is one.

    health.py [--wait SECONDS]    ask again until all are, for so long
"""

import sys
import time

import stack

# Seconds between two rounds.
PAUSE = 2


def not_ready():
    """Who is not, and what it said."""
    wrong = {}
    for service, (name, path) in stack.READY.items():
        try:
            stack.get(name, path, timeout=3)
        except OSError as failure:
            wrong[service] = str(failure)
    return wrong


def main(words):
    """Says it; the exit status."""
    limit = float(words[1]) if words[:1] == ["--wait"] and len(words) == 2 else 0
    deadline = time.monotonic() + limit
    while (wrong := not_ready()) and time.monotonic() < deadline:
        time.sleep(PAUSE)
    for service in stack.READY:
        print(f"{service:<14} {wrong.get(service, 'ready')}")
    if wrong:
        print(f"not ready: {', '.join(wrong)}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
