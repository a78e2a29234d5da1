"""What a client program says and hears: one line of JSON in, observations and marks out, errors as a user would read them.

Nothing volatile is said: query ids are left out, and the names that a run makes up for itself are replaced by a word.
"""

import json
import re
import sys
import uuid
import zlib
from contextlib import suppress

import trino
from trino.exceptions import TrinoQueryError

QUERY_ID = re.compile(r"\d{8}_\d{6}_\d{5}_\w{5}")

# The names of this run that must not be told, each with what is told instead.
_hidden = {}


def where():
    """The address and the session that the harness wants, from standard input."""
    return json.loads(sys.stdin.readline())


def made_up(word):
    """A name for this run alone, of equal length in all runs, told as the word."""
    name = f"{word}_{uuid.uuid4().hex[:12]}"
    _hidden[name] = word
    return name


def see(name, value):
    """Tells what a user would see."""
    line = QUERY_ID.sub("<query>", json.dumps({"see": name, "value": value}, default=repr))
    for hidden, word in _hidden.items():
        line = line.replace(hidden, word)
    print(line, flush=True)


def mark(word):
    """Lets the situation do to us what it does, and goes on when it has."""
    print(json.dumps({"mark": word}), flush=True)
    if not sys.stdin.readline():
        sys.exit("nobody said to go on")


def told(error):
    """An error in the parts that a user reads: Trino's own words, or else only its kind, for those words are full of addresses."""
    # SQLAlchemy and pandas wrap what the driver raised.
    error = getattr(error, "orig", None) or error
    if isinstance(error, TrinoQueryError):
        return {
            "class": type(error).__name__, "name": error.error_name, "type": error.error_type, "code": error.error_code,
            "message": error.message,
        }
    return {"class": type(error).__name__}


def seen(name, action):
    """Tells what the action gives, or the error that it ends with."""
    try:
        value = action()
    except Exception as error:
        value = {"error": told(error)}
    see(name, value)


class Remembered(trino.client.TrinoQuery):
    """A query of this program, so that none is left behind.

    The client does leave some: its probe for EXECUTE IMMEDIATE reads one row and not the end, and then counts as running
    for five minutes, at Trino and at a gateway. The harness checks that nothing is in flight sooner than that.
    """

    made = []

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.made.append(self)


# All of the client, SQLAlchemy and dbt make their queries by this name.
trino.client.TrinoQuery = Remembered


def play(tasks):
    """Plays the task that the command line names, and leaves nothing behind."""
    try:
        tasks[sys.argv[1]](where())
    finally:
        for query in Remembered.made:
            if query.query_id and not query.finished:
                # Where it has lost its coordinator there is nothing to end.
                with suppress(Exception):
                    query.cancel()


def connect(where, **options):
    """A connection of the official client."""
    # https://github.com/trinodb/trino-python-client: a path in the host ends up before the port.
    if where["path"]:
        sys.exit("the Python client knows no path before /v1")
    options = {
        "user": where["user"], "catalog": where["catalog"], "schema": where["schema"], "source": where["source"],
        "http_scheme": where["scheme"], "verify": where["ca"] or True, "auth": auth(where), **encoded(where), **options,
    }
    return trino.dbapi.connect(host=where["host"], port=where["port"], **options)


def encoded(where):
    """The encoding of spooled results as an argument; without one the client asks for all that it knows."""
    return {"encoding": where["encoding"]} if where["encoding"] else {}


def auth(where):
    """How the user proves who he is."""
    if where["token"]:
        return trino.auth.JWTAuthentication(where["token"])
    if where["password"]:
        return trino.auth.BasicAuthentication(where["user"], where["password"])
    return None


class Fingerprint:
    """How many rows, and a sum over all of them: Trino gives them in no certain order."""

    def __init__(self):
        self.rows = self.sum = 0

    def take(self, rows):
        """Adds rows."""
        for row in rows:
            self.rows += 1
            self.sum += zlib.crc32(repr(row).encode())

    def drain(self, cursor):
        """Adds all that a cursor still has."""
        while batch := cursor.fetchmany(10_000):
            self.take(batch)
        return self

    def value(self):
        """To be told."""
        return {"rows": self.rows, "sum": self.sum}
