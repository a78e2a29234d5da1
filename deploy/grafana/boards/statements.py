"""gateway-queries: what people ran, how it ended, how long it took."""

from .panels import dashboard, heatmap, lines, logs, number
from .queries import GROUP, WINDOW, quantile, quantile_all, rate, rate_all

DURATION = "gateway_query_duration_seconds"
FIRST_ROW = "gateway_time_to_first_row_seconds"
RED_BELOW = [{"color": "red", "value": None}, {"color": "yellow", "value": 0.95}, {"color": "green", "value": 0.99}]

ENDINGS = [
    lines(
        "By status",
        "cps",
        "Queries that ended: ok, error, canceled, abandoned, rejected.",
        (rate("gateway_queries_total", "status"), "{{status}}"),
    ),
    lines(
        "By type",
        "cps",
        "Queries that ended, by the kind of the statement.",
        (rate("gateway_queries_total", "statement_type"), "{{statement_type}}"),
    ),
    lines(
        "Life cycle",
        "cps",
        "What queries came through: submitted, routed, resumed, running, completed.",
        (rate("gateway_query_events_total", "event"), "{{event}}"),
    ),
    number(
        "SLO: queries that succeed",
        "percentunit",
        "Of all that ended in five minutes.",
        ("gateway:query_success:ratio5m", "{{routing_group}}"),
        steps=RED_BELOW,
        width=12,
    ),
    number(
        "SLO: queries under 10 s",
        "percentunit",
        "Of all that ended in five minutes.",
        ("gateway:query_under_10s:ratio5m", "{{routing_group}}"),
        steps=RED_BELOW,
        width=12,
    ),
]

TIMES = [
    lines(
        "Duration p50, p95, p99",
        "s",
        "Acceptance to the end, with the time held for a wake-up. A dot is an exemplar: it leads to its trace.",
        *[(quantile(q, DURATION, "statement_type"), f"p{int(q * 100)} {{{{statement_type}}}}") for q in (0.99, 0.95, 0.5)],
        width=12,
    ),
    heatmap("Duration heatmap", "s", "How many queries took how long.", f"sum by (le) (increase({DURATION}_bucket{GROUP}[{WINDOW}]))"),
    lines(
        "Time to first row p50, p95",
        "s",
        "Acceptance to the first page with rows.",
        *[(quantile(q, FIRST_ROW, "routing_group"), f"p{int(q * 100)} {{{{routing_group}}}}") for q in (0.95, 0.5)],
    ),
    lines(
        "Rows",
        "cps",
        "Rows that were returned. Only with queries.countRows or the audit log: counting walks whole pages. Else there is no such series.",
        (rate("gateway_query_rows_returned_total", "routing_group"), "{{routing_group}}"),
    ),
    lines(
        "Bytes",
        "Bps",
        "Bodies of statements (in) and of pages (out), as sent.",
        (rate("gateway_result_bytes_total", "direction", "encoding"), "{{direction}} {{encoding}}"),
    ),
]

ERRORS = [
    lines(
        "Query errors",
        "cps",
        "Queries that Trino ended with an error, by whose fault it is.",
        (rate("gateway_query_errors_total", "error_type"), "{{error_type}}"),
        width=12,
    ),
    lines(
        "Gateway errors",
        "cps",
        "Requests that ended wrong in the gateway or on the way to a coordinator.",
        (rate_all("gateway_errors_total", "type", "operation"), "{{type}} {{operation}}"),
        width=12,
    ),
    lines("Tracked", "none", "Query records that are held, ended ones included.", ("sum(gateway_tracked_queries)", "records"), width=12),
    lines(
        "Evicted",
        "cps",
        "Records that left: ttl, because the client stopped polling; capacity, because there were too many.",
        (rate_all("gateway_tracked_queries_evicted_total", "reason"), "{{reason}}"),
        width=12,
    ),
]

PROTOCOL = [
    lines(
        "Protocol rate",
        "reqps",
        "Requests by what they are in Trino's protocol.",
        (rate_all("gateway_http_requests_total", "operation", "status_code"), "{{operation}} {{status_code}}"),
    ),
    lines(
        "Protocol p95",
        "s",
        "How long a request of each kind took. A poll waits in Trino for up to a second: that is the protocol.",
        (quantile_all(0.95, "gateway_http_request_duration_seconds", "operation"), "{{operation}}"),
    ),
    lines(
        "Open requests",
        "none",
        "Requests that are being answered.",
        ("sum by (method) (gateway_http_requests_in_flight)", "{{method}}"),
        width=4,
    ),
    lines("Connections", "none", "Open connections on the data port.", ("sum(gateway_client_connections_active)", "open"), width=4),
]

LOGS = [
    logs("Query log", "Each query that ended.", '{service="sluice"} | json | event="query_completed"'),
    logs("Slow queries", "Those over 30 s.", '{service="sluice"} | json | event="query_completed" | duration_ms > 30000'),
]

BOARD = dashboard(
    "gateway-queries",
    "Sluice / Queries",
    "What people ran, how it ended, how long it took.",
    [("Endings", ENDINGS), ("Time and size", TIMES), ("Errors and records", ERRORS), ("Protocol", PROTOCOL), ("Logs", LOGS)],
)
