"""Several gateways behind one load balancer, as a platform team runs them: replaced one after the other, or lost."""

import csv
import io
import tempfile
from contextlib import ExitStack
from pathlib import Path

import haproxy
import wire
from gateway import Gateway
from process import Process, answers, on_free_ports

# TCP, as most load balancers before a gateway are: whoever has a connection keeps its replica until one of the two hangs up.
CONFIG = """
global
  maxconn 2000
defaults
  mode tcp
  timeout connect 3s
  timeout client 10m
  timeout server 10m
  option redispatch
frontend clients
  bind 127.0.0.1:{port}
  default_backend replicas
frontend stats
  mode http
  bind 127.0.0.1:{stats}
  stats enable
  stats uri /
backend replicas
  balance roundrobin
  option httpchk GET /readyz
  default-server check inter 100ms fall 1 rise 1
{servers}
"""
SERVER = "  server {name} 127.0.0.1:{port} port {health}"
# The balancer looks every 100 ms; until then a replica that leaves goes on taking connections.
DRAIN = {"wait": "1s", "deadline": "20s"}


class Fleet:
    """`count` replicas that serve, and as many that stand by to take their places, behind HAProxy at `url`."""

    def __init__(self, count, groups, **settings):
        backends = [backend for group in groups for backend in group["backends"]]
        asleep = sum("resume" in backend for backend in backends)
        common = {"drain": DRAIN, "routingGroups": groups, **settings}
        self._all = [Gateway(backends, asleep=asleep, **common) for _ in range(2 * count)]
        self.serving = self._all[:count]
        self._waiting = self._all[count:]
        self._closing = ExitStack()
        self._folder = None

    def __enter__(self):
        with ExitStack() as closing:
            for gateway in self.serving:
                closing.enter_context(gateway)
            self._folder = Path(closing.enter_context(tempfile.TemporaryDirectory()))
            process = self._balance(haproxy.program())
            closing.callback(process.kill)
            for gateway in self.serving:
                self._sees(gateway, "UP", process)
            self._process = process
            self._closing = closing.pop_all()
        return self

    def __exit__(self, *words):
        return self._closing.__exit__(*words)

    def _balance(self, program):
        process, self.url, self._stats = on_free_ports(2, lambda port, stats: self._begin(program, port, stats))
        return process

    def _begin(self, program, port, stats):
        servers = [
            SERVER.format(name=name_of(gateway), port=gateway.port, health=gateway.health.rsplit(":", 1)[1]) for gateway in self._all
        ]
        config = self._folder / "haproxy.cfg"
        config.write_text(CONFIG.format(port=port, stats=stats, servers="\n".join(servers)))
        page = f"http://127.0.0.1:{stats}/;csv"
        return Process("haproxy", [program, "-db", "-f", config], self._folder, lambda: answers(page)), f"http://127.0.0.1:{port}", page

    def _sees(self, gateway, state, process=None):
        """Waits until the balancer has seen a replica come or go."""
        (process or self._process).until(f"see {name_of(gateway)} {state}", lambda: self._row(gateway)["status"].startswith(state))

    def _row(self, gateway):
        """What the balancer knows of a replica."""
        page = wire.exchange("GET", self._stats)[2].decode().lstrip("# ")
        (row,) = (row for row in csv.DictReader(io.StringIO(page)) if row["svname"] == name_of(gateway))
        return row

    def connections(self, gateway):
        """How many connections the balancer has to a replica."""
        return int(self._row(gateway)["scur"])

    def join(self):
        """One more replica serves; gives it."""
        gateway = self._waiting.pop(0)
        self._closing.enter_context(gateway)
        self._sees(gateway, "UP")
        self.serving.append(gateway)
        return gateway

    def replace(self, old):
        """As a roll-out does: another one serves before this one is told to leave; waits until it has left."""
        self.join()
        self.serving.remove(old)
        old.terminate()
        self._sees(old, "DOWN")
        old.left()

    def lose(self, gateway):
        """One replica dies."""
        self.serving.remove(gateway)
        gateway.kill()
        self._sees(gateway, "DOWN")

    def waiting(self, group):
        """How many statements wait at the replicas that serve, each counted by one of them."""
        return self.told("xtrinode_gateway_inflight_queries", f'routing_group="{group}",state="RESUMING"')

    def told(self, name, label=""):
        """The sum of a metric over the replicas that serve."""
        return sum(gateway.samples(name, label) for gateway in self.serving)


def name_of(gateway):
    """What the balancer calls it."""
    return f"replica-{gateway.port}"
