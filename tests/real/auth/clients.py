"""Trino's own clients, each asked for one statement: what their user sees, as rows or as the words of the error.

A client is told where to go and what to show (`Pass`), never how: whoever stands in between must not show.
"""

import queue
import re
import subprocess
import threading
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests
import trino
from trino.auth import BasicAuthentication, JWTAuthentication, OAuth2Authentication

import programs
from doors import RecordedConnection, RecordingSession

# Seconds until an answer: a cold start on a busy machine, as in the other tests of one.
LIMIT = 240
LINK = re.compile(r"https://\S+/oauth2/\S+")


@dataclass(frozen=True)
class Pass:
    """What a client shows at the door: a password, a token, or nothing but the way to a browser."""

    user: str
    password: str | None = None
    token: str | None = None
    browser: object = None


@dataclass(frozen=True)
class Seen:
    """What the client's user sees: the rows as text, or the error."""

    rows: tuple = ()
    error: str | None = None


class Python:
    """The official Python client, in this process; `exchanges` are its requests."""

    name = "python"

    def __init__(self, ca):
        self._ca = str(ca)
        self.exchanges = []

    def connect(self, url, shown, **options):
        """A connection whose requests are recorded."""
        split = urlsplit(url)
        session = RecordingSession(self.exchanges)
        # The client asks for it only where it makes the session itself.
        session.verify = self._ca
        return RecordedConnection(
            host=split.hostname, port=split.port, http_scheme=split.scheme, user=shown.user, auth=authentication(shown),
            http_session=session, encoding=None, **options,
        )

    def ask(self, url, sql, shown):
        """What the user sees of a statement."""
        try:
            with self.connect(url, shown) as connection:
                rows = connection.cursor().execute(sql).fetchall()
            return Seen(tuple(tuple(map(str, row)) for row in rows))
        except (trino.exceptions.Error, trino.exceptions.HttpError, trino.exceptions.TrinoAuthError, requests.RequestException) as error:
            return Seen(error=f"{type(error).__name__}: {error}")


def authentication(shown):
    """The client's own way to show it."""
    if shown.browser:
        return OAuth2Authentication(redirect_auth_url_handler=shown.browser.open)
    if shown.token:
        return JWTAuthentication(shown.token)
    return BasicAuthentication(shown.user, shown.password) if shown.password else None


class Jdbc:
    """The JDBC driver in one JVM, which is asked over a pipe."""

    name = "jdbc"

    def __init__(self, ca):
        self._ca = ca
        self._process = subprocess.Popen(
            [str(word) for word in programs.asker()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )
        self._said = queue.Queue()
        threading.Thread(target=self._listen, name="jdbc", daemon=True).start()

    def _listen(self):
        for line in self._process.stdout:
            self._said.put(line.rstrip("\n"))
        self._said.put("error\tnone\tthe JVM ended")
        self._said.put("end")

    def ask(self, url, sql, shown, on_hold=None, **more):
        """What the user sees of a statement; `on_hold` is called after the first row, `more` are properties."""
        properties = {**self._properties(shown), **more, **({"hold": "true"} if on_hold else {})}
        words = [f"jdbc:trino://{urlsplit(url).netloc}", sql, *[f"{name}={value}" for name, value in properties.items()]]
        self._say("\t".join(words))
        return self._answer(shown, on_hold)

    def _say(self, line):
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def _properties(self, shown):
        properties = {"SSL": "true", "SSLTrustStorePath": self._ca, "user": shown.user, "password": shown.password, "accessToken": shown.token}
        if shown.browser:
            properties |= {"externalAuthentication": "true", "externalAuthenticationRedirectHandlers": "PRINT"}
        return {name: value for name, value in properties.items() if value}

    def _answer(self, shown, on_hold):
        rows, error = [], None
        while (line := self._said.get(timeout=LIMIT)) != "end":
            kind, *words = line.split("\t")
            if kind == "row":
                rows.append(tuple(words))
            elif kind == "error":
                error = " ".join(words)
            elif line == "held":
                on_hold()
                self._say("")
            elif link := LINK.search(line):
                shown.browser.open(link[0])
        return Seen(tuple(rows), error)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()


class Cli:
    """The command line, a JVM a statement."""

    name = "cli"

    def __init__(self, ca):
        self._ca = ca
        self._command = programs.cli()

    def ask(self, url, sql, shown):
        """What the user sees of a statement."""
        command = [*self._command, url, "--user", shown.user, "--execute", sql, "--output-format", "TSV", "--truststore-path", self._ca]
        if shown.password:
            command.append("--password")
        if shown.token:
            command += ["--access-token", shown.token]
        if shown.browser:
            command += ["--external-authentication", "--external-authentication-redirect-handler", "PRINT"]
        process = subprocess.Popen(
            [str(word) for word in command], env={"TRINO_PASSWORD": shown.password or "", "HOME": "/nonexistent"},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        return self._answer(process, shown)

    def _answer(self, process, shown):
        rows = []
        # It is ended with its words unread rather than waited for without end.
        clock = threading.Timer(LIMIT, process.kill)
        clock.start()
        for line in process.stdout:
            if link := LINK.search(line):
                shown.browser.open(link[0])
            elif line.strip() and not line.startswith("External authentication required"):
                rows.append(tuple(line.rstrip("\n").split("\t")))
        words = process.stderr.read()
        status = process.wait()
        clock.cancel()
        return Seen(tuple(rows), f"exit {status}: {' '.join(words.split())}" if status else None)
