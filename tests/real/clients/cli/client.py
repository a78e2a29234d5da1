"""trino-cli 476, the last whose executable archive is on Maven Central."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import cache
import jars
import java
from client import Client

HERE = Path(__file__).resolve().parent
LOCK = HERE / "jars.txt"
# Small and quick to start: every call is a JVM.
FLAGS = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
# The discard port: an error that is told exercises most of what a start loads.
NOBODY = ("http://127.0.0.1:9", "--client-request-timeout=1s", "--execute", "SELECT 1")


class Cli(Client):
    """The command line, driven by a program as its users do: in batches, by files, in a terminal."""

    name = "trino-cli 476"
    tasks = ("statements", "large", "spooled", "cancel", "transactions", "reading", "idle", "cold")
    # What stands behind the port in its URL is a catalog.
    prefix = False
    protocols = frozenset({"h2"})

    def prepare(self):
        """Fetches it, and lets Java write down what its start comes to: each call is a start, and takes a third less then."""
        self._java = java.any_jdk() / "bin/java"
        self._archive = jars.folder(LOCK) / jars.named("io.trino:trino-cli:476:jar:executable")
        name = f"cli-start-{hashlib.sha256(LOCK.read_bytes() + str(self._java).encode()).hexdigest()[:12]}"
        with cache.made_once(name) as half:
            if half:
                command = [self._java, *FLAGS, f"-XX:ArchiveClassesAtExit={half / 'classes.jsa'}", "-jar", self._archive, *NOBODY]
                subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, timeout=300)
        # Java ignores what it cannot use.
        self._flags = [*FLAGS, "-Xshare:auto", f"-XX:SharedArchiveFile={cache.ROOT / name / 'classes.jsa'}", "-Xlog:disable", "-Xlog:all=error:stderr"]

    def command(self, task):
        return [sys.executable, HERE / "program.py", task]

    @property
    def environment(self):
        """What the program starts."""
        return {"CLIENT_COMMAND": json.dumps([str(word) for word in (self._java, *self._flags, "-jar", self._archive)])}


CLIENTS = [Cli()]
