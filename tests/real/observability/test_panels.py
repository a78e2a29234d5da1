"""S5, M24: what dashboards and alerts ask is answered by a real Prometheus that scrapes a busy gateway.

Every query must have data, unless `EXCUSED` says why its metric has none; an excuse that is not needed is a mistake too.
"""

import math

import pytest
import repository

NO_TRINO = "of Trino's own /metrics, and there is no real Trino here"
NO_SCALER = "KEDA has never called: the push scaler comes with a later wave"
NO_STORE = "the store in memory is not asked over a network: nothing is timed"
EXCUSED = {
    "trino_metadata_name_DiscoveryNodeManager_ActiveNodeCount": NO_TRINO,
    "trino_execution_name_QueryManager_RunningQueries": NO_TRINO,
    "trino_execution_name_QueryManager_QueuedQueries": NO_TRINO,
    "gateway_scaler_last_poll_timestamp_seconds": NO_SCALER,
    "gateway_store_operation_duration_seconds": NO_STORE,
    **repository.ABSENT,
}
# Those that the load brings about, whatever the machine.
FIRING = {"GatewayHigh503Rate", "GatewayBackendUnhealthy", "GatewayQueryErrorsSustained", "GatewayCircuitOpen", "GatewayResumeFailing"}
QUERIES = repository.queries()
ALERTS = [rule for rule in repository.rules() if "alert" in rule]
RECORDED = [rule for rule in repository.rules() if "record" in rule]


def test_there_are_panels_and_rules():
    """An empty folder would pass everything below."""
    assert len(repository.dashboards()) == 5
    assert len(QUERIES) > 80 and len(ALERTS) > 15 and len(RECORDED) == 3


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_obs_s5_panel_has_data(stage, query):
    """Grafana would show numbers."""
    samples = stage.prometheus.query(query.expression)
    numbers = [value for _, value in samples if not math.isnan(value)]
    excuses = [EXCUSED[name] for name in repository.named(query.expression) if name in EXCUSED]
    assert numbers or excuses, f"{query} has no data: {samples[:3]}"
    assert not (numbers and excuses), f"{query} has data: {excuses} is no excuse any more"


@pytest.mark.parametrize("variable", list(repository.variables()), ids=lambda variable: " / ".join(variable[:2]))
def test_obs_s5_variable_has_values(stage, variable):
    """What a reader may choose from."""
    *_, query = variable
    if query.startswith("label_values("):
        metric, label = query.removeprefix("label_values(").removesuffix(")").rsplit(",", 1)
        found = stage.prometheus.ask(f"/api/v1/label/{label.strip()}/values", **{"match[]": metric})["data"]
    else:
        found = stage.prometheus.query(query.removeprefix("query_result(").removesuffix(")"))
    assert found, f"{query} gives nothing to choose"


@pytest.mark.parametrize("rule", RECORDED, ids=lambda rule: rule["record"])
def test_obs_s5_recorded_series_has_data(stage, rule):
    """Both as it is recorded and as it is said."""
    for expression in (rule["record"], rule["expr"]):
        values = [value for _, value in stage.prometheus.query(expression)]
        assert values and all(0 <= value <= 1 for value in values), f"{expression}: {values}"


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_obs_s5_alert_answers(stage, rule):
    """Prometheus evaluates it without an error; those of the load fire and have reached the Alertmanager."""
    stage.prometheus.query(rule["expr"])
    if rule["alert"] in FIRING:
        stage.prometheus.until(f"the alert {rule['alert']}", lambda: is_told(stage, rule["alert"]))


def is_told(stage, name):
    """Whether the Alertmanager has heard of it."""
    return any(alert["labels"]["alertname"] == name and alert["receivers"] for alert in stage.alertmanager.alerts())


def test_obs_s2_prometheus_is_content(stage):
    """The gateway is scraped without a complaint; all rules are loaded, none has an error; one Alertmanager."""
    for job in ("sluice", "prometheus", "alertmanager"):
        assert stage.prometheus.targets()[job] == ("up", "")
    rules = stage.prometheus.rules()
    assert len(rules) == len(ALERTS) + len(RECORDED)
    assert [rule for rule in rules if rule["health"] != "ok"] == []
    assert len(stage.prometheus.ask("/api/v1/alertmanagers")["data"]["activeAlertmanagers"]) == 1


def test_the_load_went_as_its_clients_expect(stage):
    """Numbers of a load that went wrong would prove nothing."""
    assert stage.load.surprises == []
