//! The one value that requests read: rules, fleet, backends and their state, frozen together.
//!
//! One task (`backends::fold`) turns configuration changes, probe results and operators' marks into the next
//! snapshot; requests load it once and pass the reference down. Only the counters behind `Live` move within it.
//! It does no I/O and decides nothing: `sluice_routing::decide` does.

mod moment;
mod wake;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, SystemTime},
};

use ahash::AHashMap;
use arc_swap::{ArcSwap, Guard};
use sluice_routing::{BackendName, CoordinatorId, Fleet, GroupName, Load, RuleSet};
use tokio::sync::{mpsc, watch};

use crate::{
    config::{
        model::{ColdStart, Config, Uris},
        trust::Trust,
    },
    metrics::{BackendMetrics, GroupMetrics},
    trino::{patch::kept::Kept, uris::Capabilities},
};

pub use self::moment::Moment;
pub(crate) use self::wake::FRESH;
pub use self::wake::{Demand, GroupLive, GroupWake, WakeState};

/// What clients are told of Trino's version before any coordinator has told its own.
const UNLEARNED_VERSION: &str = "483";

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
    /// How its statements wait.
    pub cold_start: ColdStart,
    /// Where it stands between sleep and readiness.
    pub wake: GroupWake,
    /// What moves while the snapshot stands.
    pub live: Arc<GroupLive>,
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
    /// How it proves itself, where its URL is `https`.
    pub trust: Option<Arc<Trust>>,
    /// Why no TLS connection to it came about at the last probe, in words for operators.
    pub no_tls: Option<Arc<str>>,
    /// The configured URI mode.
    pub uris: Uris,
    /// What operators and probes say of it.
    pub state: BackendState,
    /// Whether `/v1/info` answered `starting: true` at the last probe.
    pub starting: bool,
    /// Where it stands between sleep and readiness; `None`: it has no resume driver.
    pub wake: Option<WakeState>,
    /// Whether the file says that its clients log in by browser.
    pub oauth2: bool,
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
    /// Whether a probe of it has ended since it was configured.
    pub probed: bool,
    /// Whether the file no longer names it, or names another address under its name.
    pub retired: bool,
    /// The name that it bore while the file named it, if another backend bears that name now.
    pub formerly: Option<BackendName>,
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

impl BackendUrl {
    /// Takes `http://host:port/base` apart; fails with what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let uri: http::Uri = text.parse().map_err(|problem| format!("`{text}`: {problem}"))?;
        let parts = uri.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(format!("`{text}` names no scheme and host"));
        };
        if authority.as_str().contains('@') {
            return Err(format!("`{}` names a user; clients bring their own", authority.host()));
        }
        let path = parts.path_and_query.as_ref().map_or("", http::uri::PathAndQuery::path);
        Ok(Self { scheme, authority, base_path: path.trim_end_matches('/').into() })
    }

    /// Whether it is reached over TLS.
    pub fn is_secure(&self) -> bool {
        self.scheme == http::uri::Scheme::HTTPS
    }
}

impl fmt::Display for BackendUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.base_path)
    }
}

/// What the metric `gateway_backends` and the status page call it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum BackendState {
    /// Ready for statements.
    Healthy,
    /// Not reachable, and nothing wakes it.
    Unhealthy,
    /// Asleep, or held down.
    Sleeping,
    /// `starting: true`, or being woken.
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

/// Which backend of the fold is meant: unlike a name, a seat is never given to another address.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Seat(pub u64);

/// The moving part of a backend; it outlives snapshots and reloads.
#[derive(Debug)]
pub struct Live {
    /// Whose it is.
    pub seat: Seat,
    /// Queries that have not ended.
    pub load: Load,
    /// Its counters.
    pub metrics: Arc<BackendMetrics>,
    /// Failures in a row that count for the circuit.
    pub failures: AtomicU32,
    /// Whether its last challenge was one for a browser (OAuth2).
    pub challenges: AtomicBool,
    /// The last probe's end: no news for requests, so that it moves without a new snapshot.
    pub last_check: Moment,
    /// What its early pages needed last.
    pub patch: Kept,
    /// What the data plane noticed.
    pub reports: mpsc::UnboundedSender<Report>,
}

impl Backend {
    /// Whether its clients cannot name themselves before it has asked them to.
    pub fn asks_by_browser(&self) -> bool {
        self.oauth2 || self.live.challenges.load(Ordering::Relaxed)
    }

