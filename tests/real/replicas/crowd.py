#!/usr/bin/env python3
"""People at work, until standard input ends: `crowd.py URL KIND COUNT GROUP`, with KIND `python` or `strict`.

Each opens connections of its own and asks one statement after the other, of every kind in turn; what it reads is held against
what it asked for. At the end one line of JSON tells how many statements came to their right end, and the words of each
that did not. `python` is the official client as it comes. `strict` repeats nothing, whatever happens: a reset, a status
that is not 200 or an error in a page is a failure, and so is a connection that ends without having said so before.
"""

import http.client
import json
import sys
import threading
from collections import Counter
from urllib.parse import urlsplit

from trino.dbapi import connect
from trino.exceptions import TrinoQueryError

# Seconds for one answer; a poll of ours is held for one.
PATIENCE = 60
# Says which group is meant.
ROUTED = "X-Trino-Routing-Group"
# A page each 400 ms: hundreds of people are then several hundred requests a second, and not several thousand.
SLOW = "pages=6 rows=50 pace=400ms queued=1 running=1"
# What is asked, how many rows come, and the error that must come instead.
STATEMENTS = (
    (f"SELECT * FROM sim.rows(1) /* sim: {SLOW} */", 300, None),
    ("SELECT 1 /* sim: pages=1 rows=7 queued=800ms running=400ms */", 7, None),
    (f"SELECT 2 /* sim: {SLOW} ending=fail:DIVISION_BY_ZERO */", None, "DIVISION_BY_ZERO"),
    ("SELECT 3 /* sim: pages=2 rows=10 waiting=1200ms */", 20, None),
)


class Wrong(Exception):
    """What came is not what was asked for."""


def by_python(url, group):
    """One statement after the other by the official client, on one connection."""
    at = urlsplit(url)
    headers = {ROUTED: group}
    with connect(host=at.hostname, port=at.port, user="crowd", http_headers=headers, request_timeout=PATIENCE) as connection:
        while True:
            sql, count, error = yield
            try:
                got, failed = connection.cursor().execute(sql).fetchall(), None
            except TrinoQueryError as told:
                got, failed = None, told.error_name
            judge(got, failed, count, error)


def by_strict(url, group):
    """The same by the words of the protocol alone."""
    line = Line(url, group)
    while True:
        sql, count, error = yield
        page = line.ask("POST", "/v1/statement", sql)
        rows = list(page.get("data", []))
        while "nextUri" in page:
            page = line.ask("GET", page["nextUri"])
            rows += page.get("data", [])
        failed = page["error"]["errorName"] if "error" in page else None
        judge(rows, failed, count, error)


def judge(rows, failed, count, error):
    """Raises unless all rows came, each once and in their order, or the error that was asked for."""
    if failed != error:
        raise Wrong(f"the error is {failed}, and not {error}")
    if error is None and [row[0] for row in rows] != list(range(rows[0][0], rows[0][0] + count)):
        raise Wrong(f"{len(rows)} rows, and not these {count}")


class Line:
    """A connection that lives until its other end says that it will close."""

    def __init__(self, url, group):
        self._at = urlsplit(url).netloc
        self._headers = {"X-Trino-User": "crowd", ROUTED: group}
        self._open = None

    def ask(self, method, target, sql=None):
        """One request, sent once; the page that it brings."""
        at = urlsplit(target)
        if at.netloc not in ("", self._at):
            raise Wrong(f"{target} leads past the load balancer")
        if self._open is None:
            self._open = http.client.HTTPConnection(self._at, timeout=PATIENCE)
        try:
            self._open.request(method, at.path, sql, self._headers)
            answer = self._open.getresponse()
            body = answer.read()
        except Exception:
            self._hang_up()
            raise
        if answer.will_close:
            self._hang_up()
        if answer.status != 200:
            raise Wrong(f"{method}: {answer.status} {body[:200]!r}")
        return json.loads(body)

    def _hang_up(self):
        self._open.close()
        self._open = None


class Crowd:
    """So many people, each in a thread."""

    def __init__(self, url, kind, count, group):
        self._url = url
        self._group = group
        self._kind = {"python": by_python, "strict": by_strict}[kind]
        self._leave = threading.Event()
        self._told = threading.Lock()
        self.done, self.failed = 0, Counter()
        self._threads = [threading.Thread(target=self._work, args=(number,)) for number in range(count)]

    def _work(self, number):
        person = None
        while not self._leave.is_set():
            if person is None:
                person = self._kind(self._url, self._group)
                next(person)
            try:
                person.send(STATEMENTS[number % len(STATEMENTS)])
                self._tell(None)
            except Exception as error:
                # A generator that raised is over.
                person = None
                self._tell(f"{type(error).__name__}: {error}"[:300])
            number += 1
            self._leave.wait(0.1)

    def _tell(self, failure):
        with self._told:
            if failure is None:
                self.done += 1
            else:
                self.failed[failure] += 1

    def work(self, until):
        """Works until a file ends."""
        for thread in self._threads:
            thread.start()
        for line in until:
            # Whoever sends a line wants to know how it goes.
            print(json.dumps({"done": self.done, "failed": dict(self.failed)}), flush=True)
        self._leave.set()
        for thread in self._threads:
            thread.join()


def main(url, kind, count, group):
    """Works, then tells."""
    crowd = Crowd(url, kind, int(count), group)
    crowd.work(sys.stdin)
    print(json.dumps({"done": crowd.done, "failed": dict(crowd.failed)}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
