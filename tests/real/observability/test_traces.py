"""A real Jaeger shows one query as one trace, sent over gRPC and over HTTP; and all signals of a query name it (T7)."""

import json
import re
import time

import pytest
from jaeger import attributes

# OTLP's numbers for the kinds of a span.
SERVER, CLIENT = 2, 3
POLL = re.compile(r"^GET /v1/statement/(queued|executing|gateway|sluice)\S*$")


@pytest.fixture(scope="module", params=["grpc", "http/protobuf"])
def played(request):
    """A stage whose spans go by that protocol."""
    return request.getfixturevalue({"grpc": "stage", "http/protobuf": "quiet"}[request.param])


@pytest.fixture(scope="module")
def spans(played):
    """The spans of the traced client's query, after the last has arrived."""
    trace = played.travelled.trace
    played.jaeger.until("a whole trace", lambda: len(of_kind(played.jaeger.trace(trace), SERVER)) >= played.travelled.pages)
    return played.jaeger.trace(trace)


def of_kind(spans, wanted):
    """The spans of that kind."""
    return [span for span in spans if span["kind"] == wanted]


def named(spans, name):
    """The spans of that name."""
    return [span for span in spans if span["name"] == name]


def test_obs_t2_the_service_is_named(played, spans):
    """Under its name, with its version and instance."""
    assert "sluice" in played.jaeger.services()
    for span in spans:
        assert span["resource"]["service.name"] == "sluice"
        assert {"service.version", "service.instance.id"} <= span["resource"].keys()


def test_obs_t3_one_query_is_one_trace(played, spans):
    """The POST, every poll though the client said nothing of a trace with them, the wake-up, each attempt upstream."""
    posts = [span for span in of_kind(spans, SERVER) if span["name"] == "POST /v1/statement"]
    polls = [span for span in of_kind(spans, SERVER) if POLL.match(span["name"])]
    assert (len(posts), len(polls)) == (1, played.travelled.pages - 1), sorted(span["name"] for span in spans)
    assert len(named(spans, "gateway.query")) == 1
    assert len(named(spans, "gateway.resume")) == 1
    assert named(spans, "gateway.route") and named(spans, "gateway.results")
    assert len(of_kind(spans, CLIENT)) >= 2, "one attempt for the statement, one for each page from the coordinator"


def test_obs_t2_spans_hang_together(played, spans):
    """Each has its parent in the trace, and the first is the client's; polls link to the query."""
    ids = {span["spanId"] for span in spans}
    [post] = named(spans, "POST /v1/statement")
    [query] = named(spans, "gateway.query")
    [resume] = named(spans, "gateway.resume")
    assert post["parentSpanId"] == played.travelled.parent
    assert query["parentSpanId"] == post["spanId"]
    assert resume["parentSpanId"] == query["spanId"]
    roots = [span["name"] for span in spans if span.get("parentSpanId") not in ids | {played.travelled.parent}]
    assert roots == []
    polls = [span for span in of_kind(spans, SERVER) if POLL.match(span["name"])]
    unlinked = [span["name"] for span in polls if query["spanId"] not in {link["spanId"] for link in span.get("links", [])}]
    assert unlinked == []
    servers = {span["spanId"] for span in of_kind(spans, SERVER)} | {resume["spanId"]}
    assert [span["name"] for span in of_kind(spans, CLIENT) if span["parentSpanId"] not in servers] == []


def test_obs_t2_spans_say_what_they_should(played, spans):
    """The attributes of section 3 that everybody looks for, and no statement's text."""
    [post] = named(spans, "POST /v1/statement")
    [query] = named(spans, "gateway.query")
    [resume] = named(spans, "gateway.resume")
    told = attributes(post)
    assert (told["http.request.method"], told["gateway.routing_group"], told["trino.user"]) == ("POST", "etl", "traveller")
    assert int(told["http.response.status_code"]) == 200
    assert attributes(query)["db.system.name"] == "trino"
    assert attributes(query)["trino.state"] == "FINISHED"
    assert attributes(resume)["gateway.resume.outcome"] == "success"
    assert {"submitted", "routed", "resume.started", "resume.finished", "finished"} <= {event["name"] for event in query["events"]}
    # A driver may be no HTTP call at all: here it is a program.
    servers = {span["spanId"] for span in of_kind(spans, SERVER)}
    for span in (span for span in of_kind(spans, CLIENT) if span["parentSpanId"] in servers):
        assert {"http.request.method", "server.address", "server.port"} <= attributes(span).keys()
    assert "SELECT" not in json.dumps(spans)


def test_obs_t7_all_signals_of_a_query_name_one_trace(quiet):
    """From an exemplar in Prometheus to the log, the audit and the spans of that query, and all agree."""
    trace, query = quiet.travelled.trace, quiet.travelled.query

    def exemplars(name):
        found = quiet.prometheus.exemplars(f"{name}_bucket", quiet.begun, time.time())
        return [labels for series, labels, _ in found if series.get("routing_group") == "etl"]

    for name in ("gateway_query_duration_seconds", "gateway_request_duration_seconds"):
        quiet.prometheus.until(f"an exemplar of {name}", lambda: {"trace_id": trace} in exemplars(name))
    [ended] = [line for line in quiet.log() if line["event"] == "query_completed" and line["query_id"] == query]
    [audited] = [line for line in quiet.audited() if line["query_id"] == query]
    quiet.jaeger.until("the query's span", lambda: named(quiet.jaeger.trace(trace), "gateway.query"))
    spans = quiet.jaeger.trace(trace)
    assert {ended["trace_id"], audited["trace_id"], *(span["traceId"] for span in spans)} == {trace}
    ids = {span["spanId"] for span in spans}
    assert ended["span_id"] in ids and audited["span_id"] in ids
    accesses = [line for line in quiet.log() if line["event"] == "request_completed" and line["trace_id"] == trace]
    assert len(accesses) == quiet.travelled.pages
    assert {line["span_id"] for line in accesses} == {span["spanId"] for span in of_kind(spans, SERVER)}
    assert {line["trace_flags"] for line in accesses} == {"01"}


def test_the_gateway_counts_what_it_exports(played, spans):
    """None lost with a collector that is there."""
    assert played.gateway.samples("gateway_trace_spans_exported_total") >= len(spans)
    assert played.gateway.samples("gateway_trace_spans_dropped_total") == 0