    /// The last probe's end.
    pub fn last_check(&self) -> Option<SystemTime> {
        self.live.last_check.get()
    }

    /// Whether it takes statements.
    pub fn is_ready(&self) -> bool {
        self.state == BackendState::Healthy && self.circuit == Circuit::Closed
    }
}

/// What the data plane notices of a backend and the control plane must know.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Report {
    /// Failures in a row reached the limit of the circuit.
    Tripped(Seat),
    /// A connection was refused or timed out: probe it now.
    Unreachable(Seat),
    /// An answer carried a query id of a process that the snapshot does not know.
    Coordinator(Seat, CoordinatorId),
    /// A statement needs a backend of that group, and none takes it (promise 5: only statements say so).
    Wanted(GroupName),
}

/// Where the current snapshot is read.
#[derive(Clone, Debug)]
pub struct Current {
    present: Arc<ArcSwap<Snapshot>>,
    published: watch::Sender<()>,
}

impl BackendState {
    /// The word in metrics, logs and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::Sleeping => "sleeping",
            Self::Resuming => "resuming",
            Self::Draining => "draining",
            Self::Inactive => "inactive",
        }
    }
}

impl Circuit {
    /// The value of `gateway_circuit_breaker_state`.
    pub const fn as_u8(self) -> u8 {
        match self {
            Self::Closed => 0,
            Self::HalfOpen => 1,
            Self::Open => 2,
        }
    }

    /// The word in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half-open",
            Self::Open => "open",
        }
    }
}

impl Current {
    /// Starts with a first snapshot.
    pub fn new(first: Snapshot) -> Self {
        Self { present: Arc::new(ArcSwap::from_pointee(first)), published: watch::Sender::new(()) }
    }

    /// The present one; cheap, once a request.
    pub fn load(&self) -> Guard<Arc<Snapshot>> {
        self.present.load()
    }

    /// The present one, to be kept.
    pub fn load_full(&self) -> Arc<Snapshot> {
        self.present.load_full()
    }

    /// Puts the next one in its place; only `backends::fold` calls it.
    pub fn publish(&self, next: Snapshot) {
        self.present.store(Arc::new(next));
        self.published.send_replace(());
    }

    /// Tells of each publication; who looks up late sees one change, and then the newest snapshot.
    pub fn changed(&self) -> watch::Receiver<()> {
        self.published.subscribe()
    }
}

impl Snapshot {
    /// The group of that name.
    pub fn group(&self, name: &GroupName) -> Option<&Arc<Group>> {
        self.groups.iter().find(|group| &group.name == name)
    }

    /// The backend that a marker or the query table means by `name` for a query of that coordinator process.
    ///
    /// Mostly the one of that name; if a reload gave the name to another address, queries of the old process
    /// still go to the old one.
    pub fn bound(&self, name: &BackendName, of: CoordinatorId) -> Option<&Arc<Backend>> {
        self.coordinators
            .get(&of)
            .and_then(|owner| self.backends.get(owner))
            .filter(|owner| owner.formerly.as_ref() == Some(name))
            .or_else(|| self.backends.get(name))
    }

    /// So long a statement may wait in any group, its client's silence included.
    pub fn longest_wait(&self) -> Duration {
        let deadlines = self.groups.iter().map(|group| group.cold_start.deadline.get());
        deadlines.max().unwrap_or_default() + self.config.queries.abandon_after.get()
    }

    /// Whether every backend has been probed at least once since it was configured.
    pub fn has_heard_all(&self) -> bool {
        self.backends.values().all(|backend| backend.retired || backend.probed)
    }

    /// The version of Trino that clients are told: the configured one, else what the default group runs, else any
    /// other, else a recent one.
    pub fn trino_version(&self) -> Arc<str> {
        let configured = self.config.info.node_version.as_str();
        if configured != "auto" {
            return configured.into();
        }
        let default = self.fleet.default_group.and_then(|at| self.groups.get(at));
        let mut members = default.into_iter().chain(&self.groups).flat_map(|group| &group.members);
        let learned = members.find_map(|backend| backend.version.clone());
        learned.unwrap_or_else(|| UNLEARNED_VERSION.into())
    }

    /// Whether the gateway stands before more than one backend, so that a page must be kept on its own.
    pub fn has_several_backends(&self) -> bool {
        self.backends.len() > 1
    }
}
