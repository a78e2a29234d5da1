//! Waking and sleeping: what stands between a backend that is off and one that takes statements.
//!
//! `wake` is the machine of one backend, pure; `learned` knows how long a group's cold starts take; `idle` when one
//! may sleep. `driver` is what calls the outside, `calls` lets it (`call_span` tells of that), once
//! over all replicas (`lease`), and `stats` reads Trino's own counts. What is
//! decided for a whole group (who is woken, who is next) stands in `truth::waking`.

pub(crate) mod call_span;
pub(crate) mod calls;
pub mod driver;
pub(crate) mod idle;
pub(crate) mod learned;
pub(crate) mod lease;
pub(crate) mod stats;
pub(crate) mod wake;
