//! Sluice, a Trino-compatible routing gateway.
#![forbid(unsafe_code)]

pub mod admin;
pub mod backends;
pub mod config;
pub mod lifecycle;
pub mod metrics;
pub mod snapshot;
pub mod telemetry;
pub mod trino;
