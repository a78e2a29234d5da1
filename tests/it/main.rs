//! The integration tests: the gateway from outside, as a client sees it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails panics"
)]
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
mod harness;
mod oauth2;
mod pages;
mod simulator;
mod statements;
mod ui;
