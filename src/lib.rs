//! Sluice, a Trino-compatible routing gateway.
#![forbid(unsafe_code)]

pub mod config;
pub mod lifecycle;
pub mod metrics;
pub mod telemetry;
pub mod trino;
