//! Sluice, a Trino-compatible routing gateway.
//!
//! In reading order: `proxy` carries requests, `scaling` tells KEDA, `replicas` makes several gateways act as one, `queries` remembers them,
//! `backends` knows the coordinators, `store` is what replicas share, `snapshot` is what requests read, `trino` is the wire; `config`,
//! `events`, `metrics`, `telemetry` and `lifecycle` are what the
//! names say.
#![forbid(unsafe_code)]

pub mod admin;
pub mod app;
pub mod backends;
pub mod cli;
pub mod config;
pub mod demo;
pub mod events;
pub mod lifecycle;
mod living;
pub mod metrics;
mod moment;
pub mod profiling;
pub mod proxy;
pub mod queries;
mod reload;
pub mod replicas;
pub mod scaling;
pub mod simulator;
pub mod snapshot;
pub mod store;
pub mod telemetry;
pub mod trino;
