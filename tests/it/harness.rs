//! What the tests are made of: simulated coordinators, a strict client, a broken network, patience.
//!
//! Nothing here sleeps to wait for a state: [`wait`] asks again until it is there or a deadline has passed.
#![allow(dead_code, reason = "not every test uses every part")]

pub(crate) mod answer;
pub(crate) mod authority;
pub(crate) mod canned;
pub(crate) mod chaos;
pub(crate) mod client;
pub(crate) mod fleet;
pub(crate) mod frames;
pub(crate) mod gateway;
pub(crate) mod keda;
pub(crate) mod page;
pub(crate) mod pair;
pub(crate) mod raw;
pub(crate) mod secure;
pub(crate) mod server;
pub(crate) mod sleeper;
pub(crate) mod stage;
pub(crate) mod toxiproxy;
pub(crate) mod trino;
pub(crate) mod wait;
pub(crate) mod webhook;
