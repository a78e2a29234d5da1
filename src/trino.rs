//! The wire: what Trino's protocol looks like in bytes, and nothing of sockets.
//!
//! Reading order: `headers`, `head` (what a page says about its query), `page` (the same from compressed bodies),
//! `patch` (the URIs in a page made to point at the gateway), `uris` and `client_base` (which way, and where to),
//! `marker`, then our own answers: `error`, `synthetic` (pages), `info`, `duration`.
//!
//! Nothing here does I/O, reads a clock or knows a backend's state; pages are walked, never parsed into a tree and
//! never written anew.

pub mod client_base;
pub mod duration;
pub mod error;
pub mod head;
pub mod headers;
pub mod info;
pub mod marker;
pub mod page;
pub mod patch;
pub mod synthetic;
pub mod uris;

#[cfg(test)]
mod samples;
