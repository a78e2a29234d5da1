#!/usr/bin/env python3
"""Every test there is, one after the other, and one table at the end of what ran.

    suite.py                 everything
    suite.py clients         every client in every situation only; the gateway must be built
    suite.py clients-fast    the most used clients, warm and through one cold start
    suite.py keda            KEDA's own scaler clients and operator; the gateway must be built

Exit status 0 means that nothing failed. What a machine lacks is said in one line and counts as skipped; with CI=true
it counts as failed. The peers are fetched while the Rust tests compile and run.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as xml
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import api_server
import coordinators
import interpreter
import jaeger
import prepared
import prometheus
import stores
from cache import REPOSITORY, Missing
from keda import kedacore

HERE = Path(__file__).resolve().parent
CI = os.environ.get("CI") == "true"
CARGO_TEST = ["cargo", "test", "--locked", "--workspace", "--profile", "quick"]
CARGO_LINE = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored", re.MULTILINE)


@dataclass
class Row:
    """A line of the closing table."""

    name: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0
    notes: list = field(default_factory=list)
    # Seconds of a processor that the tests took; not the coordinators that this program itself started for them.
    processor: float = 0
    # What it prints, if that is shown in one piece at its end, since it runs beside others.
    kept: list | None = None

    def say(self, text):
        """Shows a line, or keeps it for the end."""
        if self.kept is None:
            print(text, end="", flush=True)
        else:
            self.kept.append(text)

    def lacks(self, what):
        """Notes that the machine lacks something."""
        self.notes.append(str(what))
        if CI:
            self.failed += 1
        else:
            self.skipped += 1


def main(words):
    match words:
        case []:
            return report(everything())
        case ["clients"]:
            return report(clients_only("whole"))
        case ["clients-fast"]:
            return report(clients_only("fast"))
        case ["keda"]:
            return report(keda_only())
    print(__doc__, file=sys.stderr)
    return 2


def clients_only(matrix):
    """The rows of the clients alone."""
    with ThreadPoolExecutor(2) as pool:
        if matrix == "whole":
            pool.submit(prepared.clients)
        return every_client(pool.submit(interpreter.interpreter), *prepared.OPTIONS[matrix])


def keda_only():
    """The row of KEDA alone; its first build takes about 700 CPU seconds."""
    with ThreadPoolExecutor(3) as pool:
        built = [pool.submit(kedacore.install), pool.submit(api_server.install)]
        reader = pool.submit(interpreter.interpreter, interpreter.READERS)
        return [measured(f"KEDA {kedacore.VERSION}", lambda row: keda(row, built, reader))]


def everything():
    """All rows."""
    rows = []
    with ThreadPoolExecutor(14) as pool:
        fetched = {version: pool.submit(coordinators.install, version) for version in coordinators.RELEASES}
        python = pool.submit(interpreter.interpreter)
        built = pool.submit(api_server.install)
        watching = [pool.submit(prometheus.fetch), pool.submit(jaeger.install)]
        reader = pool.submit(interpreter.interpreter, interpreter.READERS)
        checker = pool.submit(interpreter.interpreter, interpreter.CHECKERS)
        browser = pool.submit(interpreter.interpreter, interpreter.BROWSERS)
        if prepared.MATRIX == "whole":
            # What comes of it is seen by the tests of each client, which wait for theirs.
            pool.submit(prepared.clients)
        scaler = [pool.submit(kedacore.install), built]
        servers = pool.submit(stores.environment)
        # Against a real Trino, a real Kubernetes and real stores these have rows of their own.
        skipped = ["--skip", "conformance::real_", "--skip", "kubernetes::", "--skip", "store::peers::"]
        rows.append(measured("rust", lambda row: cargo(row, {}, ["--", *skipped])))
        rows.append(folder("instructions of polls and statements, by valgrind", python, "cost"))
        # These wait for most of their time: for KEDA's next round, for a server's fail-over.
        waiting = pool.submit(lambda: [
            measured(f"drivers, Kubernetes {api_server.VERSION}", lambda row: drivers(row, built), aside=True),
            measured(f"KEDA {kedacore.VERSION}", lambda row: keda(row, scaler, reader), aside=True),
            measured("store, Redis, Sentinel, Cluster, Valkey", lambda row: store(row, servers), aside=True),
        ])
        for version, installed in fetched.items():
            rows.extend(trino(version, installed, python))
        rows.append(folder("passwords, tokens, OAuth2", python, "auth"))
        rows.append(folder("Trino's web UI in Chromium", browser, "ui"))
        rows.extend(waiting.result())
        rows.append(measured(f"observability, Prometheus, Jaeger {jaeger.VERSION}", lambda row: observability(row, watching, reader)))
        rows.append(folder("three replicas behind HAProxy", python, "replicas"))
        rows.append(folder("deploy, as files", checker, "deploy"))
        rows.extend(every_client(python, *prepared.OPTIONS[prepared.MATRIX]))
    return rows


def trino(version, installed, python):
    """The rows of one release."""
    return [measured(f"conformance, Trino {version}", lambda row: conformance(row, version, installed)), *clients(version, installed, python)]


def folder(name, python, where):
    """The row of one folder of tests."""
    return measured(name, lambda row: pytest(row, python.result(), HERE / where, [], lambda _: row))


def measured(name, run, aside=False):
    """A row and the time that it took; what the machine lacks becomes a note.

    What runs `aside`, while another row does, shows all that it printed at its end."""
    row = Row(name, kept=[] if aside else None)
    begun = time.monotonic()
    try:
        run(row)
    except Missing as missing:
        row.lacks(missing)
    except (OSError, RuntimeError, subprocess.CalledProcessError) as failure:
        row.failed += 1
        row.notes.append(str(failure).splitlines()[0])
        print(failure, file=sys.stderr)
    row.seconds = time.monotonic() - begun
    row.say(f"== {name}: {row.seconds:.0f} s, {row.processor:.0f} s of a processor\n")
    if aside:
        print("".join(row.kept), end="", flush=True)
    return row


def cargo(row, environment, filters):
    """Runs `cargo test` and adds up its closing lines."""
    command = [*CARGO_TEST, *filters]
    status, text = shown(row, " ".join(command), command, REPOSITORY, {**os.environ, **environment})
    for found in CARGO_LINE.finditer(text):
        row.passed, row.failed, row.skipped = (
            before + int(now) for before, now in zip((row.passed, row.failed, row.skipped), found.groups())
        )
    if status != 0 and row.failed == 0:
        row.failed = 1
        row.notes.append("cargo test failed")


def shown(row, words, command, folder, environment):
    """Runs a command and shows what it prints; its exit status and all of that."""
    row.say(f"\n== {row.name}: {words}\n")
    begun = subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors="replace"
    )
    lines = []
    for line in begun.stdout:
        lines.append(line)
        row.say(line)
    _, status, used = os.wait4(begun.pid, 0)
    begun.returncode = os.waitstatus_to_exitcode(status)
    row.processor += used.ru_utime + used.ru_stime
    return begun.returncode, "".join(lines)


def conformance(row, version, installed):
    """The suite that the simulator passes, against the real Trino."""
    installed.result()
    kinds = [(), (coordinators.FORWARDED,)]
    with coordinators.Coordinators(version, kinds) as started:
        urls = {f"SLUICE_TEST_TRINO_{version}": ",".join(started.urls)}
        cargo(row, urls, ["--package", "sluice", "--test", "it", f"conformance::real_{version}"])
    ran(row)


def drivers(row, built):
    """The resume drivers against the real API server, with the rights of deploy/rbac."""
    built.result()
    with api_server.ApiServer() as server:
        # The drivers' own tests bear the same word, and are left out of the first row with the others.
        cargo(row, server.environment, ["--package", "sluice", "--lib", "--test", "it", "kubernetes::"])
    ran(row)


def store(row, servers):
    """The shared store on real servers, which the tests start and stop by themselves."""
    found = servers.result()
    cargo(row, found, ["--package", "sluice", "--test", "it", "store::peers::"])
    # What gateways that share a store do in memory, they do over a real one.
    cargo(row, {"SLUICE_TEST_FLEET": found["SLUICE_TEST_REDIS"]}, ["--package", "sluice", "--test", "it", "replicas::"])
    ran(row)


def ran(row):
    """A filter that finds no test is a mistake."""
    if row.passed + row.failed == 0:
        row.failed = 1
        row.notes.append("no test ran")


def clients(version, installed, python):
    """The official Python client: directly, which is the reference, through the gateway, and through cold starts."""
    rows = {way: Row(f"python client, Trino {version}, {way}") for way in ("direct", "through sluice", "cold start")}
    total = measured("python client", lambda row: run_clients(row, version, installed, python, rows))
    if total.notes:
        for row in rows.values():
            row.failed, row.skipped, row.notes = total.failed, total.skipped, total.notes
    return rows.values()


def run_clients(row, version, installed, python, rows):
    """Runs pytest for one release and sorts its cases into their rows."""
    installed.result()
    pytest(row, python.result(), HERE, ["-k", version], lambda case: rows[way_of(case)])


def every_client(python, *options):
    """Every client in every situation, a row for each of these; pytest itself shows the table with the clients."""
    rows = {}

    def row_of(case):
        found = case.find("properties/property[@name='situation']")
        name = found.get("value") if found is not None else case.get("classname").rsplit(".", 1)[-1].removeprefix("test_").replace("_", " ")
        return rows.setdefault(name, Row(f"clients, {name}"))

    total = measured("clients", lambda row: pytest(row, python.result(), HERE / "clients", list(options), row_of))
    return [*rows.values(), *([total] if total.notes else [])]


def observability(row, watching, reader):
    """What the gateway tells, read by those whom it tells."""
    for peer in watching:
        peer.result()
    pytest(row, reader.result(), HERE / "observability", [], lambda _: row)


def keda(row, built, reader):
    """KEDA's scaler clients and its operator, on a real API server, ask the gateway."""
    for peer in built:
        peer.result()
    pytest(row, reader.result(), HERE / "keda", [], lambda _: row)


