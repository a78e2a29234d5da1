"""KEDA's own clients ask the gateway: its external scaler with a stream, its page of demand, its metrics by Prometheus."""

import threading

import pytest
from scalers import Refused, Scalers, outcome, settled
from scaling import GROUP, TARGET, ScalingGateway

# Seconds from a POST to KEDA; milliseconds when idle (`make bench-keda`), and less than any poll even when all the machine is busy.
PUSH_LIMIT = 5.0
# Seconds that KEDA pauses between two streams after a clean end, as it logs them.
CLEAN_PAUSE = 2


@pytest.fixture
def push(keda, gateway):
    """The client of `external-push`, as `sluice keda` prints its trigger."""
    trigger = gateway.trigger("push")
    assert trigger["type"] == "external-push"
    with keda.make(trigger) as scaler:
        yield scaler


def test_coldstart_push_is_seen_at_once(push, gateway):
    """The first frame is the state; then each rise from nothing is one frame, and KEDA's poll says when it is over."""
    edges = gateway.counted("gateway_scaler_pushes_total", routing_group=GROUP, kind="edge")
    push.run()
    assert not push.next_push(0).active
    for number in range(1, 4):
        statement = gateway.statement()
        frame = push.next_push(len(push.pushes()))
        assert frame.active and frame.at - statement.at < PUSH_LIMIT, (frame, statement.at)
        assert push.ask() == ([1.0], True)
        statement.cancel()
        settled(push.ask, ([0.0], False), "nothing is wanted after the query's end")
        assert gateway.counted("gateway_scaler_pushes_total", routing_group=GROUP, kind="edge") == edges + number
    assert gateway.samples("gateway_scaler_last_poll_timestamp_seconds") > statement.at


def test_coldstart_push_has_one_metric_and_its_values(push, gateway):
    """What the HPA would divide, and by what."""
    ((kind, target),) = push.specs().values()
    assert (kind, target) == ("AverageValue", TARGET)
    statements = [gateway.statement() for _ in range(5)]
    settled(push.ask, ([5.0], True), "each query counts")
    for statement in statements:
        assert statement.rows() == 30_000
    settled(push.ask, ([0.0], False), "they are over")


def test_coldstart_the_metadata_is_checked_in_words(keda, gateway):
    """A wrong trigger is an error that says what is wrong, never a number."""
    trigger = gateway.trigger("push")
    cases = [
        ({"routingGroup": "nobody"}, "NotFound", "nobody"), ({"targetInFlightPerWorker": "many"}, "InvalidArgument", "many"),
        ({"activationInFlight": "-1"}, "InvalidArgument", "-1"),
    ]
    for change, code, word in cases:
        with keda.make({**trigger, "metadata": {**trigger["metadata"], **change}}) as scaler:
            assert scaler.specs() == {}, change
            with pytest.raises(Refused, match=f"code = {code} .*{word}"):
                scaler.ask("s0-any")


def test_coldstart_activation_is_the_gateways_business(keda, gateway):
    """Two queries are demand, but wake nobody who asks for more than two."""
    trigger = gateway.trigger("push")
    with keda.make({**trigger, "metadata": {**trigger["metadata"], "activationInFlight": "2"}}) as scaler:
        statements = [gateway.statement() for _ in range(2)]
        settled(scaler.ask, ([2.0], False), "demand without activation")
        statements.append(gateway.statement())
        settled(scaler.ask, ([3.0], True), "one more than that")
        for statement in statements:
            statement.cancel()
        settled(scaler.ask, ([0.0], False), "they are over")


def test_coldstart_T2_the_stream_comes_again_after_restarts(push, gateway, keda):
    """Each end by SIGTERM is clean for KEDA, so its pause never grows; and the new stream's first frame is the truth."""
    push.run()
    push.next_push(0)
    for _ in range(2):
        said, seen = keda.logged(), len(push.pushes())
        gateway.end()
        gateway.begin()
        statement = gateway.statement()
        # The edge fell into the pause: what is then told first is the state.
        assert push.next_push(seen, limit=60).active
        words = [line for line in keda.lines(said) if line["msg"].startswith(("StreamIsActive", "error running StreamIsActive"))]
        assert words[0]["msg"] == "StreamIsActive retry backoff", words
        assert words[0]["duration"] == CLEAN_PAUSE, words
        statement.cancel()
    settled(push.ask, ([0.0], False), "it knows again, and nothing is wanted", limit=60)


def test_coldstart_unknown_is_an_error_until_it_is_known(keda, backends):
    """A gateway that has just begun does not say 0; demand that it has, it says."""
    young = ScalingGateway(backends)
    trigger = young.trigger("push")
    page = young.trigger("metrics-api")
    with young:
        with keda.make(trigger) as push, keda.make(page) as pull:
            (metric,) = push.specs()
            assert "Unavailable" in outcome(lambda: push.ask(metric))
            assert "503" in outcome(pull.ask)
            statement = young.statement()
            settled(lambda: push.ask(metric), ([1.0], True), "a lower bound")
            assert pull.ask() == ([1.0], True)
            statement.cancel()
            # Both from one page of the gateway's memory, and in between both may only be errors.
            young.known()
            assert push.ask(metric) == pull.ask() == ([0.0], False)


def test_coldstart_nobody_there_is_an_error(keda, backends):
    """KEDA freezes on an error; with a number it would scale in."""
    with ScalingGateway(backends) as gone:
        trigger = gone.trigger("push")
        page = gone.trigger("metrics-api")
        with keda.make(trigger) as push, keda.make(page) as pull:
            (metric,) = push.specs()
            gone.end()
            assert "code = Unavailable" in outcome(lambda: push.ask(metric))
            assert "connection refused" in outcome(pull.ask)
            gone.begin()
            gone.known()
            settled(lambda: push.ask(metric), ([0.0], False), "the connection comes again", limit=60)
            assert pull.ask() == ([0.0], False)


def test_coldstart_page_of_demand(keda, gateway):
    """KEDA's metrics-api scaler reads the gateway's page."""
    trigger = gateway.trigger("metrics-api")
    assert trigger["type"] == "metrics-api"
    with keda.make(trigger) as scaler:
        ((kind, target),) = scaler.specs().values()
        assert (kind, target) == ("AverageValue", TARGET)
        assert scaler.ask() == ([0.0], False)
        statements = [gateway.statement() for _ in range(2)]
        settled(scaler.ask, ([2.0], True), "each query counts")
        for statement in statements:
            statement.cancel()
        settled(scaler.ask, ([0.0], False), "they are over")


def test_coldstart_a_hundred_askers_at_once(keda, gateway, push):
    """Answers come from memory: nobody waits for another, and all are the same."""
    statement = gateway.statement()
    settled(push.ask, ([1.0], True), "the query counts")
    (metric,) = push.specs()
    told = []
    threads = [threading.Thread(target=lambda: told.append(outcome(lambda: push.ask(metric)))) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == [([1.0], True)] * 100
    statement.cancel()
    settled(push.ask, ([0.0], False), "it is over")


def test_coldstart_T14_keda_that_dies_is_forgotten(gateway, folder):
    """Its stream ends with it, and queries do not care."""
    def streams():
        return gateway.samples("gateway_scaler_streams")

    settled(streams, 0, "those of other tests are gone")
    trigger = gateway.trigger("push")
    (folder / "another").mkdir()
    with Scalers(folder / "another") as another:
        another.make(trigger).run().next_push(0)
        assert streams() == 1
    settled(streams, 0, "the stream is gone")
    assert gateway.statement().rows() == 30_000
