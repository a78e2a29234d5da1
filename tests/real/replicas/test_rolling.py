"""Three replicas: rolled one after the other while two hundred people work on them, or one lost; with a store that they share,
statements that wait for a coordinator go through it, too."""

from conftest import Crowds
from doors import settle
from fleet import Fleet

# Half of them by the official client; the other half repeats nothing, ever.
PEOPLE = {"python": 100, "strict": 100}
AWAKE, ASLEEP = "real", "cold"
# Each person has come to the end of one more, on average.
A_ROUND = 100
# How a connection that is cut shows. The official client repeats a request unless a part of its answer has come.
BROKEN = {
    "python": ("TrinoConnectionError: failed to fetch: Response ended prematurely",),
    "strict": ("RemoteDisconnected", "ConnectionResetError", "IncompleteRead", "BrokenPipeError"),
}


def served(coordinators):
    """The groups of a gateway with one that is awake."""
    return [{"name": AWAKE, "backends": coordinators}]


def test_a_rolling_restart_is_invisible(coordinators):
    """Each of the three is replaced in its turn: nobody notices, and nothing is left behind."""
    with Fleet(3, served(coordinators)) as fleet, Crowds(fleet.url, AWAKE, **PEOPLE) as crowds:
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
    with Fleet(3, served(coordinators)) as fleet, Crowds(fleet.url, AWAKE, **PEOPLE) as crowds:
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


def test_statements_that_wait_live_through_a_rolling_restart(coordinators, sleeper, store):
    """Half of the people want a coordinator that is started only when every replica has been replaced; none of them notices,
    one call is made for all, and what all replicas count comes to nothing in the end."""
    groups = [*served(coordinators), {"name": ASLEEP, "backends": [sleeper.backend], "coldStart": {"mode": "queue"}}]
    half = {kind: count // 2 for kind, count in PEOPLE.items()}
    with Fleet(3, groups, store=store) as fleet:
        with Crowds(fleet.url, AWAKE, **half) as awake, Crowds(fleet.url, ASLEEP, **half) as asleep:
            awake.go_on(A_ROUND // 2)
            settle(lambda: fleet.waiting(ASLEEP), lambda: sum(half.values()), "statements that wait")
            for old in list(fleet.serving):
                fleet.replace(old)
                awake.go_on(A_ROUND // 2)
            settle(lambda: fleet.waiting(ASLEEP), lambda: sum(half.values()), "statements that still wait")
            assert sleeper.calls() == 1
            sleeper.wake()
            asleep.go_on(A_ROUND // 2)
            told = {AWAKE: awake.leave(), ASLEEP: asleep.leave()}
        print(f"rolled with a store under {told}")
        assert all(each["failed"] == {} for kinds in told.values() for each in kinds.values()), told
        settle(lambda: fleet.told("xtrinode_gateway_inflight_queries"), lambda: 0, "queries in flight")
