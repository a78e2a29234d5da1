"""Log and audit of a whole mixed load, read as others read them: by their schemas, counted against the metrics."""

import hashlib
import json
import re

import pytest
import repository
import wire
from jsonschema import Draft202012Validator
from stage import CREDENTIAL, JOURNEY, LITERAL, PASSWORD, whole_lines

TRACEPARENT = re.compile("^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")
# Mistakes that are shown of one file; the rest are like them.
SHOWN = 5


def schema(name):
    """A golden schema."""
    return json.loads((repository.GOLDEN / f"{name}.schema.json").read_text())


def mistakes(lines, name):
    """What is wrong with the lines, in few words, each mistake once."""
    readers = {}
    found = {}
    for line in lines:
        event = line.get("event")
        if event not in readers:
            readers[event] = Draft202012Validator(schema_of(event, name))
        for error in readers[event].iter_errors(line):
            found.setdefault((event, error.message[:200]), line)
    return [f"{event}: {message}\n  {json.dumps(line)[:600]}" for (event, message), line in found.items()]


def schema_of(event, name):
    """The schema without what it says of other events alone: the same for lines of this one, and some twenty times as fast."""
    whole = schema(name)
    clauses = whole.pop("allOf", [])
    return {**whole, "allOf": [clause for clause in clauses if is_about(clause, event)]}


def is_about(clause, event):
    """Whether a clause can say something of that event."""
    named = clause.get("if", {}).get("properties", {}).get("event", {})
    return named.get("const", event) == event


def test_obs_l1_every_log_line_is_as_its_schema_says(calm):
    """One flat object a line, from the first to the last."""
    lines = calm.log()
    assert len(lines) > 1000
    assert mistakes(lines, "log")[:SHOWN] == []


def test_obs_l1_the_load_has_brought_the_events_about(calm):
    """A schema would be content with one kind of line."""
    seen = {line["event"] for line in calm.log()}
    expected = {
        "gateway_started", "gateway_ready", "config_reloaded", "config_reload_rejected", "request_completed", "query_submitted",
        "query_completed", "query_failed", "query_canceled", "query_abandoned", "no_route", "capacity_absent", "resume_triggered",
        "resume_succeeded", "resume_failed", "backend_state_changed", "circuit_opened", "upstream_error",
    }
    assert expected - seen == set()


def test_obs_l2_every_line_of_a_request_has_its_context(calm):
    """So that a log line leads to its trace."""
    lines = [line for line in calm.log() if "trace_id" in line]
    assert lines
    wrong = [line for line in lines if not TRACEPARENT.match(line.get("traceparent", "")) or line["trace_id"] not in line["traceparent"]]
    assert wrong[:SHOWN] == []


def test_obs_a3_every_audit_line_is_as_its_schema_says(calm):
    """Every key, in its order."""
    lines = calm.audited()
    assert len(lines) > 100
    assert mistakes(lines, "audit")[:SHOWN] == []
    order = schema("audit")["required"]
    assert [list(line) for line in lines if list(line) != order][:SHOWN] == []
    assert {line["status"] for line in lines} == {"ok", "error", "canceled", "abandoned", "rejected"}


def test_obs_a1_one_audit_line_for_each_query_that_ended(calm):
    """As many as the metric counts, group by group and status by status; the queue is written to its end first."""
    gateway = calm.gateway
    calm.prometheus.until("the audit written", lambda: gateway.samples("gateway_audit_queue_depth") == 0)
    lines = calm.audited()
    counted = gateway.samples("gateway_queries_total")
    assert (len(lines), gateway.samples("gateway_audit_dropped_total")) == (counted, 0)
    assert [line["seq"] for line in lines] == sorted({line["seq"] for line in lines})
    own = [line for line in lines if line["trace_id"] == calm.travelled.trace]
    assert [line["query_hash"] for line in own] == [f"sha256:{hashlib.sha256(JOURNEY.encode()).hexdigest()}"]


def test_the_sums_of_503_agree(calm):
    """An invariant of section A; and with nobody there, nothing is in flight."""
    refused = sum(value for _, value in calm.prometheus.query('sum(gateway_requests_total{status_code="503"})'))
    assert refused > 0

    def agree():
        sums = ['sum(gateway_requests_total{status_code="503"})', "sum(gateway_503_total)", "sum(gateway_unavailable_total)"]
        return len({calm.prometheus.query(each)[0][1] for each in sums}) == 1

    calm.prometheus.until("sums of 503 that agree", agree)


@pytest.mark.parametrize("secret", [PASSWORD, CREDENTIAL, LITERAL])
def test_obs_l4_no_output_has_a_secret(calm, secret):
    """Nor the literal of a statement: what a client trusts the gateway with goes to the coordinator alone."""
    gateway = calm.gateway
    said = {
        "log": gateway.lines(), "audit": calm.audit.read_text(), "spans": json.dumps(calm.jaeger.trace(calm.travelled.trace)),
        "metrics": wire.exchange("GET", gateway.metrics, None, {"Accept": "application/openmetrics-text"})[2].decode(),
        "status": wire.exchange("GET", f"{gateway.health}/api/v1/status")[2].decode(),
        "queries": wire.exchange("GET", f"{gateway.admin}/api/v1/queries?limit=10000")[2].decode(),
        "events": wire.exchange("GET", f"{gateway.admin}/api/v1/events")[2].decode(),
    }
    assert {where for where, text in said.items() if secret in text} == set()
    assert all(whole_lines(said[where]) for where in ("log", "audit"))
