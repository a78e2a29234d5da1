"""TLS ends at the gateway: each client comes by the HTTP version that it agrees on, with the tests' own authority."""

import re
import tempfile
import threading
from contextlib import ExitStack, contextmanager
from pathlib import Path

import certificates
from gateway import Gateway
from situations import SETTINGS, Scene, Situation
from where import Where

# The gateway's own word of each connection.
ACCEPTED = re.compile(r'"event":"tls_accepted".*?"protocol":"([^"]+)"')


class Encrypted(Situation):
    """A certificate of an authority that only these clients know; a gateway for each client, so that it is known who spoke what."""

    name = "tls"
    tasks = ("statements", "spooled", "cold")
    full = False
    # Whether clients are kept from HTTP/2.
    http1 = False

    def __init__(self):
        self._spoken = {}

    def plays(self, client, task):
        """Everything for those who are played everywhere, else that they come in, ask, and hear of an error."""
        return super().plays(client, task) and client.tls and (client.full or task == "cold")

    def expected(self, client):
        """The HTTP versions that a client should have agreed on."""
        return client.protocols

    @contextmanager
    def open(self, peers):
        with tempfile.TemporaryDirectory() as folder, ExitStack() as closing:
            folder = Path(folder)
            certificates.make(folder, "tests")
            backend = {"name": "trino", "url": peers.trinos(self.trino)["forwarded"]}
            doors = Doors(backend, folder, closing, self.http1)
            yield doors
            self._spoken = doors.spoken()

    def judge(self, case, through, direct):
        """Besides what is seen: the client chose the protocol that it always chooses."""
        super().judge(case, through, direct)
        spoken, expected = self._spoken[case.client.name], self.expected(case.client)
        assert spoken == expected, f"{case.client} spoke {sorted(spoken)}, not {sorted(expected)}"


class Encrypted1(Encrypted):
    """Those who would speak HTTP/2 over TLS speak HTTP/1.1, as they do with whoever offers nothing else."""

    name = "tls-http1"
    tasks = ("cold",)
    http1 = True

    def plays(self, client, task):
        return super().plays(client, task) and client.http1

    def expected(self, client):
        return frozenset({"http/1.1"})


class Doors(Scene):
    """A scene in which each client has a gateway of its own, started when it first comes."""

    def __init__(self, backend, folder, closing, http1):
        super().__init__(None, [])
        self._settings = {
            "data": {"tls": {"certificate": str(folder / "server.crt"), "key": str(folder / "server.key")}},
            "log": {"level": "debug"}, **SETTINGS,
        }
        self._backend = backend
        self._ca = str(folder / "ca.crt")
        self._closing = closing
        self._http1 = http1
        self._lock = threading.Lock()
        self._found = {}

    def where_for(self, client):
        """The client's own gateway."""
        with self._lock:
            if client.name not in self._found:
                gateway = self._closing.enter_context(Gateway([self._backend], **self._settings))
                self._found[client.name] = gateway
                self.gateways.append(gateway)
            return Where.at(self._found[client.name].url, ca=self._ca, http="1.1" if self._http1 else None)

    def spoken(self):
        """{client: the HTTP versions that it has agreed on}."""
        return {name: frozenset(ACCEPTED.findall(gateway.lines())) for name, gateway in self._found.items()}
