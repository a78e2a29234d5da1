//! The cold start from outside: demand before any backend, the waiting room, one wake, the hand-over, the refusals.
//!
//! Rules: scale-from-zero.md 8 to 10, trino-protocol.md 4, observability.md 1.1. Tests bear the ids of the facts.

#![allow(non_snake_case, reason = "tests bear the ids of the facts")]

mod admin;
mod cancel;
mod demand;
mod drivers;
mod endings;
mod hand_over;
mod idle;
mod ill;
mod kill;
mod letters;
mod one_call;
mod order;
mod page;
mod poll;
mod quiet;
mod room;
mod running;

/// A query that runs until somebody ends it.
const ENDLESS: &str = "SELECT 1 /* sim: queued=0 running=0 ending=hang */";
/// Pages come soon.
const SHORT: &str = "holdFor: 400ms";
/// No page comes: what waits is held on its POST, longer than any test.
const HELD: &str = "holdFor: 60s";
