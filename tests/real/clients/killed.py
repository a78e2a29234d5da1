"""The coordinator's JVM is killed while a result is being read, and comes back: its user gets an error, never a short result.

Were it to stay away, the clients would ask for its pages for as long as each is willing to (two minutes, most of them),
as they do without a gateway.
"""

from contextlib import contextmanager

from coordinators import FORWARDED, Coordinators
from gateway import Gateway
from peers import PRESTO
from situations import SETTINGS, Scene, Situation
from where import Where


class Killed(Situation):
    """All read from one coordinator, which dies; another is there for the statement after that."""

    name = "killed"
    tasks = ("reading",)
    at_once = 16

    @contextmanager
    def open(self, peers):
        mortal = Coordinators(self.trino, [(PRESTO, FORWARDED)])
        backends = [{"name": "trino-a", "url": mortal.urls[0]}, {"name": "trino-b", "url": peers.trinos(self.trino)["forwarded"]}]
        with mortal, Gateway(backends, **SETTINGS) as gateway:
            gateway.command("/admin/backends/trino-b/drain")

            def kill():
                gateway.command("/admin/backends/trino-b/activate")
                mortal.kill()
                mortal.start()

            yield Scene(Where.at(gateway.url), [gateway], kill)

    def judge(self, case, through, direct):
        """Each result is whole or an error, one is an error, and the statement after them is answered."""
        expected = {each["see"]: each["value"] for each in direct()}
        named = {each["see"]: each["value"] for each in through}
        failed = [name for name, value in named.items() if is_error(value)]
        short = [f"{name}: {value}" for name, value in named.items() if name not in failed and value != expected.get(name)]
        assert not short, f"a result that ended though its coordinator had died: {short}"
        assert failed, f"nobody heard of an error: {through}"
        last = through[-1]
        assert len(through) == len(expected) and last["value"] == expected.get(last["see"]), f"afterwards: {last}"


def is_error(value):
    """Whether an observation is an error, as all the programs show them."""
    return isinstance(value, dict) and "error" in value
