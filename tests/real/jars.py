"""Java archives by a lock file: fetched by Maven by package name, checked by digest, once."""

import hashlib
import shutil
import subprocess

import cache
import java

# The newest one reads the poms of what it copies, and one of trino-jdbc's names a parent that Maven Central lacks.
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:2.8"


def folder(lock):
    """The folder with the archives that a lock file names, a line each: coordinates and SHA-256."""
    text = lock.read_bytes()
    name = f"jars-{lock.parent.name}-{hashlib.sha256(text).hexdigest()[:12]}"
    with cache.made_once(name) as half:
        if half:
            for line in text.decode().splitlines():
                fetch(*line.split(), half)
            # Maven's own plugins mostly; nobody needs them again.
            shutil.rmtree(half / "maven")
    return cache.ROOT / name


def fetch(coordinates, digest, into):
    """Fetches one archive, or fails if it is not the one that was locked."""
    command = [
        java.maven(), "-B", "-ntp", "-q", f"-Dmaven.repo.local={into / 'maven'}", f"{PLUGIN}:copy", f"-Dartifact={coordinates}",
        f"-DoutputDirectory={into}",
    ]
    done = subprocess.run([str(word) for word in command], cwd=into, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"Maven did not fetch {coordinates}:\n{(done.stdout + done.stderr)[-4000:]}")
    found = hashlib.sha256((into / named(coordinates)).read_bytes()).hexdigest()
    if found != digest:
        raise RuntimeError(f"{coordinates} is not what it was: {found}, not {digest}")


def named(coordinates):
    """The file name of an archive: `group:name:version[:jar:classifier]`."""
    _, name, version, *kind = coordinates.split(":")
    return "-".join([name, version, *kind[1:]]) + ".jar"
