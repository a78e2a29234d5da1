//! The integration tests: the gateway from outside, as a client sees it.

mod conformance;
mod harness;
mod simulator;
