//! The gateway as KEDA's external scaler: what it is asked, and what it says unasked.
//!
//! `wire` is made from `proto/externalscaler.proto`; `asked` reads a trigger's metadata; `service` answers the calls from
//! memory; `beat` decides when a stream speaks, and `feed` is one stream; `listener` and `tls` are its port;
//! `scaled_object` writes what KEDA is to be told. It counts nothing: the ledger does, and `replicas` adds up. It scales nothing: KEDA does.

mod asked;
mod beat;
mod feed;
pub mod listener;
pub mod scaled_object;
mod service;
#[cfg(test)]
mod tests;
pub mod tls;
mod wire;

use std::{fmt, sync::Arc};

use sluice_routing::GroupName;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::{
    lifecycle::Lifecycle,
    metrics::Metrics,
    queries::{Ledger, ledger::Demand},
    replicas::Replicas,
    snapshot::Current,
};

/// What the scaler stands on.
#[derive(Clone)]
pub struct Ground {
    /// Which groups there are.
    pub current: Current,
    /// Tells of each rise of what is wanted of them here.
    pub ledger: Arc<Ledger>,
    /// What is wanted of them, by all replicas.
    pub replicas: Arc<Replicas>,
    /// Counts what KEDA asks and is told.
    pub metrics: Arc<Metrics>,
    /// Whether the process is leaving.
    pub lifecycle: Lifecycle,
    /// The open streams.
    pub streams: TaskTracker,
}

impl Ground {
    fn demand(&self, group: &GroupName, now: Instant) -> Demand {
        self.replicas.demand(group, now)
    }

    /// Whether a count of nothing means that there is nothing (rule L11).
    fn is_known(&self, now: Instant) -> bool {
        self.replicas.is_known(now)
    }
}

impl fmt::Debug for Ground {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ground").finish_non_exhaustive()
    }
}
