//! The one value that requests read: rules, fleet, backends and their state, frozen together.
//!
//! One task (`backends::fold`) turns configuration changes, probe results and operators' marks into the next
//! snapshot; requests load it once and pass the reference down. Only the counters behind `Live` move within it.
//! It does no I/O and decides nothing: `sluice_routing::decide` does.

use std::{
    sync::{Arc, atomic::AtomicU32},
    time::SystemTime,
};

use ahash::AHashMap;
use arc_swap::{ArcSwap, Guard};
use sluice_routing::{BackendName, CoordinatorId, Fleet, GroupName, Load, RuleSet};
use tokio::sync::mpsc;

use crate::{
    config::model::{Config, Uris},
    metrics::{BackendMetrics, GroupMetrics},
    trino::uris::Capabilities,
};

/// Everything a request needs to be routed.
#[derive(Debug)]
pub struct Snapshot {
    /// The settings it was made from.
    pub config: Arc<Config>,
    /// `sha256:…` of the file.
    pub config_hash: Arc<str>,
    /// Who goes where.
    pub rules: Arc<RuleSet>,
    /// What `decide` sees; its indices are those of `groups` and of `Group::members`.
    pub fleet: Fleet,
    /// The configured groups.
    pub groups: Vec<Arc<Group>>,
    /// Every backend by name, removed ones included as long as they serve known ids.
    pub backends: AHashMap<BackendName, Arc<Backend>>,
    /// Coordinator processes, living and past ones, by the suffix of their query ids.
    pub coordinators: AHashMap<CoordinatorId, BackendName>,
}

/// A configured group.
#[derive(Debug)]
pub struct Group {
    /// Its name.
    pub name: GroupName,
    /// The label `namespace`.
    pub namespace: Arc<str>,
    /// The label `xtrinode`.
    pub xtrinode: Arc<str>,
    /// Its counters.
    pub metrics: Arc<GroupMetrics>,
    /// Its backends, in the order of the file.
    pub members: Vec<Arc<Backend>>,
}

/// One backend as it stood when the snapshot was made.
#[derive(Clone, Debug)]
pub struct Backend {
    /// Its name.
    pub name: BackendName,
    /// The group it belongs to (or belonged to, when `retired`).
    pub group: GroupName,
    /// Where it listens.
    pub url: BackendUrl,
    /// The configured URI mode.
    pub uris: Uris,
    /// What operators and probes say of it.
    pub state: BackendState,
    /// Whether `/v1/info` answered `starting: true` at the last probe.
    pub starting: bool,
    /// What an operator said.
    pub mark: Mark,
    /// New statements only.
    pub circuit: Circuit,
    /// What the probe of its URI building proved; `None` before the first readiness.
    pub capabilities: Option<Capabilities>,
    /// The suffix of the query ids of its present process.
    pub coordinator: Option<CoordinatorId>,
    /// `nodeVersion.version`.
    pub version: Option<Arc<str>>,
    /// The last probe's end.
    pub last_check: Option<SystemTime>,
    /// Whether the file no longer names it.
    pub retired: bool,
    /// What moves while the snapshot stands.
    pub live: Arc<Live>,
}

/// A backend's address, taken apart once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BackendUrl {
    /// `http` (or `https`).
    pub scheme: http::uri::Scheme,
    /// Host and port as configured.
    pub authority: http::uri::Authority,
    /// The path before Trino's own, without a slash at its end; mostly empty.
    pub base_path: Arc<str>,
}

/// What the metric `gateway_backends` and the status page call it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum BackendState {
    /// Ready for statements.
    Healthy,
    /// Not reachable, and nothing wakes it.
    Unhealthy,
    /// `starting: true`.
    Resuming,
    /// No new statements; known ids are served.
    Draining,
    /// Taken out by an operator; known ids are served.
    Inactive,
}

/// What an operator said of a backend.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Mark {
    /// At work.
    #[default]
    Active,
    /// Leaves when its last query has ended.
    Draining,
    /// Left.
    Inactive,
}

/// Whether new statements are kept away after failures.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Circuit {
    /// All is well.
    #[default]
    Closed,
    /// The probe that may close it is under way.
    HalfOpen,
    /// No new statements.
    Open,
}

/// The moving part of a backend; it outlives snapshots and reloads.
#[derive(Debug)]
pub struct Live {
    /// Queries that have not ended.
    pub load: Load,
    /// Its counters.
    pub metrics: Arc<BackendMetrics>,
    /// Failures in a row that count for the circuit.
    pub failures: AtomicU32,
    /// What the data plane noticed.
    pub reports: mpsc::UnboundedSender<Report>,
}

/// What the data plane notices of a backend and the control plane must know.
#[derive(Clone, Debug)]
pub enum Report {
    /// Failures in a row reached the limit of the circuit.
    Tripped(BackendName),
    /// A connection was refused or timed out: probe it now.
    Unreachable(BackendName),
    /// An answer carried a query id of a process that the snapshot does not know.
    Coordinator(BackendName, CoordinatorId),
}

/// Where the current snapshot is read.
#[derive(Clone, Debug)]
pub struct Current(Arc<ArcSwap<Snapshot>>);

impl Current {
    /// Starts with a first snapshot.
    pub fn new(first: Snapshot) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(first)))
    }

    /// The present one; cheap, once a request.
    pub fn load(&self) -> Guard<Arc<Snapshot>> {
        self.0.load()
    }

    /// The present one, to be kept.
    pub fn load_full(&self) -> Arc<Snapshot> {
        self.0.load_full()
    }

    /// Puts the next one in its place; only `backends::fold` calls it.
    pub fn publish(&self, next: Snapshot) {
        self.0.store(Arc::new(next));
    }
}

impl Snapshot {
    /// The group of that name.
    pub fn group(&self, name: &GroupName) -> Option<&Arc<Group>> {
        self.groups.iter().find(|group| &group.name == name)
    }

    /// Whether the gateway stands before more than one backend, so that a page must be kept on its own.
    pub fn has_several_backends(&self) -> bool {
        self.backends.len() > 1
    }
}
