"""The gateway is rolled in mid-use: a second process is ready behind the load balancer before the first is told to leave."""

import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path

import haproxy
from gateway import Gateway
from process import Process, answers, on_free_ports
from situations import SETTINGS, Scene, Situation
from where import Where

# The first takes everything while it is ready; a load balancer needs a moment to see that it is not any more.
CONFIG = """
global
  maxconn 500
defaults
  mode http
  timeout connect 3s
  timeout client 10m
  timeout server 10m
  option redispatch
frontend clients
  bind 127.0.0.1:{port}
  default_backend gateways
backend gateways
  option httpchk GET /readyz
  default-server check inter 200ms fall 1 rise 1
  server first 127.0.0.1:{first.port} port {first_health}
  server second 127.0.0.1:{second.port} port {second_health} backup
"""
DRAIN = {"wait": "2s", "deadline": "10s"}


class Rolled(Situation):
    """SIGTERM to the first gateway while results are read, and while a connection is idle."""

    name = "rolled"
    tasks = ("reading", "idle")
    at_once = 16

    @contextmanager
    def open(self, peers):
        with ExitStack() as closing:
            first, second = (closing.enter_context(Gateway(peers.pair(), drain=DRAIN, **SETTINGS)) for _ in range(2))
            url = closing.enter_context(balancer(first, second))

            def roll():
                assert first.samples("gateway_query_events_total", 'event="submitted"') > 0, "the first had nothing to do"
                first.terminate()

            # Results are read on while it leaves; who is idle comes back when it has left.
            yield Scene(Where.at(url), [second], roll, lambda mark: first.left() if mark == "idle" else None)


@contextmanager
def balancer(first, second):
    """HAProxy before two gateways; yields its URL."""
    program = haproxy.program()
    with tempfile.TemporaryDirectory() as folder:
        process, url = on_free_ports(1, lambda port: begin(program, Path(folder), port, first, second))
        try:
            yield url
        finally:
            process.kill()


def begin(program, folder, port, first, second):
    """Starts HAProxy on a port, and waits until it has found the first gateway."""
    health = {f"{name}_health": each.health.rsplit(":", 1)[1] for name, each in (("first", first), ("second", second))}
    config = folder / "haproxy.cfg"
    config.write_text(CONFIG.format(port=port, first=first, second=second, **health))
    url = f"http://127.0.0.1:{port}"
    return Process("haproxy", [program, "-db", "-f", config], folder, lambda: answers(f"{url}/v1/info")), url
