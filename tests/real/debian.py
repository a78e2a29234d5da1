#!/usr/bin/env python3
"""Installs Debian packages, where that needs nobody's leave.

    debian.py PROGRAM...    install what of these programs is missing; says in words what could not be
"""

import os
import shutil
import subprocess
import sys
import threading

from cache import Missing

# Where the package has another name than its program.
PACKAGES = {"nginx": "nginx-light"}
# Programs for daemons are not in everybody's PATH.
SEARCHED = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])


# apt refuses to run twice at once.
ALONE = threading.Lock()


def program(name, package=None):
    """The path of a program, installed where it is missing; `package` where that bears another name."""
    package = package or PACKAGES.get(name, name)
    found = shutil.which(name, path=SEARCHED)
    if not found and install(package):
        found = shutil.which(name, path=SEARCHED)
    if not found:
        raise Missing(f"{name} is missing (Debian: {package}): install it")
    return found


def install(package):
    """Installs a Debian package where that needs nobody's leave; whether it worked."""
    if not shutil.which("apt-get") or os.geteuid() != 0:
        return False
    with ALONE:
        return apt_get(package)


def apt_get(package):
    """Lets apt read the current lists and install; whether both worked."""
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", package]
    for step in (["apt-get", "update", "-q"], command):
        # apt's own words go to standard error: standard output is for what a command was asked for.
        if subprocess.run(step, env=quiet, stdin=subprocess.DEVNULL, stdout=2).returncode != 0:
            return False
    return True


def main(programs):
    """Installs what is missing; the number of programs that still are."""
    missing = [program for program in programs if not shutil.which(program, path=SEARCHED)]
    failures = [program for program in missing if not install(PACKAGES.get(program, program))]
    for program in failures:
        print(f"{program} is missing (Debian: {PACKAGES.get(program, program)}): install it", file=sys.stderr)
    return len(failures)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
