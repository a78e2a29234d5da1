"""presto-client, which speaks with `X-Presto-*` headers, to a coordinator that has the alternate header name."""

from pathlib import Path

from client import loaded

HERE = Path(__file__).resolve().parent
Npm = loaded(HERE.parent / "node/client.py").Npm


class Presto(Npm):
    """The same way of running, and a program that shares how one speaks."""

    tasks = ("statements", "large", "cancel", "reading", "idle", "cold")


CLIENTS = [Presto("presto-client 1.2.0", HERE)]
