"""What the repository brings for others to read: dashboards, alerts, the configurations of Prometheus and Alertmanager.

Everything is taken as it is committed. Only addresses and times are replaced, since a test scrapes every second what
production scrapes every fifteen, and cannot wait ten minutes for an alert.
"""

import json
import re
from dataclasses import dataclass

import yaml

from cache import REPOSITORY

DEPLOY = REPOSITORY / "deploy"
ALERTMANAGER = DEPLOY / "alertmanager/alertmanager.yml"
GOLDEN = REPOSITORY / "tests/golden"
# Seconds between two scrapes, and between two evaluations of a rule.
PACE = "1s"
# What Grafana puts in place of its variables; a rate wants at least two scrapes.
VARIABLES = {
    "$__rate_interval": "15s", "$__interval": "5s", "$__range": "60s",
    "$routing_group": ".*", "$namespace": "team-a", "$xtrinode": "analytics",
}

# Metrics of the contract that no scrape here can show, each with the reason.
ABSENT = {"gateway_workers": "only if a provider reports its workers"}


@dataclass(frozen=True)
class Panel:
    """One query of one panel, ready to be asked."""

    dashboard: str
    title: str
    expression: str

    def __str__(self):
        return f"{self.dashboard} / {self.title}: {self.expression}"


def dashboards():
    """Every dashboard, as Grafana reads it."""
    return [json.loads(path.read_text()) for path in sorted((DEPLOY / "grafana/dashboards").glob("*.json"))]


def panels(dashboard):
    """The panels, also those that are folded in a row."""
    for panel in dashboard["panels"]:
        yield from panel.get("panels", [])
        if panel["type"] != "row":
            yield panel


def targets(panel):
    """Its queries to Prometheus; those to Loki cannot be asked here."""
    asked = [target for target in panel.get("targets", []) if "expr" in target]
    return [target for target in asked if target.get("datasource", panel.get("datasource"))["type"] == "prometheus"]


def queries():
    """Every query to Prometheus of every panel."""
    return [
        Panel(dashboard["uid"], panel["title"], filled(target["expr"]))
        for dashboard in dashboards() for panel in panels(dashboard) for target in targets(panel)
    ]


def variables():
    """(dashboard, name, query) of every variable that asks Prometheus."""
    for dashboard in dashboards():
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                query = variable["query"]
                yield dashboard["uid"], variable["name"], filled(query if isinstance(query, str) else query["query"])


def filled(expression):
    """The expression with a value for each variable."""
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value).replace(f"${{{name[1:]}}}", value)
    return expression


def named(expression):
    """The names of the metrics and recorded series in an expression, those of histograms without what Prometheus adds."""
    bare = re.sub(r'"[^"]*"', '""', expression)
    found = re.findall(r"\b(?:xtrinode_gateway|gateway|process|trino)_\w+|\bgateway:[\w:]+", bare)
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in found}


def braced(legend):
    """The names of labels in a legend."""
    return re.findall(r"{{([^}]*)}}", legend)


def contract():
    """The metrics that tests/golden/metrics.txt fixes, by name with their type."""
    return dict(line.split()[:2] for line in (GOLDEN / "metrics.txt").read_text().splitlines())


def rule_files():
    """The rule files by their names below deploy/prometheus."""
    return {f"alerts/{path.name}": path.read_text() for path in sorted((DEPLOY / "prometheus/alerts").glob("*.yml"))}


def rules():
    """Every rule of every file."""
    return [rule for text in rule_files().values() for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


def rules_in_haste():
    """The rule files with every time shortened and nothing else changed."""
    found = {}
    for name, text in rule_files().items():
        content = yaml.safe_load(text)
        for group in content["groups"]:
            group["interval"] = PACE
            for rule in group["rules"]:
                if "alert" in rule:
                    rule["for"] = PACE
        found[name] = yaml.safe_dump(content)
    return found


def prometheus(scraped, alertmanager, nobody):
    """deploy/prometheus/prometheus.yml with the addresses of those who are here; the others' jobs find nobody."""
    config = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    config["global"] = {"scrape_interval": PACE, "scrape_timeout": PACE, "evaluation_interval": PACE}
    for told in config["alerting"]["alertmanagers"]:
        told["static_configs"] = [{"targets": [alertmanager]}]
    for job in config["scrape_configs"]:
        job["static_configs"] = [{"targets": [scraped.get(job["job_name"], nobody)]}]
    return config
