"""Every Python file here is read by pyflakes: a name that nobody has imported would else show when its line first runs,
which may be half an hour into the tests."""

import sys

import pytest
from cache import REPOSITORY
from tools import run

FOLDERS = ("tests/real", "deploy")


def sources(folder):
    """Its Python files, also those that are commands without an ending."""
    for path in sorted((REPOSITORY / folder).rglob("*")):
        hidden = {"__pycache__", "node_modules", "target"} & set(path.relative_to(REPOSITORY).parts)
        if path.is_file() and not hidden and (path.suffix == ".py" or is_command(path)):
            yield str(path)


def is_command(path):
    """Whether it is a script of Python without an ending."""
    with open(path, "rb") as file:
        first = file.readline()
    return not path.suffix and first.startswith(b"#!") and b"python" in first


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_name_is_known_and_every_import_used(folder):
    """Nothing is said of any file."""
    found = list(sources(folder))
    assert found
    assert run(sys.executable, "-m", "pyflakes", *found) == (0, "")
