//! Sluice, a Trino-compatible routing gateway, in reading order: the only assembly first, the foundations last.
#![forbid(unsafe_code)]

pub mod proxy;
pub mod queries;
pub mod backends;
pub mod snapshot;
pub mod config;
pub mod trino;
pub mod metrics;
pub mod telemetry;
pub mod lifecycle;
