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
mod architecture;
mod commands;
mod conformance;
mod drain;
mod harness;
mod headers;
mod hostile_input;
mod info;
mod oauth2;
mod pages;
mod readme;
mod reload;
mod simulator;
mod statements;
mod streaming;
mod ui;
