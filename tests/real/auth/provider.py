"""An identity provider of npm, as a process: OpenID Connect with discovery and signed tokens, and no form to fill in."""

import shutil
import tempfile
from pathlib import Path

import node
from process import Process, answers, on_free_ports

SOURCE = Path(__file__).resolve().parent / "provider"


class Provider:
    """A running provider; `issuer` is its URL."""

    def __init__(self):
        self._node = Path(node.find()) / "node"
        self._packages = node.packages(SOURCE)
        self._folder = Path(tempfile.mkdtemp(prefix="provider-"))
        self._process = None
        self.issuer = None

    def __enter__(self):
        try:
            self._process = on_free_ports(1, self._begin)
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        return self

    def _begin(self, port):
        self.issuer = f"http://127.0.0.1:{port}"
        command = [self._node, SOURCE / "provider.js", self._packages, port]
        return Process("provider", command, self._folder, lambda: answers(f"{self.issuer}/.well-known/openid-configuration"))

    def __exit__(self, *_):
        self._process.kill()
        shutil.rmtree(self._folder, ignore_errors=True)
