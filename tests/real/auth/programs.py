"""Trino's Java clients as commands: the JDBC driver with the class that asks by it, and the command line."""

import hashlib
import subprocess
from pathlib import Path

import cache
import jars
import java

HERE = Path(__file__).resolve().parent
SOURCE = HERE / "jdbc/Ask.java"
# The archives are those of the tests of clients.
CLIENTS = HERE.parent / "clients"
DRIVER = "io.trino:trino-jdbc:484"
CLI = "io.trino:trino-cli:476:jar:executable"
# They run for a second or two: the compiler that optimises most would pay off only in hours.
FRUGAL = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]


def asker():
    """The command that asks by JDBC."""
    home, driver = java.any_jdk(), jars.folder(CLIENTS / "jdbc/jars.txt") / jars.named(DRIVER)
    name = f"ask-{hashlib.sha256(SOURCE.read_bytes() + str(home).encode()).hexdigest()[:12]}"
    with cache.made_once(name) as half:
        if half:
            compile_asker(home, half)
    return [home / "bin/java", *FRUGAL, "-cp", f"{cache.ROOT / name}:{driver}", "Ask"]


def compile_asker(home, folder):
    """Compiles the one class; javac's words are shown only when it fails."""
    command = [str(word) for word in (home / "bin/javac", "-d", folder, SOURCE)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"javac failed with status {done.returncode}:\n{(done.stdout + done.stderr)[-4000:]}")


def cli():
    """The command line's command."""
    return [java.any_jdk() / "bin/java", *FRUGAL, "-jar", jars.folder(CLIENTS / "cli/jars.txt") / jars.named(CLI)]
