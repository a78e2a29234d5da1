//! What is told of the gateway's work: logs, the audit, spans, and the trace context that joins them with those of
//! clients and coordinators.
//!
//! Without an endpoint for spans nothing here opens a connection or changes a header that a client sent.

pub mod audit;
pub mod context;
pub mod logs;
pub mod traces;

/// The name of this replica in logs and on the status page: `HOSTNAME`, else what the kernel says.
pub fn instance() -> String {
    std::env::var("HOSTNAME")
        .or_else(|_| std::fs::read_to_string("/proc/sys/kernel/hostname"))
        .map(|name| name.trim().to_owned())
        .ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "unknown".to_owned())
}
