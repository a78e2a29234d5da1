#!/usr/bin/env python3
"""Stands for whoever can start and stop coordinators: it takes the gateway's webhook and keeps what is wanted.

    POST /resume, /suspend   {"backend": "trino-b", ...} as the driver `webhook` sends it; 409 where it is so already
    GET /wanted/BACKEND      200 while it shall run, else 404: what the coordinator's container asks
    GET /healthz             200

It deliberately starts nothing itself: that would need the Docker socket.
"""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WANTED = set()
# Larger than anything that the driver sends.
LARGEST_BODY = 64 * 1024


class Resumer(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    # Seconds without a byte.
    timeout = 10

    def do_GET(self):
        """Whether a coordinator shall run."""
        if self.path == "/healthz":
            return self.say(200, "ok")
        wanted = self.path.startswith("/wanted/") and self.path.removeprefix("/wanted/") in WANTED
        return self.say(200, "yes") if wanted else self.say(404, "no")

    def do_POST(self):
        """A call of the driver."""
        call = self.call()
        backend = call.get("backend")
        if self.path not in ("/resume", "/suspend") or not isinstance(backend, str):
            return self.say(400, "POST /resume or /suspend with a backend")
        so_already = (backend in WANTED) == (self.path == "/resume")
        if self.path == "/resume":
            WANTED.add(backend)
        else:
            WANTED.discard(backend)
        told = {key: call.get(key) for key in ("group", "backend", "reason", "wakeId", "attempt")}
        print(json.dumps({"event": self.path[1:], "already": so_already, **told}), flush=True)
        return self.say(409 if so_already else 202, "already so" if so_already else "accepted")

    def call(self):
        """The body, or an empty call."""
        try:
            size = int(self.headers.get("Content-Length", "0"))
            return json.loads(self.rfile.read(min(max(size, 0), LARGEST_BODY)))
        except ValueError:
            return {}

    def say(self, status, text):
        """An answer in words."""
        body = f"{text}\n".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Polls are not news."""


if __name__ == "__main__":
    port = int(os.environ.get("PORT", "8000"))
    server = ThreadingHTTPServer(("0.0.0.0", port), Resumer)
    print(json.dumps({"event": "resumer_started", "port": server.server_address[1]}), flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        sys.exit(0)
