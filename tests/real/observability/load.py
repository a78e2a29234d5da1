"""Clients of every kind at once, each in a thread of its own, until they are told to stop.

They use Trino's protocol directly: what they do must be known to the byte, and official clients hide retries.
What a client does not expect is kept, and the tests say it.
"""

import gzip
import itertools
import json
import threading
import time

import wire

# Seconds between two rounds of a client.
PAUSE = 0.15
STOP_LIMIT = 60
# A gateway that never ends a query must fail the tests, not hold them up.
PATIENCE = 120
STATEMENTS = [
    "SELECT 1", "SELECT 'literal of a customer', 42", "SELECT * FROM sim.rows(300)", "WITH a AS (SELECT 1) SELECT * FROM a",
    "INSERT INTO t VALUES (1)", "CREATE TABLE t AS SELECT 1", "MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN DELETE",
    "DELETE FROM t", "DROP TABLE t", "CREATE VIEW v AS SELECT 1", "CREATE SCHEMA s", "SHOW CATALOGS", "SHOW SCHEMAS",
    "SHOW TABLES", "GRANT SELECT ON t TO ann", "EXPLAIN SELECT 1",
]
FAILURES = ["DIVISION_BY_ZERO", "GENERIC_INTERNAL_ERROR", "EXCEEDED_TIME_LIMIT", "HIVE_METASTORE_ERROR"]
# Faults of a coordinator, each once, then the query goes on.
FAULTS = ["die", "status:500", "status:503", "truncate"]


