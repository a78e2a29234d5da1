"""Reading dashboards, rules and their queries; and what the gateway is known to show."""

import functools
import json
import re
import urllib.parse

import yaml
from cache import REPOSITORY

DEPLOY = REPOSITORY / "deploy"
FOLDER = DEPLOY / "grafana/dashboards"
ALERTS = DEPLOY / "prometheus/alerts"
# What Grafana fills in, for a parser that knows no variables.
FILLED = {"$__rate_interval": "1m", "$routing_group": ".*", "$namespace": "team-a", "$xtrinode": "analytics"}
WORD = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
SELECTOR = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\s*\{([^}]*)\}")
MATCHER = re.compile(r"([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*\"((?:[^\"\\]|\\.)*)\"")
# Words of PromQL: in a query, all other words outside braces and `by (...)` are metrics.
LANGUAGE = {
    "sum", "min", "max", "count", "by", "on", "or", "and", "unless", "rate", "increase", "time", "absent", "group", "clamp_min",
    "histogram_quantile", "max_over_time", "without", "ignoring", "group_left",
}
# What a scrape adds, and what Prometheus makes of our labels without honorLabels.
OF_THE_SCRAPE = {"job", "instance", "exported_namespace"}
# The process collector's, of every Prometheus client.
PROCESS = {
    "process_cpu_seconds_total", "process_max_fds", "process_open_fds", "process_resident_memory_bytes",
    "process_start_time_seconds", "process_threads", "process_virtual_memory_bytes",
}
# Of Prometheus and of Trino.
OTHERS = {
    "up": {"job", "instance"},
    "ALERTS": {"alertname", "alertstate"},
    "trino_metadata_name_DiscoveryNodeManager_ActiveNodeCount": set(),
    "trino_execution_name_QueryManager_RunningQueries": set(),
    "trino_execution_name_QueryManager_QueuedQueries": set(),
}


@functools.cache
def dashboards():
    """Each dashboard by its file's name."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}


def panels(board):
    """All but headings."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def queries(kind):
    """(where, panel, target) of each query to a kind of datasource."""
    for name, board in dashboards().items():
        for panel in panels(board):
            for target in panel["targets"]:
                if target["datasource"]["type"] == kind:
                    yield f"{name}: {panel['title']} {target['refId']}", panel, target


def filled(query):
    """A query without Grafana's variables."""
    for name, value in FILLED.items():
        query = query.replace(name, value)
    return query


@functools.cache
def rules():
    """Every rule with the file that it stands in."""
    found = []
    for path in sorted(ALERTS.glob("*.yml")):
        for group in yaml.safe_load(path.read_text())["groups"]:
            found += [{"file": path.name, "group": group, **rule} for rule in group["rules"]]
    return found


def alerts():
    """The alerts among them."""
    return [rule for rule in rules() if "alert" in rule]


def recorded():
    """The series that the recording rules make, with their labels."""
    return {rule["record"]: set(outer_labels(rule["expr"])) for rule in rules() if "record" in rule}


@functools.cache
def declared():
    """The gateway's metrics and their labels, as the golden file of the scrape has them."""
    found = {}
    for line in (REPOSITORY / "tests/golden/metrics.txt").read_text().splitlines():
        name, kind, rest = line.split(" ", 2)
        labels = {label for label in re.search(r"\{(.*?)\}", rest)[1].split(", ") if label}
        found[name] = (kind, labels)
    return found


def known():
    """Every series that may be asked for, with its labels."""
    found = {name: labels for name, labels in OTHERS.items()} | recorded() | {name: set() for name in PROCESS}
    for name, (kind, labels) in declared().items():
        if kind == "histogram":
            found |= {f"{name}_bucket": labels | {"le"}, f"{name}_sum": labels, f"{name}_count": labels}
        else:
            found[name] = labels
    return found


def metrics_of(query):
    """The series that a query asks for, each with the labels that it matches."""
    query = filled(query)
    asked = {}
    for name, inside in SELECTOR.findall(query):
        asked.setdefault(name, set()).update(label for label, _, _ in MATCHER.findall(inside))
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\"[^\"]*\"", " ", query)
    bare = re.sub(r"\b(by|on|without|ignoring)\s*\([^)]*\)", " ", bare)
    bare = re.sub(r"(?<![\w:])\d[\w.+-]*", " ", bare)
    for name in WORD.findall(bare):
        if name not in LANGUAGE:
            asked.setdefault(name, set())
    return asked


def family(name):
    """The metric that a series belongs to."""
    for end in ("_bucket", "_sum", "_count"):
        stem = name.removesuffix(end)
        if stem != name and declared().get(stem, ("", ()))[0] == "histogram":
            return stem
    return name


def outer_labels(query):
    """The labels of an aggregation's result, `le` aside: what a legend can name."""
    found = re.findall(r"\bby\s*\(([^)]*)\)", query)
    return [label.strip() for label in found[0].split(",") if label.strip() not in ("", "le")] if found else []


def parameters(url):
    """The words of a link's query."""
    return urllib.parse.urlsplit(url).query.split("&")
