"""Whoever comes to a Trino that sleeps: nobody can be asked for a password until it is awake, and then its answer is the client's."""

import time
from concurrent.futures import ThreadPoolExecutor

from browser import Browser
from clients import Jdbc, Pass
from coordinators import FORWARDED
from realm import PASSWORD, USER, WRONG
from secured import oauth2, passwords
from sleeping import SleepingTrino
from test_passwords import told
from ways import fronted

# Seconds before the process is even started: a poll and more than the first answer is held for.
WAIT = 10
# Seconds until it sleeps again.
LIMIT = 60
# No table: a coordinator of ours says `starting: false` before its catalogs are there.
SQL = "SELECT 'woken' AS word"
WOKEN = ("woken",)


def cold(realm, properties, group=None, **more):
    """A sleeping Trino with these properties, and HAProxy and a gateway before it."""
    trino = SleepingTrino("483", WAIT, (*properties, FORWARDED))
    backend = {"name": "sleeper", "url": trino.url, "resume": trino.driver(), **more}
    group = {"coldStart": {"mode": "queue", "holdFor": "1s"}, **(group or {})}
    return trino, fronted(realm, [backend], group=group, asleep=1, queries={"linger": "0s"})


def all_at_once(url, asked):
    """What each of several clients sees."""
    with ThreadPoolExecutor(len(asked)) as pool:
        return [told(seen) for seen in pool.map(lambda one: one[0].ask(url, SQL, one[1]), asked)]


def test_who_waits_is_asked_when_it_is_awake(realm, clients, direct):
    """Right and wrong ones wait alike; then each is told what he would have been told at once."""
    python, jdbc = clients["python"], clients["jdbc"]
    ends = realm.token(lasts=WAIT // 2)
    with Jdbc(realm.ca) as another:
        asked = [
            (python, Pass(USER, password=PASSWORD)), (another, Pass(USER, password=PASSWORD)), (python, Pass(USER, token=realm.token())),
            (python, Pass(USER, password=WRONG)), (python, Pass(USER, token=ends)), (jdbc, Pass(USER, token=ends)),
        ]
        trino, way = cold(realm, passwords(realm))
        with trino, way as way:
            seen = all_at_once(way.url, asked)
            assert trino.count("started") == 1
            way.verify(refused=3)
        at_once = [told(client.ask(direct.url, SQL, shown)) for client, shown in asked[:4]]
    assert [each.rows for each in seen] == [(WOKEN,)] * 3 + [()] * 3
    assert seen[:4] == at_once
    assert "Access Denied: Invalid credentials" in seen[3].error
    # What counts is what they show when their turn has come.
    assert "JWT expired" in seen[4].error and "JWT expired" in seen[5].error


def test_a_browser_is_asked_for_when_it_is_awake(realm, provider, clients):
    """The challenge comes in the middle of a query that waits; the login, and then the rows."""
    browsers = [Browser(realm.ca) for _ in range(2)]
    asked = [(clients[name], Pass(USER, browser=each)) for name, each in zip(("python", "jdbc"), browsers)]
    trino, way = cold(realm, oauth2(provider.issuer), challenge="oauth2")
    with trino, way as way:
        seen = all_at_once(way.url, asked)
        way.verify()
    assert [each.failures for each in browsers] == [[], []]
    assert [(each.error, each.rows) for each in seen] == [(None, (WOKEN,))] * 2


def test_who_wants_a_password_is_put_to_sleep(realm, clients):
    """Its own counts are behind the login of its web UI, which it takes only where it believes that it is secure."""
    stats = {"user": USER, "passwordFile": str(realm.folder / "password")}
    form = "web-ui.authentication.type=form"
    trino, way = cold(realm, (*passwords(realm), form), {"suspend": {"afterIdle": "3s"}}, stats=stats)
    with trino, way as way:
        assert clients["python"].ask(way.url, SQL, Pass(USER, password=PASSWORD)).rows == (WOKEN,)
        deadline = time.monotonic() + LIMIT
        while not trino.sleeps():
            assert time.monotonic() < deadline, f"it does not sleep when idle: {way.gateway.log()}"
            time.sleep(0.1)
        assert trino.count("suspend") == 1
