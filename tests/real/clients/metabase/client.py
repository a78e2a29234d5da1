"""Metabase's SQL and calls, replayed with the JDBC driver: Metabase itself is not run."""

import hashlib
import os
from pathlib import Path

import cache
import jars
import java
from client import Client, loaded

HERE = Path(__file__).resolve().parent
JDBC = HERE.parent / "jdbc"
# How one speaks and connects is shared with the JDBC client.
SOURCES = [*sorted(HERE.glob("*.java")), *(JDBC / f"{name}.java" for name in ("Json", "See", "Target"))]
DRIVER = "io.trino:trino-jdbc:484"


class Metabase(Client):
    """A program of its own, compiled with three classes of the JDBC client."""

    name = "Metabase's calls"
    tasks = ("statements", "cancel", "cold")
    prefix = False
    protocols = frozenset({"h2"})
    http1 = True

    def prepare(self):
        """Fetches the driver and compiles the program."""
        jdbc = loaded(JDBC / "client.py")
        home = java.any_jdk()
        driver = jars.folder(jdbc.LOCK) / jars.named(DRIVER)
        digest = hashlib.sha256(b"".join([jdbc.LOCK.read_bytes(), *(source.read_bytes() for source in SOURCES)]))
        name = f"metabase-{digest.hexdigest()[:12]}"
        with cache.made_once(name) as half:
            if half:
                jdbc.compiled(home, driver, SOURCES, half)
        self._command = [home / "bin/java", *jdbc.FLAGS, "-cp", f"{cache.ROOT / name}{os.pathsep}{driver}", "Metabase"]

    def command(self, task):
        return [*self._command, task]


CLIENTS = [Metabase()]
