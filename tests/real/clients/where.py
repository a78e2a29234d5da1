"""Where a client is told to connect: the gateway, or the coordinator itself for the reference."""

import json
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Where:
    """An address with what a user would configure beside it."""

    host: str
    port: int
    scheme: str = "http"
    # Before `/v1`, as behind a proxy that serves more than Trino.
    path: str = ""
    # A PEM file; None where the system's roots do or nothing is encrypted.
    ca: str | None = None
    user: str = "tests"
    password: str | None = None
    token: str | None = None
    catalog: str = "tpch"
    schema: str = "tiny"
    # A value of X-Trino-Query-Data-Encoding; None leaves the client's own default.
    encoding: str | None = None
    source: str = "clients"
    # The version of HTTP to keep to, though others are offered: "1.1"; None leaves the client's own choice.
    http: str | None = None

    @classmethod
    def at(cls, url, **more):
        """From a base URL."""
        parts = urlsplit(url)
        return cls(host=parts.hostname, port=parts.port, scheme=parts.scheme, path=parts.path, **more)

    def as_json(self, word):
        """The line that a program reads; `word` is for the names of its tables."""
        return json.dumps({**asdict(self), "word": word})
