"""trino-cli as its users have it: one task of `../client.py`, named by the argument."""

import re
import signal
import sys
from concurrent.futures import ThreadPoolExecutor

import scripts
from calls import Calls, fingerprint, unpadded
from contract import QUERY, Contract
from names import Names
from terminal import Terminal

FORMATS = (
    "AUTO", "ALIGNED", "VERTICAL", "TSV", "TSV_HEADER", "CSV", "CSV_HEADER", "CSV_UNQUOTED", "CSV_HEADER_UNQUOTED", "JSON", "MARKDOWN", "NULL",
)
PADDED = ("AUTO", "ALIGNED", "VERTICAL", "MARKDOWN")
# Runs for minutes, costs nothing and gives no row before its end: a function of the tests' Trino.
SILENT = "SELECT sum(rest_for(20)) FROM UNNEST(sequence(1, 10000)) AS a(x) CROSS JOIN UNNEST(sequence(1, 10000)) AS b(y)"
# Gives rows at once, and for minutes.
STREAM = "SELECT orderkey, comment FROM tpch.sf100.lineitem"
# More than command line, gateway and coordinator hold together: most of it is still to come at the mark.
LONG = "SELECT orderkey, totalprice, comment FROM tpch.sf1.orders WHERE orderkey <= 3000000"
IN_PAGES = "--session=spooling_enabled=false"
LONG_ROWS = 750_000
FIRST = 1000
DEBUG = ("--debug", "--progress", "--ignore-errors", "--output-format=ALIGNED")


def statements(contract, calls):
    """Each way to call it."""
    for each in FORMATS:
        sql = scripts.SHOWN + scripts.NESTED * (each != "JSON")
        said = calls.said("--execute", sql, f"--output-format={each}")
        contract.see(each, said | {"out": unpadded(said["out"])} if each in PADDED else said)
    table = f"memory.default.{contract.where['word']}_written"
    contract.see("a file", calls.said(calls.file(scripts.all_kinds(table)), "--ignore-errors", "--output-format=CSV_HEADER"))
    contract.see("options, until the first error", calls.said(*scripts.OPTIONS, "--execute", f"{scripts.ME}; SELECT nope; SELECT 2"))
    contract.see("debug with progress", calls.said(*DEBUG, "--execute", "SELECT count(*) FROM tpch.sf1.orders; SELECT nope"))
    interactive(contract, calls)


def interactive(contract, calls):
    """Typed in a terminal, one after the other; the prompt tells catalog and schema."""
    names = Names()
    with terminal(calls, names) as session:
        for line in scripts.TYPED:
            contract.see(line, [steady(contract, session.ask(f"{line};")[0]), session.prompt])
        seen, painted = session.ask("SELECT count(*) FROM tpch.sf1.lineitem;")
        contract.see("with progress", [steady(contract, seen), "RUNNING" in painted])
        names.asked_in(session, schemas=1 + scripts.SCHEMAS_TYPED)
        contract.see("left", session.leave())


def terminal(calls, names):
    """The command line in a terminal."""
    words = calls.words("--progress", "--disable-auto-suggestion", "--pager=", source=names.source)
    return Terminal(words, calls.environment())


def steady(contract, lines):
    """A screen without what is different each time."""
    return [contract.steady(line) for line in lines]


def large(contract, calls):
    """300,000 rows through a pipe."""
    contract.see("rows", piped(calls, 'SELECT orderkey, totalprice, clerk FROM tpch."sf0.2".orders'))


def piped(calls, sql, *options):
    """The lines of a result, their checksum, the end, and whether segments were fetched."""
    process = calls.start("--network-logging=BASIC", "--output-format=CSV_UNQUOTED", "--execute", sql, *options)
    with ThreadPoolExecutor(1) as pool:
        errors = pool.submit(process.stderr.read)
        found = fingerprint(process.stdout)
        return [found, process.wait(), "segments" if b"/v1/spooled/download/" in errors.result() else "pages"]


def spooled(contract, calls):
    """In each encoding and without."""
    ways = {"by default": []} | {encoding: [f"--encoding={encoding}"] for encoding in ("json", "json+lz4", "json+zstd")} | {"switched off": [IN_PAGES]}
    for name, options in ways.items():
        contract.see(name, piped(calls, "SELECT orderkey, partkey, extendedprice, comment FROM lineitem", *options))


