//! The integration tests: the gateway from outside, as a client sees it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::result_large_err,
    clippy::print_stdout,
    clippy::needless_pass_by_value,
    reason = "a test may fail loudly, and tells what it saw"
)]

mod admin;
mod architecture;
mod chronicle;
mod cold_start;
mod commands;
mod conformance;
mod detached;
mod drain;
mod failover;
mod harness;
mod headers;
mod hostile_input;
mod info;
mod keda;
mod kill;
mod kubernetes;
mod ledger;
mod metrics;
mod oauth2;
mod operators;
mod pages;
mod profiling;
mod readme;
mod reload;
mod replicas;
mod routing;
mod simulator;
mod spooled;
mod start;
mod statements;
mod sticky;
mod store;
mod streaming;
mod tls;
mod traces;
mod transactions;
mod ui;
mod upstream_tls;
