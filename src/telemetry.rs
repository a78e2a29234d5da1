//! What is told line by line: logs, the audit, and the trace context that joins them with those of clients and coordinators.
//!
//! Export of spans comes later; until then nothing here opens a connection or changes a header that a client sent.

pub mod audit;
pub mod context;
pub mod logs;

/// The name of this replica in logs and on the status page: `HOSTNAME`, else what the kernel says.
pub fn instance() -> String {
    std::env::var("HOSTNAME")
        .or_else(|_| std::fs::read_to_string("/proc/sys/kernel/hostname"))
        .map(|name| name.trim().to_owned())
        .ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "unknown".to_owned())
}
