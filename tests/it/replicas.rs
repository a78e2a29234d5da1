//! Several gateways that share a store act as one (peers.md 2, scale-from-zero.md 8).

#![allow(non_snake_case, reason = "tests bear the ids of the facts")]

mod anywhere;
mod demand;
mod owners;
mod ties;
mod unheard;
mod waiting;

/// A query that runs until somebody ends it.
const ENDLESS: &str = "SELECT 1 /* sim: queued=0 running=0 ending=hang */";
