#!/usr/bin/env python3
"""The Python that runs the tests: a virtual environment in the cache for each pinned list, filled from it.

    interpreter.py [LIST]    print its path; without a list, of the client tests
"""

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

import cache
from cache import Missing
from debian import install

HERE = Path(__file__).resolve().parent
# The official client and pytest; what reads the gateway's signals; what checks deploy/; what drives a browser.
CLIENTS = HERE / "requirements.txt"
READERS = HERE / "observability/requirements.txt"
CHECKERS = HERE / "deploy/requirements.txt"
BROWSERS = HERE / "ui/requirements.txt"
# The oldest that the pinned packages run on.
OLDEST = (3, 10)


def interpreter(requirements=CLIENTS):
    """The path of a Python that has what the list names, made if it is not there yet."""
    if sys.version_info < OLDEST:
        raise Missing(f"the tests need Python {OLDEST[0]}.{OLDEST[1]} or newer, this is {sys.version.split()[0]}")
    digest = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = cache.ROOT / f"python-{digest}"
    with cache.made_once(folder.name) as half:
        if half:
            fill(half, "-r", requirements)
    return folder / "bin/python"


def fill(folder, *wanted):
    """Makes an environment with what pip's words name; pip is run by its path, so the folder may be renamed afterwards."""
    try:
        venv.create(folder, with_pip=True)
    except subprocess.CalledProcessError:
        # Debian splits what makes environments off from Python.
        if not install("python3-venv"):
            raise Missing("the tests need Python's venv module (Debian: python3-venv): install it") from None
        venv.create(folder, with_pip=True, clear=True)
    command = [folder / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted]
    subprocess.run([str(word) for word in command], check=True, stdin=subprocess.DEVNULL, stdout=2)


if __name__ == "__main__":
    print(interpreter(*(Path(word).resolve() for word in sys.argv[1:])))