class Load:
    """The clients of one stage."""

    def __init__(self, stage):
        self._gateway = stage.gateway
        self._stop = threading.Event()
        self.surprises = []
        rounds = [
            self._statements, self._failures, self._faults, self._cancels, self._abandons, self._nightly, self._lost,
            self._broken, self._narrow, self._strays, self._compressed, self._operator,
        ]
        self._threads = [threading.Thread(target=self._repeat, args=[each], daemon=True) for each in rounds]
        self._begun = False

    def begin(self):
        """Sends everybody off."""
        self._begun = True
        for thread in self._threads:
            thread.start()

    def end(self):
        """Waits until each has finished its round."""
        self._stop.set()
        if self._begun:
            for thread in self._threads:
                thread.join(STOP_LIMIT)
            self._begun = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def _repeat(self, round_of):
        for number in itertools.count():
            try:
                round_of(number)
            except Exception as surprise:  # noqa: BLE001, a client of ours must not die in silence
                self.surprises.append(f"{round_of.__name__}: {surprise!r}")
            if self._stop.wait(PAUSE):
                return

    def _headers(self, source, user="ann"):
        return {"X-Trino-Source": source, "X-Trino-User": user, "X-Trino-Catalog": "tpch", "X-Trino-Schema": "tiny"}

    def _all(self, sql, headers):
        """A statement to its end, whatever that is; the last page, or the status that was no 200."""
        begun = time.monotonic()
        status, _, body = wire.exchange("POST", f"{self._gateway.url}/v1/statement", sql, headers)
        while status == 200 and "nextUri" in (page := json.loads(plain(body))):
            if time.monotonic() - begun > PATIENCE:
                self.surprises.append(f"{page['id']} has no end")
                return status
            status, _, body = wire.exchange("GET", page["nextUri"], None, headers)
        return status

    def _expect(self, statuses, status):
        if status not in statuses:
            self.surprises.append(f"{status} instead of {statuses}")

    def _statements(self, number):
        """Statements of every type by several users."""
        sql = STATEMENTS[number % len(STATEMENTS)]
        self._expect({200}, self._all(f"{sql} /* sim: pages=2 */", self._headers("analytics", f"user-{number % 5}")))

    def _failures(self, number):
        """Errors of every type, which come within 200."""
        sql = f"SELECT 1 /* sim: ending=fail:{FAILURES[number % len(FAILURES)]} */"
        self._expect({200}, self._all(sql, self._headers("analytics")))

    def _faults(self, number):
        """A coordinator that breaks off at a poll; a client of ours asks once."""
        sql = f"SELECT 1 /* sim: ending={FAULTS[number % len(FAULTS)]} at=queued times=1 */"
        try:
            self._all(sql, self._headers("analytics"))
        except (OSError, ValueError):
            # A page that is cut is cut for the client too.
            pass
        self._stop.wait(1)

    def _cancels(self, _):
        """A query that would hang is cancelled."""
        headers = self._headers("analytics")
        _, _, body = wire.exchange("POST", f"{self._gateway.url}/v1/statement", "SELECT 1 /* sim: ending=hang */", headers)
        following = json.loads(body)["nextUri"]
        self._expect({204}, wire.exchange("DELETE", following, None, headers)[0])
        self._stop.wait(0.5)

    def _abandons(self, _):
        """A client that goes away without a word."""
        wire.exchange("POST", f"{self._gateway.url}/v1/statement", "SELECT 1 /* sim: ending=hang */", self._headers("analytics"))
        self._stop.wait(3)

    def _nightly(self, _):
        """Now and then, for who sleeps: long enough apart that it is put to sleep in between."""
        self._expect({200}, self._all("SELECT * FROM sim.rows(100)", self._headers("nightly")))
        self._stop.wait(12)

    def _lost(self, _):
        """For the group whose coordinator gets lost."""
        self._expect({200, 502, 503, 504}, self._all("SELECT 1", self._headers("lost")))

    def _broken(self, _):
        """For the group whose driver fails."""
        self._expect({200, 503}, self._all("SELECT 1", self._headers("broken")))
        self._stop.wait(1)

    def _narrow(self, _):
        """Four at once where one may run and two may wait."""
        sql = "SELECT 1 /* sim: running=300ms */"
        crowd = [threading.Thread(target=self._crowded, args=[sql, f"user-{index}"]) for index in range(4)]
        for each in crowd:
            each.start()
        for each in crowd:
            each.join()
        self._stop.wait(1)

    def _crowded(self, sql, user):
        self._expect({200, 503}, self._all(sql, self._headers("narrow", user)))

    def _strays(self, _):
        """What no rule claims, what nobody knows, and the small questions that drivers ask."""
        base = self._gateway.url
        self._expect({404}, self._all("SELECT 1", self._headers("nobody's")))
        unknown = f"{base}/v1/statement/executing/20200101_000000_00000_zzzzz/yslug/0"
        self._expect({404, 410}, wire.exchange("GET", unknown)[0])
        for path in ("/v1/info", "/v1/info/state"):
            self._expect({200}, wire.exchange("GET", f"{base}{path}")[0])
        self._expect({200}, wire.exchange("HEAD", f"{base}/v1/statement")[0])
        self._stop.wait(0.5)

    def _compressed(self, _):
        """Pages in gzip, and results that are spooled."""
        headers = self._headers("analytics")
        self._expect({200}, self._all("SELECT * FROM sim.rows(2000)", {**headers, "Accept-Encoding": "gzip"}))
        self._expect({200}, self._all("SELECT * FROM sim.rows(2000)", {**headers, "X-Trino-Query-Data-Encoding": "json+zstd"}))
        self._stop.wait(1)

    def _operator(self, number):
        """Reloads, good and bad, and a backend that is taken out and in."""
        good = self._gateway.config.read_text()
        if number % 2:
            self._gateway.config.write_text(good.replace('"routingGroups"', '"rootingGroups"'))
            self._command("/admin/reload", {422})
            self._gateway.config.write_text(good)
        self._command("/admin/reload", {200})
        for verb in ("drain", "activate"):
            self._command(f"/admin/backends/trino-1/{verb}", {200})
            time.sleep(1)
        self._stop.wait(3)

    def _command(self, path, statuses):
        self._expect(statuses, wire.exchange("POST", f"{self._gateway.admin}{path}")[0])


def plain(body):
    """The body as it was before gzip."""
    return gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
