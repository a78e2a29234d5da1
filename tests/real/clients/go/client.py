"""trino-go-client with `database/sql`. It takes no path before `/v1`: the driver refuses one."""

import hashlib
from pathlib import Path

import golang
from client import Client

HERE = Path(__file__).resolve().parent


class Go(Client):
    """A program built with the driver."""

    name = "trino-go-client v1.1.0"
    tasks = ("statements", "large", "spooled", "cancel", "transactions", "reading", "idle", "cold")
    prefix = False
    protocols = frozenset({"h2"})
    http1 = True

    def prepare(self):
        """Builds it; its own source is among the flags, so a change of it is another program."""
        digest = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(HERE.glob("*.go")))).hexdigest()[:12]
        flags = ["-ldflags", f"-s -w -X main.revision={digest}"]
        self._program = golang.programs(HERE, flags, {"client": "."}) / "client"

    def command(self, task):
        return [self._program, task]


CLIENTS = [Go()]