def cancel(contract, calls):
    """Ctrl-C in a terminal and in a batch, and a time-out; each time the query must end in Trino as well."""
    for name, sql in (("of a silent query", SILENT), ("of a stream of rows", STREAM)):
        names = Names()
        with terminal(calls, names) as session:
            contract.see(f"Ctrl-C {name}, and one more statement", interrupted(contract, session, sql))
            names.asked_beside(calls)
    contract.see("Ctrl-C of a batch", batch_interrupted(contract, calls))
    contract.see("time-out", calls.said("--session=query_max_run_time=2s", "--execute", SILENT))


def interrupted(contract, session, sql):
    """Interrupts a statement once the terminal shows that it runs, or its rows."""
    session.type(f"{sql};")
    query = session.wait_for(rf"({QUERY.pattern}), RUNNING")[1]
    painted = session.interrupt()
    return ["Query aborted by user" in painted, contract.outcome(query)]


def batch_interrupted(contract, calls):
    """Interrupts a call that has no terminal."""
    process = calls.start("--progress", "--execute", SILENT)
    said = b""
    while not (query := re.search(rf"({QUERY.pattern}) \[RUNNING\]".encode(), said)):
        said += process.stderr.read1()
        if process.poll() is not None:
            raise RuntimeError(f"it ended by itself: {said!r}")
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate()
    return [process.returncode, out.decode(), contract.outcome(query[1].decode())]


def transactions(contract, calls):
    """Begun and ended in one session."""
    contract.see("transactions", calls.said(calls.file(scripts.TRANSACTIONS), "--ignore-errors"))


def reading(contract, calls):
    """Two results at once, in pages and in segments; after each one more statement of the same call."""
    ways = {"": [IN_PAGES], " of segments": []}
    words = ("--output-format=TSV", "--ignore-errors", "--execute", f"{LONG}; SELECT 'afterwards'")
    running = {kind: calls.start(*words, *options) for kind, options in ways.items()}
    heads = {kind: [process.stdout.readline() for _ in range(FIRST)] for kind, process in running.items()}
    contract.mark("reading")
    with ThreadPoolExecutor(len(running)) as pool:
        rest = {kind: pool.submit(to_the_end, calls, process, heads[kind]) for kind, process in running.items()}
        for kind, outcome in rest.items():
            show_reading(contract, kind, *outcome.result())


def to_the_end(calls, process, head):
    """What comes of a call of which the first lines have been read: all its lines, its errors."""
    with ThreadPoolExecutor(1) as pool:
        errors = pool.submit(process.stderr.read)
        lines = head + list(process.stdout)
        process.wait()
        return lines, calls.errors(errors.result())


def show_reading(contract, kind, lines, errors):
    """The rows or the error, and the statement after them; a short result is none of both."""
    after = b"afterwards\n"
    rows = [line for line in lines if line != after]
    if errors:
        contract.see(f"error{kind}", errors)
    elif len(rows) != LONG_ROWS:
        raise RuntimeError(f"a result ended well with {len(rows)} rows")
    else:
        contract.see(f"rows{kind}", fingerprint(rows))
    contract.see(f"afterwards{kind}", len(lines) - len(rows))


def idle(contract, calls):
    """A session in a terminal that nobody types into for a while."""
    with terminal(calls, Names()) as session:
        for line in ("SELECT count(*) FROM nation", "SET SESSION query_priority = 7"):
            contract.see(line, steady(contract, session.ask(f"{line};")[0]))
        contract.mark("idle")
        for line in ("SELECT count(*) FROM region", "SHOW SESSION LIKE 'query_priority'"):
            contract.see(line, steady(contract, session.ask(f"{line};")[0]))


def cold(contract, calls):
    """A batch with progress, and a terminal, at once."""
    with ThreadPoolExecutor(1) as pool:
        batch = pool.submit(calls.said, "--progress", "--ignore-errors", "--execute", "SELECT 1, 'woken'; SELECT nope; SELECT 2")
        names = Names()
        with terminal(calls, names) as session:
            typed = [steady(contract, session.ask(f"{line};")[0]) for line in ("SELECT 2, 'woken'", "SELECT nope", "SELECT 3")]
            names.asked_in(session)
            session.leave()
        contract.see("typed", typed)
        contract.see("batch", batch.result())


TASKS = (statements, large, spooled, cancel, transactions, reading, idle, cold)


def main(name):
    """Runs a task."""
    # A shell runs what stands before `&` with this signal ignored; a JVM that was born so never hears of Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    contract = Contract()
    {task.__name__: task for task in TASKS}[name](contract, Calls(contract))


if __name__ == "__main__":
    main(sys.argv[1])
