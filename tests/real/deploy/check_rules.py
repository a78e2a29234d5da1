"""Alerts, recording rules and Alertmanager's configuration, by promtool and amtool; and that each alert is tried and written up."""

import re
import sys

import boards
import pytest
import yaml
from tools import run

PROMETHEUS = boards.DEPLOY / "prometheus"
ALERTMANAGER = boards.DEPLOY / "alertmanager"
TESTS = sorted((PROMETHEUS / "tests").glob("*.yml"))
SEVERITIES = {"critical", "warning"}
# The contract's list; those of rate limits come with the limits.
ALERTS = {
    "GatewayDown", "GatewayNoReadyReplica", "GatewayHigh503Rate", "GatewayHighErrorRate", "GatewayOverheadHigh",
    "GatewayRequestLatencyHigh", "TrinoQueryLatencyHigh", "GatewayResumeFailing", "GatewayResumeStuck",
    "GatewayDemandWithoutCapacity", "GatewayScalingSignalMissing", "GatewayInflightLeak", "GatewayBackendUnhealthy",
    "GatewayCircuitOpen", "GatewayQueryErrorsSustained", "GatewayConfigReloadFailed", "GatewayStoreHighLatency",
    "GatewayAuditDropping", "GatewaySpansDropped", "GatewayFileDescriptors", "GatewayMemoryHigh", "ObservabilityTargetDown",
}
FIRING = re.compile(r'ALERTS\{alertname="(\w+)",alertstate="firing"\}')


def cases():
    """(alert, whether it shall fire) of every question of the unit tests."""
    for file in TESTS:
        for test in yaml.safe_load(file.read_text())["tests"]:
            for question in test["promql_expr_test"]:
                if found := FIRING.search(question["expr"]):
                    yield found[1], bool(question["exp_samples"])


def test_obs_S7_promtool_takes_configuration_and_rules(promtool):
    status, said = run(promtool, "check", "config", PROMETHEUS / "prometheus.yml")
    assert status == 0, said
    assert "6 rule files found" in said


@pytest.mark.parametrize("file", TESTS, ids=lambda path: path.stem)
def test_obs_S7_promtool_runs_the_unit_tests(promtool, file):
    status, said = run(promtool, "test", "rules", file)
    assert status == 0, said


def test_obs_S7_amtool_takes_both_configurations(amtool):
    for name in ("alertmanager.yml", "receivers.example.yml"):
        status, said = run(amtool, "check-config", ALERTMANAGER / name)
        assert status == 0, said
        assert "1 templates" in said


def test_the_alerts_are_those_of_the_contract():
    named = [rule["alert"] for rule in boards.alerts()]
    assert set(named) == ALERTS and len(named) == len(ALERTS)
    assert set(boards.recorded()) == {"gateway:query_success:ratio5m", "gateway:query_under_10s:ratio5m", "gateway:http_5xx:ratio5m"}


def test_every_alert_fires_once_and_is_silent_once():
    found = set(cases())
    assert {alert for alert, fires in found if fires} == ALERTS
    assert {alert for alert, fires in found if not fires} == ALERTS


def test_every_alert_says_what_how_bad_and_where_to_read_on():
    for rule in boards.alerts():
        assert rule["labels"]["severity"] in SEVERITIES, rule["alert"]
        assert len(rule["annotations"]["summary"]) > 10, rule["alert"]
        assert len(rule["annotations"]["action"]) > 10, rule["alert"]
        assert rule["annotations"]["runbook"] == f"docs/OPERATIONS.md#{rule['alert'].lower()}"
    assert all(rule["group"]["interval"] == "15s" for rule in boards.rules())


def test_annotations_name_labels_that_the_alert_has():
    known = boards.known()
    for rule in boards.alerts():
        named = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
        by = set(boards.outer_labels(rule["expr"]))
        plain = set().union(*(known[name] for name in boards.metrics_of(rule["expr"]))) | {"job", "instance"}
        assert named <= (by if " by (" in rule["expr"] else plain), rule["alert"]


def test_annotations_can_be_filled_in(promtool, tmp_path):
    """promtool shows what it got for an alert whose annotations are not those expected; that must be words."""
    for file in TESTS:
        tests = yaml.safe_load(file.read_text())
        tests["rule_files"] = [str(PROMETHEUS / "alerts/*.yml")]
        asked = 0
        for test in tests["tests"]:
            wanted = [(FIRING.search(each["expr"]), each) for each in test.pop("promql_expr_test")]
            test["alert_rule_test"] = [
                {"alertname": found[1], "eval_time": each["eval_time"], "exp_alerts": [{"exp_labels": {"none": "of them"}}]}
                for found, each in wanted if found and each["exp_samples"]
            ]
            asked += len(test["alert_rule_test"])
        tests["tests"] = [test for test in tests["tests"] if test["alert_rule_test"]]
        if not asked:
            continue
        copy = tmp_path / file.name
        copy.write_text(yaml.safe_dump(tests, sort_keys=False))
        _, said = run(promtool, "test", "rules", copy)
        got = re.findall(r"Annotations:(\{.*\})", said)
        told = [each for each in got if "summary" in each]
        assert len(told) == asked, said
        assert not re.search(r"error expanding|no value|\{\{", " ".join(told)), told


def test_receivers_use_templates_that_are_there():
    there = set(re.findall(r'define "([\w.]+)"', (ALERTMANAGER / "templates/sluice.tmpl").read_text()))
    used = set(re.findall(r'template "([\w.]+)"', (ALERTMANAGER / "receivers.example.yml").read_text()))
    assert used and used <= there


def test_silenced_alerts_exist():
    for name in ("alertmanager.yml", "receivers.example.yml"):
        named = set(re.findall(r"\b(?:Gateway|Trino|Observability)[A-Z]\w+", (ALERTMANAGER / name).read_text()))
        assert named <= ALERTS, name


def test_prometheus_scrapes_all_that_is_watched():
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    assert set(jobs) == {"sluice", "trino", "prometheus", "alertmanager", "loki", "alloy", "tempo", "grafana"}
    assert config["global"]["scrape_interval"] == config["global"]["evaluation_interval"] == "15s"
    assert config["rule_files"] == ["alerts/*.yml"]
    assert jobs["sluice"]["honor_labels"] is True
    assert jobs["trino"]["basic_auth"]["username"]
    assert config["alerting"]["alertmanagers"][0]["api_version"] == "v2"


def test_the_operators_object_is_what_the_generator_writes():
    status, said = run(sys.executable, boards.DEPLOY / "kubernetes/generate.py", "--check")
    assert status == 0, said
