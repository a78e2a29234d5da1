//! Sluice, a Trino-compatible routing gateway.
#![forbid(unsafe_code)]

pub mod backends;
pub mod config;
pub mod metrics;
pub mod snapshot;
pub mod trino;
