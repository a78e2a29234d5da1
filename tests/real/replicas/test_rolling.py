"""Three replicas that share nothing: rolled one after the other while two hundred people work on them, or one lost."""

from conftest import Crowds
from doors import settle
from fleet import Fleet

# Half of them by the official client; the other half repeats nothing, ever.
PEOPLE = {"python": 100, "strict": 100}
# Each person has come to the end of one more, on average.
A_ROUND = 100
# How a connection that is cut shows. The official client repeats a request unless a part of its answer has come.
BROKEN = {
    "python": ("TrinoConnectionError: failed to fetch: Response ended prematurely",),
    "strict": ("RemoteDisconnected", "ConnectionResetError", "IncompleteRead", "BrokenPipeError"),
}


def served(coordinators):
    """The groups of a gateway with one that is awake."""
    return [{"name": "real", "backends": coordinators}]


def test_a_rolling_restart_is_invisible(coordinators):
    """Each of the three is replaced in its turn: nobody notices, and nothing is left behind."""
    with Fleet(3, served(coordinators)) as fleet, Crowds(fleet.url, **PEOPLE) as crowds:
        crowds.go_on(A_ROUND)
        for old in list(fleet.serving):
            fleet.replace(old)
            crowds.go_on(A_ROUND)
        told = crowds.leave()
        print(f"rolled under {told}")
        assert all(each["failed"] == {} for each in told.values()), told
        settle(lambda: fleet.told("xtrinode_gateway_inflight_queries"), lambda: 0, "queries in flight")


def test_a_lost_replica_breaks_nothing_but_what_was_open_on_it(coordinators):
    """SIGKILL: what the official client repeats succeeds; who repeats nothing loses the statement that was open there."""
    with Fleet(3, served(coordinators)) as fleet, Crowds(fleet.url, **PEOPLE) as crowds:
        crowds.go_on(A_ROUND)
        lost = fleet.serving[0]
        open_there = fleet.connections(lost)
        assert open_there > 0
        fleet.lose(lost)
        crowds.go_on(A_ROUND)
        fleet.join()
        crowds.go_on(A_ROUND)
        told = crowds.leave()
        print(f"lost one, with {open_there} connections on it, under {told}")
        broken = {kind: each["failed"] for kind, each in told.items()}
        assert all(words.startswith(BROKEN[kind]) for kind, failed in broken.items() for words in failed), told
        # Some open a connection between our look and the end.
        lost = {kind: sum(failed.values()) for kind, failed in broken.items()}
        assert 0 < lost["strict"] <= PEOPLE["strict"] / 2 and sum(lost.values()) <= 1.2 * open_there, told
