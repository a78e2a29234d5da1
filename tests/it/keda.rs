//! The gateway as KEDA's external scaler, over the wire (scale-from-zero.md 2, 3, 8 and 12).
//!
//! Tests bear the ids of the facts; what hangs on seconds is shown under a steered clock beside the code.

#![allow(non_snake_case, reason = "tests bear the ids of the facts")]

mod absent;
mod answers;
mod health;
mod leaving;
mod pushes;
mod secured;

use crate::harness::stage::Plan;

/// The scaler is on, and counts are what the tests make them.
const PLAN: Plan = Plan {
    cold_start: HELD,
    group: "",
    backend: "",
    resume: "",
    more: "scaler: { enabled: true, bind: \"127.0.0.1:0\" }",
};

/// No page comes: what waits is held on its POST, longer than any test.
const HELD: &str = "holdFor: 60s";

/// A query that runs until somebody ends it.
const ENDLESS: &str = "SELECT 1 /* sim: queued=0 running=0 ending=hang */";
