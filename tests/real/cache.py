"""Where what was fetched or built is kept: one folder, each thing in it under its version.

The folder is `.cache/` in the repository, or what SLUICE_CACHE names; it lies outside `target/`, so that
`cargo clean` keeps it, and it can be deleted at any time. Nothing in it is ever changed in place: a thing is
made in a folder of its own and gets its name when it is complete.
"""

import fcntl
import os
import shutil
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
ROOT = Path(os.environ.get("SLUICE_CACHE") or REPOSITORY / ".cache").resolve()


class Missing(Exception):
    """Something that only the machine can give is not there; says in words what."""


@contextmanager
def made_once(name):
    """Yields an empty folder to fill if ROOT/name is not there yet, else None; the first of several processes makes it."""
    ROOT.mkdir(parents=True, exist_ok=True)
    with open(ROOT / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (ROOT / name).is_dir():
            yield None
            return
        half = ROOT / f"{name}.half"
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir()
        yield half
        half.rename(ROOT / name)