def pytest(row, python, folder, options, row_of):
    """Runs pytest on a folder and counts each case in its row."""
    with tempfile.TemporaryDirectory() as reports:
        report = Path(reports) / "report.xml"
        command = [str(word) for word in (python, "-m", "pytest", "-q", *options, f"--junit-xml={report}", folder)]
        status, _ = shown(row, f"pytest {' '.join(command[4:])}", command, folder, None)
        if not report.exists():
            raise RuntimeError(f"pytest ended with status {status}")
        counted = [count_case(row_of(case), case) for case in xml.parse(report).iter("testcase")]
    if status != 0 and not any(each.failed for each in counted):
        raise RuntimeError(f"pytest ended with status {status}")


def way_of(case):
    """Which row a case belongs to."""
    if "cold_start" in case.get("classname"):
        return "cold start"
    return "direct" if "direct" in case.get("name") else "through sluice"


def count_case(row, case):
    """Adds one case of a JUnit report to a row, and gives the row back."""
    row.seconds += float(case.get("time"))
    kinds = {child.tag for child in case}
    if kinds & {"failure", "error"}:
        row.failed += 1
    elif "skipped" in kinds:
        row.lacks(case.find("skipped").get("message"))
    else:
        row.passed += 1
    return row


def report(rows):
    """Prints the table and the closing line; the exit status."""
    width = max(len(row.name) for row in rows)
    print(f"\n{'what ran':<{width}}  passed  failed  skipped  seconds")
    for row in rows:
        print(f"{row.name:<{width}}  {row.passed:>6}  {row.failed:>6}  {row.skipped:>7}  {row.seconds:>7.0f}")
        for note in dict.fromkeys(row.notes):
            print(f"{'':<{width}}  ! {note}")
    passed, failed, skipped = (sum(getattr(row, kind) for row in rows) for kind in ("passed", "failed", "skipped"))
    print(f"\n{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
