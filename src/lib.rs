//! Sluice, a Trino-compatible routing gateway, in reading order: the only assembly first, the foundations last.
#![forbid(unsafe_code)]

pub mod config;
pub mod lifecycle;
pub mod metrics;
pub mod telemetry;
pub mod trino;
