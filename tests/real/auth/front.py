"""HAProxy in front of the gateway: it ends TLS, and says so in X-Forwarded-*."""

import shutil
import tempfile
from pathlib import Path

import haproxy
import wire
from process import Process, on_free_ports

# A poll may be held for a while; no test waits for this limit.
CONFIG = """\
defaults
  mode http
  timeout connect 5s
  timeout client 10m
  timeout server 10m
  option forwardfor
frontend tls
  bind 127.0.0.1:{port} ssl crt {pair} alpn h2,http/1.1
  http-request set-header X-Forwarded-Proto https
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  default_backend gateway
backend gateway
  server gateway 127.0.0.1:{gateway}
"""


class Front:
    """A running HAProxy; `port` speaks TLS."""

    def __init__(self, realm, gateway):
        self._program = haproxy.program()
        self._realm, self._gateway = realm, gateway
        self._folder = Path(tempfile.mkdtemp(prefix="front-"))
        self._process = None
        self.port = None

    def _begin(self, port):
        self.port = port
        config = self._folder / "haproxy.cfg"
        config.write_text(CONFIG.format(port=port, pair=self._realm.pair, gateway=self._gateway))
        return Process("haproxy", [self._program, "-db", "-f", config], self._folder, self._answers)

    def _answers(self):
        try:
            url = f"https://localhost:{self.port}/v1/info"
            return wire.exchange("GET", url, context=self._realm.context)[0] == 200
        except OSError:
            return False

    def __enter__(self):
        try:
            self._process = on_free_ports(1, self._begin)
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        return self

    def __exit__(self, *_):
        self._process.kill()
        shutil.rmtree(self._folder, ignore_errors=True)
