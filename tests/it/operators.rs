//! What operators ask and command: events, health and status, the log's level, the commands of `sluice`.
//!
//! Rules: observability.md 1.1. Tests bear the ids of its section 12.

#![allow(non_snake_case, reason = "tests bear the ids of the facts")]

mod answers;
mod commands;
mod events;
mod level;

/// No page comes: what waits is held on its POST, longer than any test.
const HELD: &str = "holdFor: 60s";
