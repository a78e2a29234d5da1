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

# What comes after the error goes to a coordinator that lives.
AFTERWARDS = "afterwards"


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
        """`rows` is what a client shows when a result has come to its end."""
        named = {each["see"]: each["value"] for each in through}
        whole = {each["see"]: each["value"] for each in direct()}
        assert "rows" in whole, "the reference came to its end"
        assert "rows" not in named, f"a result that ended though its coordinator had died: {named['rows']}"
        assert any("error" in name for name in named), f"nobody heard of an error: {through}"
        assert named.get(AFTERWARDS) == whole[AFTERWARDS], f"afterwards: {named.get(AFTERWARDS)}"
