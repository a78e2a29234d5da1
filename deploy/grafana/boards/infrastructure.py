"""gateway-infrastructure: the process itself, what it writes, and the Trinos behind it."""

from .panels import at_least, at_most, dashboard, lines, logs, number
from .queries import WINDOW, rate_all

OF_SLUICE = '{job="sluice"}'

HEALTH = [
    number(
        "Service health",
        "none",
        "Whether Prometheus reaches each service. Trino may sleep.",
        ("min by (job) (up)", "{{job}}"),
        steps=at_least(1),
        width=12,
    ),
    number("Gateway up", "none", "Each replica by itself.", ("gateway_up", "{{instance}}"), steps=at_least(1)),
    number(
        "Build",
        "none",
        "Version, revision and compiler of each replica; equal to `sluice --version`.",
        ("gateway_build_info", "{{version}} {{revision}} {{rustc}}"),
        text="name",
    ),
    number(
        "Uptime",
        "s",
        "Since the gateway began to serve, and since its process began.",
        ("time() - gateway_start_time_seconds", "serving {{instance}}"),
        (f"time() - process_start_time_seconds{OF_SLUICE}", "process {{instance}}"),
    ),
]

PROCESS = [
    lines("CPU", "none", "Cores in use.", (f"rate(process_cpu_seconds_total{OF_SLUICE}[1m])", "{{instance}}"), width=6),
    lines(
        "Memory",
        "bytes",
        "Resident, which counts, and virtual, which does not.",
        (f"process_resident_memory_bytes{OF_SLUICE}", "resident {{instance}}"),
        (f"process_virtual_memory_bytes{OF_SLUICE}", "virtual {{instance}}"),
        width=6,
    ),
    lines(
        "File descriptors",
        "percentunit",
        "Used of those that the process may have; connections, mostly.",
        (f"process_open_fds{OF_SLUICE} / process_max_fds{OF_SLUICE}", "{{instance}}"),
        width=6,
        steps=at_most(0.6, 0.8),
    ),
    lines(
        "Threads",
        "none",
        "Threads of the process: it takes one for each core, and a few.",
        (f"process_threads{OF_SLUICE}", "{{instance}}"),
        width=6,
    ),
    lines(
        "Tokio",
        "none",
        "Workers, living tasks and the global queue of the control runtime. A queue that grows: something blocks it.",
        ("gateway_tokio_workers", "workers {{instance}}"),
        ("gateway_tokio_alive_tasks", "tasks {{instance}}"),
        ("gateway_tokio_global_queue_depth", "queue {{instance}}"),
        width=12,
    ),
    lines(
        "Admin operations",
        "cps",
        "Commands of operators by their outcome; rejected: without a right token.",
        (rate_all("gateway_admin_operations_total", "operation", "status"), "{{operation}} {{status}}"),
        width=6,
    ),
    lines(
        "Events",
        "cps",
        "What changed: reloads, backends, circuits, resumes, draining.",
        (rate_all("gateway_events_total", "event", "type"), "{{event}} {{type}}"),
        width=6,
    ),
]

AUDIT = [
    lines(
        "Audit rate",
        "cps",
        "Records written and failed; 0 without audit.path.",
        (rate_all("gateway_audit_records_total", "status"), "{{status}}"),
    ),
    lines("Audit queue", "none", "Records that wait to be written.", ("sum(gateway_audit_queue_depth)", "waiting"), width=4),
    lines("Audit drops", "cps", "Records that are lost.", (rate_all("gateway_audit_dropped_total", "reason"), "{{reason}}")),
    number(
        "Audit age",
        "s",
        "Since the last record was written. Without queries it grows by itself.",
        ("time() - max(gateway_audit_last_write_timestamp_seconds > 0)", "ago"),
        steps=at_most(60, 300),
    ),
    lines(
        "Spans exported",
        "cps",
        "Spans that the collector took.",
        (f"sum(rate(gateway_trace_spans_exported_total[{WINDOW}]))", "exported"),
        width=12,
    ),
    lines(
        "Spans dropped",
        "cps",
        "Spans that are lost: a full queue, or a collector that does not take them.",
        (rate_all("gateway_trace_spans_dropped_total", "reason"), "{{reason}}"),
        width=12,
    ),
]

TRINO = [
    lines(
        "Trino: running queries",
        "none",
        "As each coordinator counts, whoever sent them.",
        ("trino_execution_name_QueryManager_RunningQueries", "{{instance}}"),
        width=12,
    ),
    lines(
        "Trino: queued queries",
        "none",
        "As each coordinator counts, whoever sent them.",
        ("trino_execution_name_QueryManager_QueuedQueries", "{{instance}}"),
        width=12,
    ),
    logs("Trino logs", "Of the coordinators.", '{service=~"trino.*"}'),
]

BOARD = dashboard(
    "gateway-infrastructure",
    "Sluice / Infrastructure",
    "The process itself, what it writes, and the Trinos behind it.",
    [("Health", HEALTH), ("Process", PROCESS), ("Audit and traces", AUDIT), ("Trino", TRINO)],
)
