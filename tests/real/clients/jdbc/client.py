"""trino-jdbc in three versions: today's, the last before it asked for its server's version by `/v1/info`, and one without spooling.

One program, compiled against each of them.
"""

import hashlib
import os
import re
import subprocess
from pathlib import Path

import cache
import jars
import java
from client import Client

HERE = Path(__file__).resolve().parent
LOCK = HERE / "jars.txt"
# Small and quick to start: several run at once on two cores.
FLAGS = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]

# Schemas that other clients make for a while, on the same Trino at the same time: a word, and what is made up for a run.
OF_OTHERS = re.compile(r"\w+_[0-9a-f]{12}")


class Jdbc(Client):
    """One version of the driver."""

    tasks = ("statements", "large", "spooled", "cancel", "transactions", "reading", "idle", "cold")
    # What stands behind the port in its URL is a catalog.
    prefix = False
    protocols = frozenset({"h2"})
    http1 = True

    def __init__(self, version, trinos=("483",), full=False):
        self.name = f"trino-jdbc {version}"
        self.trinos = trinos
        self.full = full
        self._version = version
        self._command = None

    def prepare(self):
        """Fetches the drivers, and compiles the program against this one."""
        home = java.any_jdk()
        driver = jars.folder(LOCK) / jars.named(f"io.trino:trino-jdbc:{self._version}")
        sources = sorted(HERE.glob("*.java"))
        digest = hashlib.sha256(b"".join([LOCK.read_bytes(), *(source.read_bytes() for source in sources)]))
        name = f"jdbc-{self._version}-{digest.hexdigest()[:12]}"
        with cache.made_once(name) as half:
            if half:
                compiled(home, driver, sources, half)
        self._command = [home / "bin/java", *FLAGS, "-cp", f"{cache.ROOT / name}{os.pathsep}{driver}", "Program"]

    def command(self, task):
        return [*self._command, task]

    def run(self, *arguments, **options):
        """Without the schemas of others, which the driver lists as long as they are there."""
        return [without_others(each) for each in super().run(*arguments, **options)]


def without_others(observation):
    """A list of schemas as it is when nobody else is at work; any other observation as it is."""
    value = observation["value"]
    if not observation["see"].startswith("schemas") or "rows" not in value:
        return observation
    rows = [row for row in value["rows"] if not OF_OTHERS.fullmatch(str(row[0]))]
    return {**observation, "value": {**value, "count": len(rows), "rows": rows}}


def compiled(home, driver, sources, folder):
    """Compiles the program into a folder."""
    command = [home / "bin/javac", "-Xlint:all", "-Werror", "-proc:none", "-d", folder, "-cp", driver, *sources]
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"javac ended with {done.returncode}:\n{(done.stdout + done.stderr)[-4000:]}")


CLIENTS = [Jdbc("484", full=True), Jdbc("474"), Jdbc("436", trinos=("483", "435"))]
