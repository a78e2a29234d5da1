"""One call of the command line: its words, its output, how it ends."""

import json
import os
import re
import subprocess
import tempfile
import zlib
from pathlib import Path

from screen import screen

# Of the library that draws the terminal, which misses one.
NOISE = re.compile(r"^\w{3} \d+, \d{4} .*org\.jline.*\n(?:WARNING|INFO): .*\n", re.MULTILINE)
# Its frames tell of the server's own code.
FRAME = re.compile(r"^\s+(?:at .*|\.\.\. \d+ more)\n?", re.MULTILINE)


class Calls:
    """How the command line is called for one run of a task."""

    def __init__(self, contract):
        self._contract = contract
        self._home = tempfile.TemporaryDirectory()
        self.home = Path(self._home.name)

    def environment(self):
        """A home without settings, and no pager that would wait for a key."""
        more = {"HOME": str(self.home), "TRINO_PAGER": ""}
        if self._contract.where["password"]:
            more["TRINO_PASSWORD"] = self._contract.where["password"]
        return {**os.environ, **more}

    def words(self, *options, source=None):
        """The command line with what every call needs; it names itself as the contract says, unless by `source`."""
        where = {**self._contract.where, **({"source": source} if source else {})}
        java, *flags = json.loads(os.environ["CLIENT_COMMAND"])
        words = [java, f"-Duser.home={self.home}", *flags, self._contract.url]
        named = {"user": "user", "catalog": "catalog", "schema": "schema", "source": "source", "encoding": "encoding", "ca": "truststore-path", "token": "access-token"}
        words += [f"--{option}={where[name]}" for name, option in named.items() if where[name]]
        return words + ["--password"] * bool(where["password"]) + list(options)

    def start(self, *options):
        """Starts a call in a process group of its own, as a shell does."""
        return subprocess.Popen(
            self.words(*options), env=self.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def said(self, *options):
        """What a call that ends by itself says: its status, its output, its errors."""
        process = self.start(*options)
        out, errors = process.communicate()
        return {"status": process.returncode, "out": self._contract.steady(out.decode()), "errors": self.errors(errors)}

    def errors(self, text):
        """Standard error as a user reads it; between progress and errors come more empty lines or fewer."""
        return [line for line in screen(FRAME.sub("", NOISE.sub("", self._contract.steady(text.decode())))) if line]

    def file(self, statements):
        """A file with statements, for `--file`."""
        path = self.home / "statements.sql"
        path.write_text("".join(f"{statement};\n" for statement in statements))
        return f"--file={path}"


def unpadded(text):
    """A table without what makes its columns as wide as what was printed with them.

    After three seconds the command line prints the rows that it has, and those behind them in columns of their own width.
    """
    return re.sub(r"--+", "-", re.sub(r"  +", " ", text)).replace(" \n", "\n")


def fingerprint(lines):
    """The number of lines and the sum of their checksums, in whatever order they come."""
    count = total = 0
    for line in lines:
        count += 1
        total += zlib.crc32(line)
    return [count, total]
