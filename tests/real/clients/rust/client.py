"""trino-rust-client and prusto: two programs of one cargo project of their own, which is no part of the gateway's workspace."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import cache
from cache import Missing
from client import Client

HERE = Path(__file__).resolve().parent
PROGRAMS = ("trino", "prusto")


class Rust(Client):
    """One of the programs."""

    tasks = ("statements", "large", "cold")
    prefix = False

    def __init__(self, name, program, protocol):
        self.name = name
        self.protocols = frozenset({protocol})
        self._program = program

    def prepare(self):
        """Builds both, once for each state of lock file and sources."""
        self._folder = built()

    def command(self, task):
        return [self._folder / self._program, task]


def built():
    """The folder with the programs."""
    digest = hashlib.sha256()
    for path in sorted([HERE / "Cargo.toml", HERE / "Cargo.lock", *HERE.glob("src/**/*.rs")]):
        digest.update(path.read_bytes())
    name = f"rust-clients-{digest.hexdigest()[:12]}"
    with cache.made_once(name) as half:
        if half:
            build(half)
    return cache.ROOT / name


def build(folder):
    """Leaves the programs in a folder; what cargo needs on the way is some hundreds of MB, and goes again."""
    cargo = shutil.which("cargo")
    if not cargo:
        raise Missing("the clients of Rust need cargo: install it")
    target = folder / "target"
    # Flags and places that the caller means for the gateway are not for these.
    environment = {name: value for name, value in os.environ.items() if name not in ("CARGO_TARGET_DIR", "RUSTFLAGS")}
    command = [cargo, "build", "--quiet", "--locked", "--target-dir", target]
    done = subprocess.run([str(word) for word in command], cwd=HERE, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"cargo ended with {done.returncode}:\n{(done.stdout + done.stderr)[-4000:]}")
    for program in PROGRAMS:
        shutil.copy(target / "debug" / program, folder / program)
    shutil.rmtree(target)


CLIENTS = [Rust("trino-rust-client 0.12.0", "trino", "http/1.1"), Rust("prusto 0.5.2", "prusto", "h2")]
