"""KEDA's Prometheus scaler asks a real Prometheus, with XTrinode's query word for word, about what the gateway shows."""

import pytest
from lacking import begun
from scalers import outcome, settled
from scaling import GROUP, TARGET

from prometheus import Prometheus

# Both forms of the labels: as they are, and as Prometheus renames them when the target has a namespace of its own.
FORMS = {"honoured": {"honor_labels": True}, "renamed": {"honor_labels": False}}


@pytest.fixture(scope="module", params=FORMS)
def prometheus(request, gateway):
    """A Prometheus that scrapes the gateway every second."""
    with begun(lambda: Prometheus(lambda _: scraping(gateway, FORMS[request.param]), {})) as prometheus:
        # It is ready seconds before it has scraped.
        prometheus.until("a first scrape", lambda: prometheus.query("up == 1"))
        yield prometheus


def scraping(gateway, form):
    """Its configuration: a pod of the namespace `gateways`."""
    address = gateway.metrics.removeprefix("http://").removesuffix("/metrics")
    target = {"targets": [address], "labels": {"namespace": "gateways"}}
    return {"global": {"scrape_interval": "1s"}, "scrape_configs": [{"job_name": "sluice", "static_configs": [target], **form}]}


@pytest.fixture
def scaler(keda, gateway, prometheus):
    """The client of `prometheus`, as `sluice keda` prints its trigger."""
    trigger = gateway.trigger("prometheus", prometheus=prometheus.url)
    assert trigger["type"] == "prometheus"
    namespace, xtrinode = GROUP.split("--")
    sums = [f'sum(xtrinode_gateway_inflight_queries{{{label}="{namespace}",xtrinode="{xtrinode}"}})' for label in ("exported_namespace", "namespace")]
    assert trigger["metadata"]["query"] == " or ".join(sums)
    with keda.make(trigger) as scaler:
        yield scaler


def test_coldstart_in_flight_by_prometheus(scaler, gateway):
    """The value is the number of queries; the group that has none is there with 0, and inactive."""
    ((kind, target),) = scaler.specs().values()
    assert (kind, target) == ("AverageValue", TARGET)
    settled(scaler.ask, ([0.0], False), "0 is shown")
    statements = [gateway.statement() for _ in range(3)]
    settled(scaler.ask, ([3.0], True), "each query counts")
    for statement in statements:
        statement.cancel()
    settled(scaler.ask, ([0.0], False), "they are over")


def test_coldstart_a_lost_series_is_an_error(keda, gateway, prometheus):
    """What Prometheus does not have must not read as 0."""
    trigger = gateway.trigger("prometheus", prometheus=prometheus.url)
    trigger["metadata"]["query"] = trigger["metadata"]["query"].replace(GROUP.split("--")[1], "lost")
    with keda.make(trigger) as scaler:
        assert "empty" in outcome(scaler.ask)
        # With KEDA's default it would: this is why the printed object says otherwise.
        trigger["metadata"]["ignoreNullValues"] = "true"
        with keda.make(trigger) as careless:
            assert careless.ask() == ([0.0], False)
