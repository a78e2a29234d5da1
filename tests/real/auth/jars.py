"""Trino's Java clients, by Maven from Maven Central: the JDBC driver with the class that asks by it, and the CLI."""

import hashlib
import subprocess
from pathlib import Path

import cache
import java

SOURCE = Path(__file__).resolve().parent / "jdbc/Ask.java"
DRIVER = "io.trino:trino-jdbc:484"
# The last executable jar on Maven Central.
CLI = "io.trino:trino-cli:476:jar:executable"
# A newer one wants the driver's parent, which names a package that is not there.
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:2.8:copy"


def fetched(coordinates):
    """The path of a jar that brings all that it needs."""
    _, artifact, version, *_ = coordinates.split(":")
    name = f"{artifact}-{version}"
    with cache.made_once(name) as half:
        if half:
            run([
                java.maven(), "-B", "-ntp", "-q", PLUGIN, f"-Dartifact={coordinates}", f"-DoutputDirectory={half}",
                "-Dmdep.stripVersion=true", "-Dmdep.stripClassifier=true", f"-Dmaven.repo.local={cache.ROOT / 'clients-jars'}",
            ])
    return cache.ROOT / name / f"{artifact}.jar"


def asker():
    """The command that asks by JDBC."""
    home, driver = java.java17(), fetched(DRIVER)
    name = f"ask-{hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:12]}"
    with cache.made_once(name) as half:
        if half:
            run([home / "bin/javac", "-d", half, SOURCE])
    return [home / "bin/java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{cache.ROOT / name}:{driver}", "Ask"]


def cli():
    """The command that the CLI is."""
    return [java.java17() / "bin/java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-jar", fetched(CLI)]


def run(command):
    """Runs a command to its end; its output is shown only when it fails."""
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed with status {done.returncode}:\n{(done.stdout + done.stderr)[-4000:]}")
