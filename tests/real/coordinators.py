"""Real Trino coordinators: installed by Maven by package name, started as JVMs of their own, ended with us.

One JVM can hold several coordinators, each on its own port; that is far cheaper than one JVM each, so only the
tests that kill a coordinator give it a JVM for itself. No worker, no TLS, no password: the catalogs `tpch` and `memory`.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import cache
import java
import wire

HERE = Path(__file__).resolve().parent
# Seconds until a row comes: about 7 on an idle machine of two cores, over 200 seen with 30 at work on them.
START_LIMIT = 480

# The two are fast to start and small; the compiler that optimises most would pay off only in hours.
FRUGAL = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]


@dataclass(frozen=True)
class Release:
    """What differs between the Trinos that we start."""

    version: str
    find_java: object
    flags: tuple
    # Properties of every coordinator of that release.
    properties: tuple


RELEASES = {
    "483": Release(
        "483", java.jdk25,
        ("--add-modules=jdk.incubator.vector", "--sun-misc-unsafe-memory-access=allow"), ("spool=json+zstd",),
    ),
    "435": Release("435", java.java17, ("-Djdk.attach.allowAttachSelf=true",), ()),
}
FORWARDED = "http-server.process-forwarded=true"


def install(version):
    """Fetches a Trino and compiles its fixture unless that was done; returns (java, class path)."""
    release = RELEASES[version]
    source = HERE / f"trino-{version}"
    home = release.find_java()
    digest = hashlib.sha256()
    for path in (source / "pom.xml", source / "Fixture.java"):
        digest.update(path.read_bytes())
    name = f"trino-{version}-{digest.hexdigest()[:12]}"
    with cache.made_once(name) as folder:
        if folder:
            class_path = resolve(source, folder)
            compile_fixture(home, source, class_path, folder)
    made = cache.ROOT / name
    return home / "bin/java", f"{made / 'classes'}{os.pathsep}{(made / 'classpath').read_text()}"


def resolve(source, folder):
    """Lets Maven fetch the jars into the cache, and saves their paths: a warm start needs no Maven."""
    # Each release has its own repository: two Mavens at once in one disturb each other.
    command = [
        java.maven(), "-B", "-ntp", "-q", "-f", source / "pom.xml", f"-Dmaven.repo.local={cache.ROOT / source.name}-jars",
        "-Dmaven.artifact.threads=16", "dependency:build-classpath", f"-Dmdep.outputFile={folder / 'classpath'}",
    ]
    run([str(word) for word in command], folder / "maven.log")
    return (folder / "classpath").read_text()


def compile_fixture(home, source, class_path, folder):
    """Compiles the one class that starts coordinators."""
    command = [home / "bin/javac", "-nowarn", "-proc:none", "-d", folder / "classes", "-cp", class_path, source / "Fixture.java"]
    run([str(word) for word in command], folder / "javac.log")


def run(command, log):
    """Runs a command to its end; its output is shown only when it fails."""
    with open(log, "w") as out:
        status = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT).returncode
    if status != 0:
        raise RuntimeError(f"{command[0]} failed with status {status}:\n{log.read_text()[-4000:]}")


class Coordinators:
    """One JVM with one or more coordinators, each a tuple of Trino properties beyond those of its release."""

    def __init__(self, version, coordinators, heap="1500m"):
        self.version = version
        self.java, self.class_path = install(version)
        self.ports = wire.free_ports(len(coordinators))
        self.urls = [f"http://127.0.0.1:{port}" for port in self.ports]
        self._arguments = [
            ",".join([str(port), *RELEASES[version].properties, *properties])
            for port, properties in zip(self.ports, coordinators)
        ]
        self._folder = Path(tempfile.mkdtemp(prefix=f"trino-{version}-"))
        self._heap = heap
        self._process = None

    def command(self):
        """What runs the JVM; it ends when its standard input does."""
        command = [
            self.java, f"-Xmx{self._heap}", *FRUGAL, *RELEASES[self.version].flags, f"-Djava.io.tmpdir={self._folder}",
            "-cp", self.class_path, "Fixture", *self._arguments,
        ]
        return [str(word) for word in command]

    def start(self):
        """Starts the JVM without waiting for it."""
        log = open(self._folder / "log", "ab")
        # We hold the other end, so it never outlives us.
        self._process = subprocess.Popen(self.command(), stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=self._folder)
        log.close()
        return self

    def ready(self):
        """Waits until every coordinator has answered with a row; `starting: false` is said before the catalogs are there."""
        deadline = time.monotonic() + START_LIMIT
        for url in self.urls:
            while not self.answers(url):
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"Trino {self.version} did not start at {url}:\n{self.log()}")
                time.sleep(0.2)
        return self

    def answers(self, url):
        """Whether that one gives a row."""
        return wire.answers(url)

    def kill(self):
        """Ends the JVM as a crash would; the ports stay ours for the next start."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process.stdin.close()
            self._process = None

    def stop(self):
        """Ends the JVM and removes what it wrote."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def log(self):
        """The end of what the JVM printed."""
        return (self._folder / "log").read_text(errors="replace")[-4000:]

    def __enter__(self):
        try:
            return self.start().ready()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()
