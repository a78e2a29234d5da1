"""gateway-capacity: demand, what there is for it, and how the one becomes the other."""

from .panels import dashboard, lines, logs, number, timeline, variable
from .queries import GROUP, quantile, quantile_all, rate, rate_all

INFLIGHT = "xtrinode_gateway_inflight_queries"
# Word for word what the ScaledObject asks: with honorLabels the label is ours, without it Prometheus renames it.
KEDA = (
    f'sum({INFLIGHT}{{exported_namespace="$namespace",xtrinode="$xtrinode"}})'
    f' or sum({INFLIGHT}{{namespace="$namespace",xtrinode="$xtrinode"}})'
)
NAMESPACES = (
    f'query_result(group by (exported_namespace) ({INFLIGHT}{{exported_namespace!=""}})'
    f' or group by (namespace) ({INFLIGHT}{{exported_namespace=""}}))'
)
XTRINODES = (
    f'query_result(group by (xtrinode) ({INFLIGHT}{{exported_namespace="$namespace"}})'
    f' or group by (xtrinode) ({INFLIGHT}{{namespace="$namespace"}}))'
)
RESUME = "gateway_resume_duration_seconds"

DEMAND = [
    number(
        "KEDA input",
        "none",
        "The very query of the ScaledObject: what KEDA reads for this namespace and XTrinode.",
        (KEDA, "queries"),
        width=4,
    ),
    lines(
        "Demand",
        "none",
        "Queries in flight, held ones included: it rises before any coordinator lives.",
        (f"sum by (routing_group) ({INFLIGHT}{GROUP})", "{{routing_group}}"),
        width=10,
    ),
    lines(
        "Capacity",
        "none",
        "Healthy coordinators, Trino's own count of its nodes, and workers as a resume driver reports them (only if one does).",
        ('sum by (routing_group) (gateway_backends{state="healthy"})', "coordinators {{routing_group}}"),
        ("trino_metadata_name_DiscoveryNodeManager_ActiveNodeCount", "nodes {{instance}}"),
        (f"gateway_workers{GROUP}", "workers {{routing_group}} {{kind}}"),
        width=10,
    ),
    lines(
        "Scaler demand and peak",
        "none",
        "What a scaler is told: in flight, plus demand that is unmet or lingers. The peak is the highest in-flight of the last minute.",
        (f"max by (routing_group) (gateway_demand{GROUP})", "demand {{routing_group}}"),
        (f"sum by (routing_group) (gateway_inflight_peak{GROUP})", "peak {{routing_group}}"),
        width=10,
    ),
    number(
        "KEDA's last call",
        "s",
        "Since KEDA last asked the gateway's own scaler. No data: it never did, so it is not connected.",
        ("time() - max(gateway_scaler_last_poll_timestamp_seconds > 0)", "ago"),
        width=4,
    ),
    lines(
        "Scaler streams and pushes",
        "short",
        "Open push streams of KEDA, and what was pushed in a second: an edge when demand begins, repeats while it is unmet.",
        ("sum(gateway_scaler_streams)", "streams"),
        (rate("gateway_scaler_pushes_total", "routing_group", "kind"), "{{routing_group}} {{kind}}/s"),
        width=10,
    ),
]

WAITING = [
    lines(
        "Waiting for resume",
        "none",
        "Statements that wait for a coordinator.",
        (f"sum by (routing_group) (gateway_resume_waiters{GROUP})", "{{routing_group}}"),
    ),
    lines(
        "Waiting room, bytes",
        "bytes",
        "Statements and headers that are kept until they can be sent; bounded by coldStart.maxWaitingBytes.",
        (f"sum by (routing_group) (gateway_held_bytes{GROUP})", "{{routing_group}}"),
    ),
    lines(
        "Waiting room, oldest",
        "s",
        "How long the one that waits longest has waited.",
        (f"max by (routing_group) (gateway_held_oldest_seconds{GROUP})", "{{routing_group}}"),
    ),
    lines(
        "Query wait p95",
        "s",
        "How long one query was held.",
        (quantile(0.95, "gateway_resume_wait_seconds", "routing_group"), "{{routing_group}}"),
    ),
    lines(
        "503 by reason",
        "reqps",
        "Why each refusal was said. Each reason has its line in docs/OPERATIONS.md.",
        (rate("gateway_unavailable_total", "routing_group", "reason"), "{{routing_group}} {{reason}}"),
        width=16,
    ),
]

RESUMES = [
    timeline(
        "Resume in progress",
        "When a group was being woken.",
        (f"max by (routing_group) (gateway_resume_in_progress{GROUP})", "{{routing_group}}"),
        names=[("no", "transparent"), ("resuming", "orange")],
    ),
    lines(
        "Attempts by outcome, joiners",
        "cps",
        "Wake-ups that ended, and queries that joined one which was running.",
        (rate("gateway_resume_attempts_total", "routing_group", "outcome"), "{{routing_group}} {{outcome}}"),
        (rate("gateway_resume_coalesced_total", "routing_group"), "{{routing_group}} joined"),
        width=12,
    ),
    lines(
        "Resume time p50, p95",
        "s",
        "From the first call to the first healthy coordinator.",
        *[(quantile(q, RESUME, "routing_group"), f"p{int(q * 100)} {{{{routing_group}}}}") for q in (0.95, 0.5)],
    ),
    lines(
        "Cold start p95 by phase",
        "s",
        "Where a cold start spends its time: detect, call, coordinator, workers, first byte.",
        (quantile(0.95, "gateway_cold_start_phase_seconds", "phase"), "{{phase}}"),
    ),
    number(
        "Since last good resume",
        "s",
        "No data: none yet since this process began.",
        (f"time() - max by (routing_group) (gateway_resume_last_success_timestamp_seconds{GROUP} > 0)", "{{routing_group}}"),
        width=8,
    ),
    lines(
        "Provider calls",
        "cps",
        "Calls to the webhook, to Kubernetes, to the command. A call that succeeds has not woken anything yet.",
        (rate_all("gateway_resume_provider_requests_total", "provider", "outcome"), "{{provider}} {{outcome}}"),
        width=12,
    ),
    lines(
        "Provider calls p95",
        "s",
        "How long the provider takes to answer a call.",
        (quantile_all(0.95, "gateway_resume_provider_request_duration_seconds", "provider"), "{{provider}}"),
        width=12,
    ),
    logs(
        "Resume events",
        "What happened, in order, with provider, duration and error.",
        '{service="sluice"} | json | event=~"resume_.*|capacity_absent"',
    ),
]

BOARD = dashboard(
    "gateway-capacity",
    "Sluice / Capacity",
    "Demand, what there is for it, and how a sleeping coordinator becomes a healthy one.",
    [("Demand and capacity", DEMAND), ("Who waits", WAITING), ("Wake-ups", RESUMES)],
    [
        variable("namespace", "Namespace (KEDA input)", NAMESPACES, '/namespace="([^"]+)"/'),
        variable("xtrinode", "XTrinode (KEDA input)", XTRINODES, '/xtrinode="([^"]+)"/'),
    ],
)
