"""The dashboards as files: what Grafana would load, and whether each query asks for something that exists.

No Grafana server can be had where these checks run, so nothing here has been seen in a browser. That each query answers
is seen against a real Prometheus, in tests/real/observability.
"""

import json
import re
import sys

import boards
import yaml
from cache import REPOSITORY
from tools import run

DATASOURCES = boards.DEPLOY / "grafana/provisioning/datasources/sluice.yaml"
COLUMNS = 24
# What the log's contract calls its events.
EVENTS = {
    "gateway_started", "gateway_ready", "gateway_draining", "gateway_stopped", "config_reloaded", "config_reload_rejected",
    "request_completed", "query_submitted", "query_completed", "query_failed", "query_canceled", "query_abandoned", "no_route",
    "capacity_absent", "resume_triggered", "resume_joined", "resume_succeeded", "resume_failed", "resume_timed_out",
    "backend_state_changed", "circuit_opened", "circuit_closed", "upstream_error", "upstream_retry", "route_lookup_stale",
    "route_lookup_fallback", "rate_limited", "auth_failed", "audit_dropped", "otlp_export_failed", "store_error",
}
LOG_LABELS = {"namespace", "log_source", "service", "level", "event"}


def test_they_are_what_the_generator_writes():
    status, said = run(sys.executable, boards.DEPLOY / "grafana/generate.py", "--check")
    assert status == 0, said


def test_there_are_five_and_each_is_named_as_its_file():
    found = boards.dashboards()
    assert set(found) == {f"gateway-{name}" for name in ("overview", "capacity", "pipeline", "queries", "infrastructure")}
    assert {board["uid"] for board in found.values()} == set(found)
    for board in found.values():
        assert (board["schemaVersion"], board["refresh"]) == (39, "10s")


def test_they_have_their_variables():
    for name, board in boards.dashboards().items():
        variables = {each["name"]: each for each in board["templating"]["list"]}
        more = {"namespace", "xtrinode"} if name == "gateway-capacity" else set()
        assert set(variables) == {"datasource", "routing_group"} | more
        group = variables["routing_group"]
        assert group["query"]["query"] == "label_values(gateway_requests_total, routing_group)"
        assert (group["multi"], group["allValue"]) == (True, ".*")


def test_every_panel_has_a_unit_and_words():
    for name, board in boards.dashboards().items():
        for panel in boards.panels(board):
            assert panel["fieldConfig"]["defaults"].get("unit"), f"{name}: {panel['title']} has no unit"
            assert len(panel.get("description", "")) > 10, f"{name}: {panel['title']} is not described"
            assert panel["targets"], f"{name}: {panel['title']} asks nothing"


def test_no_panel_lies_on_another():
    for name, board in boards.dashboards().items():
        taken, ids = {}, set()
        for panel in board["panels"]:
            assert panel["id"] not in ids
            ids.add(panel["id"])
            place = panel["gridPos"]
            assert place["x"] + place["w"] <= COLUMNS, f"{name}: {panel['title']} is too wide"
            for x in range(place["x"], place["x"] + place["w"]):
                for y in range(place["y"], place["y"] + place["h"]):
                    other = taken.setdefault((x, y), panel["title"])
                    assert other == panel["title"], f"{name}: {panel['title']} lies on {other}"


def test_latency_has_exemplars():
    lines = [(where, target) for where, panel, target in boards.queries("prometheus") if panel["type"] == "timeseries"]
    with_buckets = {where: target["exemplar"] for where, target in lines if "_bucket" in target["expr"]}
    assert len(with_buckets) > 10
    assert [where for where, exemplar in with_buckets.items() if not exemplar] == []


def test_every_datasource_is_provisioned():
    there = {each["uid"]: each["type"] for each in yaml.safe_load(DATASOURCES.read_text())["datasources"]}
    assert set(there) == {"prometheus", "loki", "tempo", "alertmanager"}
    for kind in ("prometheus", "loki"):
        for where, panel, target in boards.queries(kind):
            for asked in (panel["datasource"], target["datasource"]):
                assert asked["uid"] == "${datasource}" and kind == "prometheus" or there.get(asked["uid"]) == kind, where


def test_every_promql_parses(promtool, tmp_path):
    """Each as a recording rule, since promtool checks those."""
    found = [(where, boards.filled(target["expr"])) for where, _, target in boards.queries("prometheus")]
    assert len(found) > 90
    rules = [{"record": f"x:{index}", "expr": query} for index, (_, query) in enumerate(found)]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    status, said = run(promtool, "check", "rules", file)
    assert status == 0, said


