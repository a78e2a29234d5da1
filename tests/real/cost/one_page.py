"""A coordinator that answers every poll with the same page, as Trino frames it, and a client that asks for it.

Neither makes anything anew: what is counted is the gateway between them.
"""

import gzip
import itertools
import json
import socket
import threading

QUERY = "20261121_090000_00001_abcde"
# The pages of a query that runs.
EXECUTING = "/v1/statement/executing/"
# What Trino's JDBC driver sends with every poll.
HEADERS = (
    "Host: 127.0.0.1:{port}\r\n"
    "X-Trino-User: alice\r\n"
    "X-Trino-Source: trino-jdbc\r\n"
    "X-Trino-Catalog: hive\r\n"
    "X-Trino-Schema: default\r\n"
    "X-Trino-Time-Zone: UTC\r\n"
    "X-Trino-Language: en-US\r\n"
    "X-Trino-Client-Capabilities: PARAMETRIC_DATETIME,SESSION_AUTHORIZATION\r\n"
    "User-Agent: trino-jdbc/484\r\n"
    "Accept-Encoding: identity\r\n"
    "Connection: Keep-Alive\r\n"
)
ANSWER = (
    b"HTTP/1.1 200 OK\r\n"
    b"Date: Sat, 21 Nov 2026 09:00:00 GMT\r\n"
    b"Content-Type: application/json\r\n"
    b"X-Content-Type-Options: nosniff\r\n"
    b"Cache-Control: no-store\r\n"
    b"Vary: Accept-Encoding\r\n"
)
INFO = {"nodeVersion": {"version": "483"}, "environment": "test", "coordinator": True, "starting": False, "uptime": "1.00m"}
# Seconds; a gateway under valgrind is some fifty times slower than without.
PATIENCE = 120
# As many as may be probed at once.
BACKLOG = 1024


def row(number):
    """One that is like no other, so that it compresses as results do; by Knuth's multiplier."""
    digits = (number + 1) * 6_364_136_223_846_793_005 % 2**64
    return [100_000_000 + number, f"{digits:016x}{digits * digits % 2**64:016x}{number:017}"]


def packed(body, coding):
    """A page in that coding, None being as it is."""
    if coding == "zstd":
        # Not there for those who only measure plain pages.
        import zstandard

        return zstandard.ZstdCompressor(level=3).compress(body)
    return gzip.compress(body) if coding == "gzip" else body


def page(state, rows):
    """A page of a query; six rows make about 1 KB."""
    stats = {"state": state, "queued": False, "scheduled": True, "nodes": 1, "totalSplits": 1, "processedRows": 1}
    column = {"name": "a", "type": "bigint", "typeSignature": {"rawType": "bigint", "arguments": []}}
    next_uri = f"http://trino/v1/statement/{'queued' if state == 'QUEUED' else 'executing'}/{QUERY}/yslug/1"
    body = {"id": QUERY, "infoUri": f"http://trino/ui/query.html?{QUERY}", "nextUri": next_uri}
    body |= {"columns": [column], "data": [row(number) for number in range(rows)], "stats": stats, "warnings": []}
    return json.dumps(body, separators=(",", ":")).encode()


class Coordinator:
    """Listens on a free port of this machine until it is left; on `host`, with pages of so many rows, in a coding."""

    def __init__(self, host="127.0.0.1", rows=6, coding=None):
        # By what the path begins with; a queued query runs at its first poll.
        self._pages = {
            EXECUTING: packed(page("RUNNING", rows), coding),
            "/v1/statement/": page("RUNNING", rows),
            "/v1/statement": page("QUEUED", 0),
            "/v1/info": json.dumps(INFO).encode(),
        }
        self._coding = f"Content-Encoding: {coding}\r\n".encode() if coding else b""
        self._begun = itertools.count(1)
        self._listener = socket.create_server((host, 0), backlog=BACKLOG)
        self.port = self._listener.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._listener.close()

    def _accept(self):
        while True:
            try:
                connection = self._listener.accept()[0]
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        """Answers one request after the other."""
        with connection, connection.makefile("rb") as asked:
            while line := asked.readline():
                method, path, _ = line.split(b" ")
                asked.read(length_of(asked))
                try:
                    connection.sendall(self._answer(method, path.decode()))
                except OSError:
                    return

    def _answer(self, method, path):
        body = next((body for begin, body in self._pages.items() if path.startswith(begin)), b"{}")
        if method == b"POST":
            # The first is the one whose pages there are.
            body = body.replace(QUERY.encode(), QUERY.replace("00001", f"{next(self._begun):05}").encode())
        if method == b"HEAD":
            return ANSWER + b"Content-Length: 0\r\n\r\n"
        coding = self._coding if path.startswith(EXECUTING) else b""
        return ANSWER + coding + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


def length_of(head):
    """Reads the headers of a message to their end; how long its body is, where they state it."""
    length = 0
    while (line := head.readline()) not in (b"\r\n", b""):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return length


class Client:
    """One connection to the gateway, on which one query is polled."""

    def __init__(self, port):
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answers = self._socket.makefile("rb")
        self._headers = HEADERS.format(port=port).encode()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._answers.close()
        self._socket.close()

    def begin(self):
        """Begins a query and asks for its first page; the request for the page that follows."""
        poll = self._poll(self.submit())
        return self._poll(self._ask(poll))

    def submit(self):
        """A statement; its page."""
        return self._ask(b"POST /v1/statement HTTP/1.1\r\n" + self._headers + b"Content-Length: 8\r\n\r\nSELECT 1")

    def _poll(self, page):
        path = "/" + json.loads(page)["nextUri"].split("/", 3)[3]
        return b"GET %b HTTP/1.1\r\n%b\r\n" % (path.encode(), self._headers)

    def poll(self, request):
        """Asks for the page again: the gateway cannot know that it is the same."""
        self._ask(request)

    def _ask(self, request):
        self._socket.sendall(request)
        status = self._answers.readline()
        length = length_of(self._answers)
        body = self._answers.read(length)
        while not length and (size := int(self._answers.readline(), 16)):
            body += self._answers.read(size + 2)[:-2]
        if not length:
            self._answers.readline()
        if b" 200 " not in status:
            raise RuntimeError(f"{status!r}: {body[:200]!r}")
        return body
