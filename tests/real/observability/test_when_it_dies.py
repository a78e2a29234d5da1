"""The last of all: the gateway is gone, and somebody is told."""

import repository


def test_obs_an_alert_reaches_the_alertmanager_when_the_gateway_dies(quiet):
    """Prometheus sees nobody there, its rule fires, the Alertmanager has it, and with it what to do."""
    assert not told(quiet, "GatewayDown")
    quiet.gateway.kill()
    for name in ("GatewayDown", "GatewayNoReadyReplica", "GatewayScalingSignalMissing"):
        quiet.prometheus.until(f"the alert {name}", lambda: told(quiet, name))
    [alert] = told(quiet, "GatewayDown")
    [rule] = [rule for rule in repository.rules() if rule.get("alert") == "GatewayDown"]
    assert alert["labels"]["severity"] == rule["labels"]["severity"]
    assert alert["annotations"]["runbook"] == "docs/OPERATIONS.md#gatewaydown"


def told(stage, name):
    """What the Alertmanager has of that name."""
    return [alert for alert in stage.alertmanager.alerts() if alert["labels"]["alertname"] == name]
