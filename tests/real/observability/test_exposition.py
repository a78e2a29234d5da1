"""M1: others read `/metrics`: promtool the text format, the official Python parser OpenMetrics, Prometheus by scraping it."""

import gzip
import re
import subprocess
import time

import wire
from prometheus import program
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
TEXT = "text/plain; version=0.0.4; charset=utf-8"
# Where exemplars belong.
LATENCIES = {"gateway_request_duration_seconds", "gateway_query_duration_seconds"}


def scrape(stage, **headers):
    """One answer: its type and its body."""
    status, told, body = wire.exchange("GET", stage.gateway.metrics, None, headers)
    assert status == 200
    return told["Content-Type"], body


def test_obs_m1_promtool_has_no_complaint(stage):
    """The format, and the conventions of names and help."""
    kind, body = scrape(stage)
    assert kind == TEXT
    checked = subprocess.run([program("promtool"), "check", "metrics"], input=body, capture_output=True)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")


def test_obs_m1_openmetrics_is_read_by_its_parser(stage):
    """Every family, with the numbers of the text format's; exemplars only where they belong, each a trace's id."""
    kind, body = scrape(stage, Accept=OPENMETRICS)
    assert kind == OPENMETRICS
    assert body.endswith(b"\n# EOF\n")
    families = list(openmetrics(body.decode()))
    _, text = scrape(stage)
    assert {family.name for family in families} == {family.name for family in plain(text.decode())}
    having = [(family.name, sample.exemplar) for family in families for sample in family.samples if sample.exemplar]
    assert {name for name, _ in having} == LATENCIES
    assert all(re.fullmatch("[0-9a-f]{32}", exemplar.labels["trace_id"]) for _, exemplar in having)
    assert all(exemplar.labels.keys() == {"trace_id"} and exemplar.timestamp for _, exemplar in having)


def test_obs_m1_no_exemplar_in_the_text_format(stage):
    """Prometheus would reject the whole scrape."""
    assert b" # {" not in scrape(stage)[1]


def test_obs_m1_gzip_when_asked(stage):
    """A scrape of many groups is some megabytes."""
    _, small = scrape(stage, **{"Accept-Encoding": "gzip"})
    assert small.startswith(b"\x1f\x8b")
    assert b"gateway_up 1\n" in gzip.decompress(small)


def test_obs_m1_prometheus_has_exemplars(stage):
    """A real scrape, in the format that Prometheus chooses by itself."""
    for name in LATENCIES:
        found = stage.prometheus.exemplars(f"{name}_bucket", stage.begun, time.time())
        assert found, f"no exemplar of {name}"
