//! The integration tests: the gateway from outside, as a client sees it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::result_large_err,
    clippy::print_stdout,
    reason = "a test may fail loudly, and tells what it saw"
)]

mod admin;
mod conformance;
mod failover;
mod harness;
mod kill;
mod ledger;
mod oauth2;
mod pages;
mod routing;
mod simulator;
mod spooled;
mod statements;
mod sticky;
mod transactions;
mod ui;
