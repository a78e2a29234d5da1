"""One client of Trino as a program that shows what its user would see; and all of them, found by their folders.

A folder beside this file is a client: a program, its lock files, and `client.py` with a list `CLIENTS`. The program
is started as `program TASK`, gets a `Where` as one line of JSON on standard input, and prints one JSON object a line:

    {"see": "rows of nation", "value": ...}   anything that a user sees: rows, types, update counts, warnings, errors
    {"mark": "reading"}                       do to me what the situation does now; it then waits for a line of input

Nothing volatile is shown: no query ids, times, ports. An error that a user would see is shown, not died of; the exit
status is 0 then, and the value an object with the key `error`. What nobody expected ends it with 1 and words on
standard error.

The tasks (a client names those that it can do):

    statements    everything that it can do, in one go
    large         a million rows (300,000 where the client is slow): their number and a checksum
    spooled       the same smaller result in each encoding, and without spooling
    cancel        cancels and time-outs of every kind that it has
    transactions  transactions and many statements that only read: for several backends without common tables
    reading       the first rows of a long result, a mark, the number of all its rows (or its error), one more statement
    idle          a statement, a mark, a statement on the same connection
    cold          connects with validation if it has that, a select, a prepared statement; no tables, which a fixture has late

Tables are made in `memory.default`, with `Where.word` in their names: several clients work on one Trino at once. They
are dropped before and after.
"""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Seconds for one task; a cold start on a busy machine takes most of it.
LIMIT = 600
# What would make a client go another way than the one it is given.
MISLEADING = ("http_proxy", "https_proxy", "all_proxy", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")

# What keeps programs from HTTP/2 that have no option for it: those of Go. Those of Java read the line.
WITHOUT_HTTP2 = {"GODEBUG": "http2client=0"}


class Failed(AssertionError):
    """A client's program ended badly; `seen` is what it had shown."""

    def __init__(self, words, seen):
        super().__init__(words)
        self.seen = seen


class Client:
    """A client in one version; subclasses say how it is fetched and run."""

    # As in the table: "trino-jdbc 484".
    name = ""
    tasks = ("statements",)
    # Played in every situation, not only in the most important ones.
    full = False
    # The releases of Trino that it is tried against.
    trinos = ("483",)
    # Whether it can come by a path before `/v1`, and by TLS with a CA of its user's.
    prefix = True
    tls = True
    # What it agrees on with a server that offers `h2` and `http/1.1` by TLS.
    protocols = frozenset({"http/1.1"})
    # Whether it heeds `Where.http`, as one that prefers HTTP/2 can.
    http1 = False

    def prepare(self):
        """Fetches or builds it, once; raises cache.Missing where the machine lacks something."""

    def command(self, task):
        """The words that start its program."""
        raise NotImplementedError

    @property
    def environment(self):
        """What its program finds in its environment besides ours."""
        return {}

    @property
    def word(self):
        """Its name as part of an SQL name."""
        return "".join(letter if letter.isalnum() else "_" for letter in self.name)

    def run(self, where, task, on_mark=None, limit=LIMIT):
        """Runs a task to its end; the observations in their order. `on_mark` is called with the mark's word."""
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                [str(word) for word in self.command(task)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                env=self._whole_environment(where), start_new_session=True,
            )
            late = threading.Timer(limit, end, [process])
            late.start()
            try:
                seen = talk(process, where.as_json(self.word), on_mark)
                status = process.wait()
            finally:
                in_time = late.is_alive()
                late.cancel()
                end(process)
            if status == 0:
                return seen
            errors.seek(0)
            words = errors.read().decode(errors="replace")[-4000:]
            ended = f"ended with {status}" if in_time else f"was not done in {limit} s"
            raise Failed(f"{self.name} {ended} in {task} after {seen[-1:]}:\n{words}", seen)

    def _whole_environment(self, where):
        kept = {name: value for name, value in os.environ.items() if name not in MISLEADING and name.lower() not in MISLEADING}
        own = {name: str(value) for name, value in self.environment.items()}
        return {**kept, **own, **(WITHOUT_HTTP2 if where.http else {})}

    def __repr__(self):
        return self.name


def talk(process, where, on_mark):
    """Tells a program where to go, and collects what it sees until it has nothing more to say."""
    seen = []
    try:
        tell(process, where)
        for line in process.stdout:
            said = json.loads(line)
            if "mark" in said:
                if on_mark:
                    on_mark(said["mark"])
                tell(process, "go on")
            else:
                seen.append({"see": said["see"], "value": said["value"]})
    except (BrokenPipeError, ValueError, KeyError) as odd:
        seen.append({"see": "not of the contract", "value": repr(odd)})
        end(process)
    return seen


def tell(process, line):
    """Writes one line to a program's standard input."""
    process.stdin.write(f"{line}\n".encode())
    process.stdin.flush()


def end(process):
    """Ends a program with all that it has started, if it still runs."""
    if process.poll() is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()


def found():
    """The clients of all folders, in the order of the folders' names."""
    return [client for path in sorted(HERE.glob("*/client.py")) for client in loaded(path).CLIENTS]


def loaded(path):
    """The module in a folder; each has the same file name, so it is registered under the folder's."""
    name = f"clients_{path.parent.name}"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


ALL = found()