def asked():
    """(where, query) of panels, variables, alerts and recording rules."""
    for where, _, target in boards.queries("prometheus"):
        yield where, target["expr"]
    for rule in boards.rules():
        yield rule.get("alert") or rule["record"], rule["expr"]
    for name, board in boards.dashboards().items():
        for variable in board["templating"]["list"]:
            if query := re.fullmatch(r"query_result\((.*)\)|label_values\((\w+), (\w+)\)", query_of(variable)):
                yield f"{name}: ${variable['name']}", query[1] or f"sum by ({query[3]}) ({query[2]})"


def query_of(variable):
    """What fills a variable; nothing where no query does."""
    return variable["query"]["query"] if variable["type"] == "query" else ""


def test_obs_M24_every_metric_of_a_panel_or_alert_exists():
    known = boards.known()
    missing = {(where, name) for where, query in asked() for name in boards.metrics_of(query) if name not in known}
    assert missing == set()


def test_every_label_of_a_query_exists():
    known = boards.known()
    wrong = set()
    for where, query in asked():
        metrics = boards.metrics_of(query)
        for name, labels in metrics.items():
            wrong |= {(where, name, label) for label in labels - known.get(name, labels) - boards.OF_THE_SCRAPE}
        possible = set().union(*(known.get(name, set()) for name in metrics)) | boards.OF_THE_SCRAPE
        wrong |= {(where, "by", label) for label in boards.outer_labels(query) if label not in possible}
    assert wrong == set()


def test_every_legend_names_a_label_of_its_series():
    known = boards.known()
    for where, _, target in boards.queries("prometheus"):
        named = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        by = set(boards.outer_labels(target["expr"]))
        heat = {"le"} if target.get("format") == "heatmap" else set()
        plain = set().union(*(known.get(name, set()) for name in boards.metrics_of(target["expr"]))) | {"job", "instance"}
        assert named <= (by | heat if " by (" in target["expr"] else plain), where


def test_obs_M24_every_metric_is_in_a_panel_or_an_alert():
    shown = {boards.family(name) for _, query in asked() for name in boards.metrics_of(query)}
    assert set(boards.declared()) - shown == set()
    assert boards.PROCESS - shown == set()


def test_no_mean_passes_for_a_latency():
    for where, query in asked():
        assert not re.search(r"_sum\b.*/.*_count\b", query), where


def test_quantiles_keep_le():
    for where, query in asked():
        for inner in re.findall(r"histogram_quantile\([\d.]+, sum by \(([^)]*)\)", query):
            assert "le" in [label.strip() for label in inner.split(",")], where


def test_log_queries_select_streams_that_alloy_makes():
    found = list(boards.queries("loki"))
    assert len(found) == 5
    for where, _, target in found:
        check_logql(target["expr"], where)


def check_logql(query, where):
    """No parser of LogQL can be had: selector, parser stage and field names are held to what there is."""
    selector, _, stages = query.partition("}")
    labels = boards.MATCHER.findall(selector)
    assert selector.startswith("{") and labels, where
    assert {label for label, _, _ in labels} <= LOG_LABELS, where
    assert all(value == value.lower() for label, _, value in labels if label == "level"), f"{where}: levels are in small letters"
    assert query.count('"') % 2 == 0 and query.count("(") == query.count(")"), where
    fields = re.findall(r"[|]\s*(\w+)\s*(=~|!~|!=|=|>|<)\s*(?:\"([^\"]*)\"|\d)", stages)
    assert not fields or "| json" in stages, f"{where}: fields without `| json`"
    there = set(json.loads((REPOSITORY / "tests/golden/log.schema.json").read_text())["properties"])
    for field, operator, value in fields:
        assert field in there, f"{where}: no line has {field}"
        matched = {event for event in EVENTS if re.fullmatch(value, event)} if field == "event" else {value}
        assert matched, f"{where}: no event is {operator} {value}"


def test_links_lead_to_dashboards():
    found = boards.dashboards()
    led = 0
    for name, board in found.items():
        assert [link["tags"] for link in board["links"]] == [["sluice"]]
        assert "sluice" in board["tags"]
        for panel in boards.panels(board):
            for link in panel["links"]:
                led += 1
                assert re.match(r"/d/([\w-]+)\?", link["url"])[1] in found, f"{name}: {panel['title']}"
    assert led >= 10, "the overview leads on"


def test_obs_S7_keda_is_asked_word_for_word():
    """The panel, the example and the unit test ask the same."""
    panel = next(target["expr"] for where, _, target in boards.queries("prometheus") if "KEDA input" in where)
    example = yaml.safe_load((boards.DEPLOY / "keda/prometheus.yaml").read_text())
    written = example["spec"]["triggers"][0]["metadata"]["query"]
    assert boards.filled(panel) == written
    assert written in (boards.DEPLOY / "prometheus/tests/keda.yml").read_text()
