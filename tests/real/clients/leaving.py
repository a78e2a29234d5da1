"""Clients that leave: a function for each moment at which one can, from the first byte to the middle of a page of rows."""

import socket
import struct

import wire

SQL = "SELECT * FROM tpch.tiny.orders"
# Linger for no time: the connection ends with a reset, as that of a process that was killed with bytes unread.
RESET = struct.pack("ii", 1, 0)


def connected(gateway):
    """A connection to the gateway."""
    return socket.create_connection(("127.0.0.1", gateway.port), timeout=30)


def post(sql, length=None):
    """A whole POST, or one that promises more than it sends."""
    body = sql.encode()
    head = f"POST /v1/statement HTTP/1.1\r\nHost: gateway\r\nX-Trino-User: tests\r\nContent-Length: {length or len(body)}\r\n\r\n"
    return head.encode() + body


def poll(page):
    """The GET of a page's nextUri."""
    path = "/" + page["nextUri"].split("/", 3)[3]
    return f"GET {path} HTTP/1.1\r\nHost: gateway\r\nX-Trino-User: tests\r\n\r\n".encode()


def at_once(gateway):
    """Before a byte."""
    connected(gateway).close()


def in_the_head(gateway):
    """In the middle of the request's head."""
    with connected(gateway) as client:
        client.sendall(post(SQL)[:40])


def in_the_statement(gateway):
    """In the middle of the request's body."""
    with connected(gateway) as client:
        client.sendall(post(SQL, length=100_000))


def before_the_answer(gateway):
    """With the statement sent and nothing read."""
    with connected(gateway) as client:
        client.sendall(post(SQL))


def after_the_first_page(gateway):
    """Without ever asking for the second page."""
    next(wire.pages(gateway.url, SQL))


def in_a_poll(gateway):
    """While a page is being waited for: a query that takes longer than anybody here waits."""
    page = next(wire.pages(gateway.url, "SELECT count(*) FROM tpch.sf1000.lineitem a, tpch.sf1000.lineitem b"))
    with connected(gateway) as client:
        client.sendall(poll(page))


def in_a_page(gateway):
    """With some bytes of a page of rows read, and by a reset."""
    for page in wire.pages(gateway.url, "SELECT * FROM tpch.sf1.lineitem"):
        if page.get("data"):
            break
    with connected(gateway) as client:
        client.sendall(poll(page))
        assert client.recv(1000).startswith(b"HTTP/1.1 200")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


STAGES = [at_once, in_the_head, in_the_statement, before_the_answer, after_the_first_page, in_a_poll, in_a_page]
