"""TLS ends at the gateway: each client comes by the HTTP version that it agrees on, with the tests' own authority."""

import tempfile
from contextlib import contextmanager
from pathlib import Path

import certificates
from gateway import Gateway
from situations import SETTINGS, Scene, Situation
from where import Where


class Encrypted(Situation):
    """A certificate of an authority that only these clients know."""

    name = "tls"
    tasks = ("statements", "spooled", "cancel", "cold")
    full = False

    def plays(self, client, task):
        """Everything for those who are played everywhere, else that what they can do works."""
        return super().plays(client, task) and client.tls and (client.full or task == "statements")

    @contextmanager
    def open(self, peers):
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            certificates.make(folder, "tests")
            tls = {"certificate": str(folder / "server.crt"), "key": str(folder / "server.key")}
            backend = {"name": "trino", "url": peers.trinos(self.trino)["forwarded"]}
            with Gateway([backend], data={"tls": tls}, **SETTINGS) as gateway:
                yield Scene(Where.at(gateway.url, ca=str(folder / "ca.crt")), [gateway])
