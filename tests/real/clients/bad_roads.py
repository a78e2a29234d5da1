"""What lies between a client and a gateway, or a gateway and a coordinator: an IPv6 address, a proxy with a name and a prefix."""

import json
import selectors
import socket
import socketserver
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import wire

ORIGIN = "https://gw.example.com"
# What proxies add when they end TLS for a name and serve a path; the lists show that another proxy came before.
ADDED = {
    "X-Forwarded-For": "203.0.113.9, 10.1.2.3",
    "X-Forwarded-Host": "gw.example.com",
    "X-Forwarded-Port": "443",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Prefix": "/trino",
    "X-Forwarded-Server": "proxy.internal",
    "X-Real-IP": "203.0.113.9",
    "Via": "1.1 proxy.internal",
}
# Of one connection, not of the message.
HOP = {"connection", "keep-alive", "transfer-encoding", "host", "content-length"}


class Background:
    """A server that runs while it is entered."""

    def __init__(self, server):
        self._server = server
        server.daemon_threads = True
        self._thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    @property
    def port(self):
        """Where it listens."""
        return self._server.server_address[1]


class SixServer(socketserver.ThreadingTCPServer):
    """Listens on an address of IPv6."""

    address_family = socket.AF_INET6
    allow_reuse_address = True


class Relay(Background):
    """An address of IPv6 that leads to a coordinator, which itself listens on none."""

    def __init__(self, url):
        parts = urlsplit(url)
        self.connections = 0
        relay = self

        class Handler(socketserver.BaseRequestHandler):
            """One connection, byte for byte."""

            def handle(self):
                relay.connections += 1
                with socket.create_connection((parts.hostname, parts.port)) as other:
                    shovel(self.request, other)

        super().__init__(SixServer(("::1", 0), Handler))

    @property
    def url(self):
        """What the gateway calls it."""
        return f"http://[::1]:{self.port}"


def shovel(one, other):
    """Copies both ways until either side ends."""
    with selectors.DefaultSelector() as ready:
        for here, there in ((one, other), (other, one)):
            ready.register(here, selectors.EVENT_READ, there)
        while True:
            for key, _ in ready.select():
                data = key.fileobj.recv(65536)
                if not data:
                    return
                key.data.sendall(data)


class Prefixed(Background):
    """A proxy that ends TLS for `gw.example.com` and serves a gateway under `/trino`; it adds headers of its own."""

    def __init__(self, gateway):
        class Handler(BaseHTTPRequestHandler):
            """One request, sent on without the prefix."""

            protocol_version = "HTTP/1.1"

            def do_POST(self):
                """Statements and polls alike."""
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
                url = f"{gateway}{self.path.removeprefix('/trino')}"
                self._answer(*wire.exchange(self.command, url, body or None, {**headers, **ADDED}, timeout=60))

            do_GET = do_POST

            def _answer(self, status, headers, body):
                self.send_response(status)
                for name, value in headers.items():
                    if name.lower() not in HOP:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                """Says nothing."""

        super().__init__(ThreadingHTTPServer(("127.0.0.1", 0), Handler))

    def pages(self, base, sql):
        """The pages of a statement, by a client that believes to speak TLS with `gw.example.com`."""
        own = f"http://127.0.0.1:{self.port}"
        found, method, url, body = [], "POST", f"{base}/v1/statement", sql
        while url:
            assert url.startswith(f"{ORIGIN}/"), url
            status, _, data = wire.exchange(method, url.replace(ORIGIN, own, 1), body, timeout=60)
            assert status == 200, data[:500]
            found.append(json.loads(data))
            method, url, body = "GET", found[-1].get("nextUri"), None
        return found
