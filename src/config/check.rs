//! What no schema can say: names that must exist, addresses that collide, times that make no sense.
//!
//! Every rule is looked at, whatever the others found; but nothing is said of a value that is broken already, nor of
//! what follows from that alone. Certificates and keys are read, since only their files can say whether they fit; nothing
//! here opens a socket or asks a name server.

use crate::config::{model::Config, problem::Problem, tree::Node};

use self::report::Report;

mod address;
mod fleet;
mod limits;
mod listeners;
mod patterns;
mod report;
mod rules;
mod store;
mod telemetry;
mod tls;
mod trust;
mod waking;

/// What is allowed and should not stay so.
pub(crate) fn warnings(config: &Config, tree: &Node) -> Vec<Problem> {
    trust::unjudged(config, tree)
}

/// Adds what is wrong with `config` to `found`; `tree` knows the places.
pub(crate) fn check(config: &Config, tree: &Node, found: &mut Vec<Problem>) {
    let mut report = Report::new(tree, found);
    listeners::check(config, &mut report);
    limits::check(config, &mut report);
    fleet::check(config, &mut report);
    rules::check(config, &mut report);
    trust::check(config, &mut report);
    waking::check(config, &mut report);
    telemetry::check(config, &mut report);
    tls::check(config, &mut report);
    store::check(config, &mut report);
}
