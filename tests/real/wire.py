"""Trino's protocol in a few lines of the standard library: for readiness and for looking at raw answers."""

import fcntl
import json
import random
import socket
import tempfile
import threading
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

USER = {"X-Trino-User": "tests"}
# From where on few services have a port of their own.
LOWEST = 12000
# Ports that a process claims at once; most need fewer.
CLAIM = 200
# What the kernel chooses from for those who name no port: 32768 and up, unless somebody has set it otherwise.
RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_ports(count):
    """Ports of this host that nobody listens on, and that the kernel gives to nobody who does not name them.

    A JVM takes its port seconds after it was promised, and once more when it is started anew: one of the kernel's own
    choice would in between be for anybody who asks for port 0.
    """
    return [free_port() for _ in range(count)]


def free_port():
    """One that this process has given to nobody yet, nor any other that asks here."""
    while True:
        with _lock:
            if not _ports:
                _ports.extend(claimed())
            port = _ports.pop()
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def claimed():
    """Ports that are this process's as long as it lives: others run tests at the same time."""
    kernels = int(RANGE.read_text().split()[0]) if RANGE.exists() else 32768
    # Where the kernel takes nearly all of them there is nothing better.
    end = max(kernels, LOWEST + 1000)
    firsts = range(LOWEST, end, CLAIM)
    for first in random.sample(firsts, len(firsts)):
        with suppress(OSError):
            mark = open(Path(tempfile.gettempdir()) / f"sluice-ports-{first}", "w")
            try:
                fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                mark.close()
                continue
            _marks.append(mark)
            return range(first, min(first + CLAIM, end))
    raise RuntimeError("all ports are claimed")


_lock = threading.Lock()
_ports = []
# Held open, which is what holds the claims.
_marks = []


def exchange(method, url, body=None, headers=None, timeout=30, context=None):
    """One request; returns (status, headers, body bytes) whatever the status is, raises OSError without an answer.

    `context` says which certificates are believed on https."""
    data = body.encode() if isinstance(body, str) else body
    request = urllib.request.Request(url, data=data, method=method, headers={**USER, **(headers or {})})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context), NoRedirect)
    try:
        with opener.open(request, timeout=timeout) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.headers, answer.read()


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Shows a redirect instead of following it."""

    def redirect_request(self, *_):
        return None


def pages(base, sql, headers=None, context=None):
    """The pages of a statement, the answer to the POST first, each as Trino sent it."""
    status, _, body = exchange("POST", f"{base}/v1/statement", sql, headers, context=context)
    while True:
        if status != 200:
            raise RuntimeError(f"{status}: {body[:500]!r}")
        page = json.loads(body)
        yield page
        if "nextUri" not in page:
            return
        status, _, body = exchange("GET", page["nextUri"], None, headers, context=context)


def rows(base, sql, headers=None, context=None):
    """All rows of a statement by the direct protocol; raises when it fails."""
    found = []
    for page in pages(base, sql, headers, context):
        if "error" in page:
            raise RuntimeError(page["error"]["message"])
        found += page.get("data", [])
    return found


def answers(base, headers=None, context=None):
    """Whether a coordinator gives rows: the only proof that its catalogs are there."""
    try:
        return rows(base, "SELECT count(*) FROM tpch.tiny.nation", headers, context) == [[25]]
    except (OSError, RuntimeError, ValueError):
        return False


def coordinator_id(base):
    """The five characters that end each query id of that process; new at each start."""
    first, *_ = pages(base, "SELECT 1")
    return first["id"].rsplit("_", 1)[1]
