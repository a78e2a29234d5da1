#!/usr/bin/env python3
"""Writes prometheus-rule.yaml: the rules of ../prometheus/alerts, word for word, as one object of the Prometheus Operator.

    generate.py            write it
    generate.py --check    say whether it is not what would be written; exit 1 then
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
RULES = HERE.parent / "prometheus/alerts"
WRITTEN = HERE / "prometheus-rule.yaml"
HEAD = """\
# Written by generate.py from ../prometheus/alerts; change those.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: sluice
  namespace: gateways
  labels:
    app.kubernetes.io/name: sluice
spec:
  groups:
"""


def groups(file):
    """The lines below `groups:`, one level deeper."""
    _, _, below = file.read_text().partition("\ngroups:\n")
    return "".join(f"  {line}\n" for line in below.splitlines())


def text():
    """The whole file."""
    return HEAD + "".join(groups(file) for file in sorted(RULES.glob("*.yml")))


def main(words):
    """Writes, or compares; the exit status."""
    if words == []:
        WRITTEN.write_text(text())
        return 0
    if words == ["--check"]:
        same = WRITTEN.exists() and WRITTEN.read_text() == text()
        if not same:
            print(f"{WRITTEN.name} is not what generate.py writes", file=sys.stderr)
        return 0 if same else 1
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
