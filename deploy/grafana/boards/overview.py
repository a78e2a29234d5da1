"""gateway-overview: is it us, Trino, or the wake-up? Every number leads to the dashboard that explains it."""

from .panels import at_least, at_most, dashboard, lines, logs, number, table
from .queries import GROUP, WINDOW, quantile, quantile_all, rate

CAPACITY = ("What the wake-up does", "gateway-capacity")
PIPELINE = ("Backends and steps", "gateway-pipeline")
QUERIES = ("Queries", "gateway-queries")
INFRASTRUCTURE = ("The process", "gateway-infrastructure")
BROKEN = f'sum by (routing_group) (rate(gateway_requests_total{{status_code=~"5..",routing_group=~"$routing_group"}}[{WINDOW}]))'
LATENCY = "gateway_request_duration_seconds"
OVERHEAD = "gateway_overhead_seconds"

NOW = [
    number(
        "Gateways ready",
        "none",
        "Replicas that take traffic. A replica is ready when its configuration is loaded and its listeners are bound; a sleeping or dead Trino "
        "does not make it unready.",
        ("sum(gateway_ready)", "ready"),
        steps=at_least(1),
        leads=[INFRASTRUCTURE],
    ),
    number(
        "Healthy backends per group",
        "none",
        "Coordinators that take statements. Red is 0: normal for a group that sleeps and has no demand, wrong for one with queries in flight.",
        ('sum by (routing_group) (gateway_backends{state="healthy",routing_group=~"$routing_group"})', "{{routing_group}}"),
        steps=at_least(1),
        width=8,
        leads=[PIPELINE],
    ),
    lines(
        "Backends by state",
        "none",
        "What the coordinators are: healthy, unhealthy, sleeping, resuming, draining, inactive.",
        (f"sum by (state) (gateway_backends{GROUP})", "{{state}}"),
        stacked=True,
        width=6,
        leads=[PIPELINE],
    ),
    number(
        "Active sessions",
        "none",
        "Different pairs of user, source and client address seen in the last 15 minutes.",
        ("sum(gateway_active_sessions)", "sessions"),
        width=3,
        leads=[QUERIES],
    ),
    number(
        "Auto-resumes, 1 h",
        "none",
        "Wake-ups that were started, one for each single flight however many queries wait for it.",
        (f"sum by (routing_group) (increase(gateway_auto_resume_total{GROUP}[1h]))", "{{routing_group}}"),
        width=3,
        leads=[CAPACITY],
    ),
]

TRAFFIC = [
    lines(
        "In-flight by state",
        "none",
        "Queries that are accepted and not ended. RESUMING: held here, no coordinator yet. QUEUED and WAITING_FOR_RESOURCES: Trino has it and "
        "does not work on it yet. The rest is Trino at work.",
        (f"sum by (routing_group,state) (xtrinode_gateway_inflight_queries{GROUP})", "{{routing_group}} {{state}}"),
        stacked=True,
        leads=[CAPACITY, QUERIES],
    ),
    lines(
        "Request rate",
        "reqps",
        "Requests on the data port, polls included.",
        (rate("gateway_requests_total", "routing_group"), "{{routing_group}}"),
        leads=[QUERIES],
    ),
    lines(
        "503 rate",
        "reqps",
        "Refusals for want of capacity, ours and Trino's. One refused query can be several: drivers repeat it for up to two minutes.",
        (rate("gateway_503_total", "routing_group"), "{{routing_group}}"),
        leads=[CAPACITY],
    ),
    lines(
        "Error ratio",
        "percentunit",
        "Answers 5xx of all answers. A query that fails in Trino is an answer 200 and is not in here: see Queries.",
        (f"{BROKEN} / clamp_min({rate('gateway_requests_total', 'routing_group')}, 1e-9)", "{{routing_group}}"),
        steps=at_most(0.01, 0.05, first="yellow"),
        leads=[PIPELINE],
    ),
    lines(
        "Latency p50, p95, p99",
        "s",
        "Request head to last byte of the answer, with the time that a client was held for a wake-up. A dot is an exemplar: it leads to its trace.",
        *[(quantile(q, LATENCY, "routing_group"), f"p{int(q * 100)} {{{{routing_group}}}}") for q in (0.99, 0.95, 0.5)],
        leads=[PIPELINE],
    ),
    lines(
        "Overhead p95, p99",
        "s",
        "What Sluice itself adds: the request's time less Trino's and less the wake-up's. It answers \"is it us?\".",
        *[(quantile_all(q, OVERHEAD, "operation"), f"p{int(q * 100)} {{{{operation}}}}") for q in (0.99, 0.95)],
        leads=[PIPELINE],
    ),
]

TROUBLE = [
    table(
        "Firing alerts",
        "What Prometheus holds to be wrong now; docs/OPERATIONS.md has an entry for each.",
        'ALERTS{alertstate="firing"}',
        width=24,
    ),
    logs(
        "Recent errors",
        "Warnings and errors of the gateway. A line's trace_id leads to its trace.",
        '{service="sluice", level=~"warn|error"} | json',
    ),
]

BOARD = dashboard(
    "gateway-overview",
    "Sluice / Overview",
    "Is it the gateway, Trino, or the wake-up? Start here; each number leads on.",
    [("Now", NOW), ("Traffic", TRAFFIC), ("Trouble", TROUBLE)],
)
