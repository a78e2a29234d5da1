//! The integration tests: the gateway from outside, as a client sees it.

mod admin;
mod architecture;
mod commands;
mod conformance;
mod harness;
mod oauth2;
mod pages;
mod readme;
mod simulator;
mod statements;
mod ui;
