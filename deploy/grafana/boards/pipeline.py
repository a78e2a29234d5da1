"""gateway-pipeline: from the rule that chose a group to the coordinator that answered."""

from .panels import at_least, dashboard, lines, number, timeline
from .queries import GROUP, quantile, quantile_all, rate, rate_all

BACKENDS = [
    number("Groups", "none", "Routing groups of the configuration that is in force.", ("max(gateway_routing_groups)", "groups")),
    lines(
        "Backends by group and state",
        "none",
        "Coordinators of each group by what they are.",
        (f"sum by (routing_group,state) (gateway_backends{GROUP})", "{{routing_group}} {{state}}"),
        stacked=True,
        width=10,
    ),
    lines(
        "Backend up",
        "none",
        "1: it answers its probes and takes statements. 0 is normal for one that sleeps.",
        (f"gateway_backend_up{GROUP}", "{{backend}} {{instance}}"),
        width=10,
    ),
    lines(
        "Backend load",
        "none",
        "Queries in flight on each coordinator, as this gateway counts them.",
        (f"sum by (backend) (gateway_backend_inflight_queries{GROUP})", "{{backend}}"),
    ),
    timeline(
        "Circuit state",
        "Open: five failures in a row, no new statements for about 30 s. It says nothing about polls.",
        (f"max by (backend) (gateway_circuit_breaker_state{GROUP})", "{{backend}}"),
        names=[("closed", "green"), ("half-open", "yellow"), ("open", "red")],
        width=8,
    ),
    lines(
        "Circuit changes, 5 min",
        "none",
        "How often a circuit changed, by what it became.",
        (f"sum by (backend,to) (increase(gateway_circuit_breaker_transitions_total{GROUP}[5m]))", "{{backend}} {{to}}"),
    ),
]

UPSTREAM = [
    lines(
        "Upstream rate",
        "reqps",
        "Attempts, not requests: one that is sent again elsewhere counts twice.",
        (rate("gateway_upstream_requests_total", "backend", "status_code"), "{{backend}} {{status_code}}"),
    ),
    lines(
        "Upstream p95",
        "s",
        "How long an attempt took until the last byte.",
        (quantile(0.95, "gateway_upstream_request_duration_seconds", "backend"), "{{backend}}"),
    ),
    lines(
        "Upstream errors",
        "cps",
        "Attempts without an answer: refused, timeout, reset, dns, tls, protocol, or a body that broke off.",
        (rate("gateway_upstream_errors_total", "backend", "error_type"), "{{backend}} {{error_type}}"),
    ),
    lines(
        "Upstream retries",
        "cps",
        "Attempts that were made again, because nothing could have run twice.",
        (rate("gateway_upstream_retries_total", "backend", "reason"), "{{backend}} {{reason}}"),
    ),
    lines(
        "Health checks",
        "cps",
        "Probes of /v1/info by their result.",
        (rate("gateway_health_checks_total", "backend", "result"), "{{backend}} {{result}}"),
    ),
    lines(
        "Health checks p95",
        "s",
        "How long a probe took.",
        (quantile(0.95, "gateway_health_check_duration_seconds", "routing_group"), "{{routing_group}}"),
    ),
]

ROUTING = [
    lines(
        "Decisions by rule",
        "cps",
        "Which rule chose which group.",
        (rate("gateway_routing_decisions_total", "routing_group", "rule"), "{{routing_group}} {{rule}}"),
    ),
    lines(
        "Routing errors",
        "cps",
        "Statements that no rule claimed, that found no backend, or whose rule failed.",
        (rate_all("gateway_routing_errors_total", "reason"), "{{reason}}"),
    ),
    number(
        "Lookup hit ratio",
        "percentunit",
        "Polls whose owner was known. Others were found by the id's own suffix or by asking: right after a restart that is normal.",
        (
            'sum(rate(gateway_route_lookups_total{result="hit"}[5m])) / clamp_min(sum(rate(gateway_route_lookups_total[5m])), 1e-9)',
            "hit",
        ),
        width=8,
    ),
    lines(
        "Slow steps p95",
        "s",
        "What the steps of a request take: where overhead comes from.",
        (quantile_all(0.95, "gateway_step_duration_seconds", "step"), "{{step}}"),
        width=12,
    ),
    number(
        "Reloads, 1 h",
        "none",
        "Configurations that were taken over, and those that were refused whole.",
        ("sum by (result) (increase(gateway_config_reloads_total[1h]))", "{{result}}"),
        width=6,
    ),
    number(
        "Last reload age",
        "s",
        "Since a configuration was last taken over.",
        ("time() - max(gateway_config_last_reload_timestamp_seconds)", "ago"),
        width=6,
    ),
]

STORE = [
    number("Store up", "none", "0: running on derived knowledge; nothing fails by it.", ("min(gateway_store_up)", "up"), steps=at_least(1)),
    lines(
        "Store rate",
        "ops",
        "Reads, writes and deletes of query records; 0 with the store in memory.",
        (rate_all("gateway_store_operations_total", "operation", "status"), "{{operation}} {{status}}"),
        width=10,
    ),
    lines(
        "Store p95",
        "s",
        "How long an operation took.",
        (quantile_all(0.95, "gateway_store_operation_duration_seconds", "operation"), "{{operation}}"),
        width=10,
    ),
    lines(
        "Store connections",
        "none",
        "Open connections to the store.",
        ("sum(gateway_store_connections_active)", "connections"),
        width=12,
    ),
    lines("Store write queue", "none", "Records that wait to be written.", ("sum(gateway_store_write_queue_depth)", "waiting"), width=12),
]

BOARD = dashboard(
    "gateway-pipeline",
    "Sluice / Pipeline",
    "From the rule that chose a group to the coordinator that answered.",
    [("Backends", BACKENDS), ("Upstream", UPSTREAM), ("Routing and configuration", ROUTING), ("Store", STORE)],
)
