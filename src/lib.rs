//! Sluice, a Trino-compatible routing gateway.
#![forbid(unsafe_code)]

pub mod config;
pub mod simulator;
