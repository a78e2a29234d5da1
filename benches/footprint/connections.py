"""Thousands of clients on one loop, and a coordinator that answers each poll with the same page."""

import asyncio
import json
from contextlib import asynccontextmanager

from one_page import ANSWER, HEADERS, INFO, page

# At once, so that none is turned away for want of a place in the listener's queue.
CROWD = 200
BACKLOG = 4096
# As long as a response may be.
LIMIT = 1 << 20


@asynccontextmanager
async def trino():
    """The coordinator's port."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=BACKLOG, limit=LIMIT)
    async with server:
        yield server.sockets[0].getsockname()[1]


PAGES = {b"/v1/statement/": page("RUNNING", 6), b"/v1/statement": page("QUEUED", 0), b"/v1/info": json.dumps(INFO).encode()}


async def serve(asked, answer):
    """Answers one request after the other."""
    try:
        while head := await asked.readuntil(b"\r\n\r\n"):
            if head.startswith(b"POST"):
                await asked.readexactly(len(SQL))
            path = head.split(b" ", 2)[1]
            body = next((body for begin, body in PAGES.items() if path.startswith(begin)), b"{}")
            answer.write(ANSWER + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        answer.close()


SQL = b"SELECT 1"


class Clients:
    """Connections to a gateway, each of which has asked once."""

    def __init__(self, port):
        self._port = port
        self._headers = HEADERS.format(port=port).encode()
        self._poll = None
        self._all = []

    async def __aenter__(self):
        reader, writer = await self._connection()
        posted = await ask(reader, writer, b"POST /v1/statement HTTP/1.1\r\n" + self._headers + b"Content-Length: %d\r\n\r\n%b" % (len(SQL), SQL))
        path = "/" + json.loads(posted)["nextUri"].split("/", 3)[3]
        began = await ask(reader, writer, self._get(path))
        self._poll = self._get("/" + json.loads(began)["nextUri"].split("/", 3)[3])
        writer.close()
        return self

    async def __aexit__(self, *_):
        for _, writer in self._all:
            writer.close()

    def _get(self, path):
        return b"GET %b HTTP/1.1\r\n%b\r\n" % (path.encode(), self._headers)

    def _connection(self):
        return asyncio.open_connection("127.0.0.1", self._port, limit=LIMIT)

    async def come(self, many):
        """So many come, ask once, and stay."""
        while len(self._all) < many:
            crowd = await asyncio.gather(*(self._connection() for _ in range(min(CROWD, many - len(self._all)))))
            await asyncio.gather(*(ask(*each, self._poll) for each in crowd))
            self._all += crowd

    async def work(self, many, seconds):
        """So many of them poll without a pause; how many polls that made."""
        polls = 0
        end = asyncio.get_running_loop().time() + seconds

        async def busy(each):
            nonlocal polls
            while asyncio.get_running_loop().time() < end:
                await ask(*each, self._poll)
                polls += 1

        await asyncio.gather(*(busy(each) for each in self._all[:many]))
        return polls


async def ask(reader, writer, request):
    """One request; the body of its answer, which is in chunks or has a length."""
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n", 1)[0]:
        raise RuntimeError(head.decode())
    length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), None)
    if length is not None:
        return await reader.readexactly(length)
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readexactly(2)
    return body
