//! What the fold knows of one backend, and how it looks from outside.
//!
//! A record is a name at an address: the same name at another address is another record, so that queries of the
//! old process still find it. Only `truth` changes it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use sluice_routing::{Availability, BackendName, CoordinatorId, GroupName, Load};
use tokio::{sync::mpsc, time::Instant};

use crate::{
    backends::{
        circuit::Gate,
        health::{Health, Verdict},
        plan::PlannedBackend,
        resume::{idle::Idle, wake::Wake},
    },
    config::model::{Challenge, Resume},
    metrics::{BackendMetrics, Unavailable},
    snapshot::{Backend, BackendState, Circuit, Live, Mark, Moment, Report, Seat, WakeState},
    trino::{patch::kept::Kept, uris::Capabilities},
};

/// One backend, configured or retired.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) group: GroupName,
    pub(crate) planned: PlannedBackend,
    pub(crate) live: Arc<Live>,
    pub(crate) health: Health,
    pub(crate) gate: Gate,
    pub(crate) capabilities: Option<Capabilities>,
    pub(crate) starting: bool,
    pub(crate) version: Option<Arc<str>>,
    pub(crate) coordinator: Option<Learned>,
    /// Why no TLS connection to it came about at the last probe.
    pub(crate) no_tls: Option<Arc<str>>,
    /// Whether a probe of it has ended.
    pub(crate) probed: bool,
    pub(crate) retired: Option<Retirement>,
    /// Where it stands between sleep and readiness, if something wakes it.
    pub(crate) wake: Option<Wake>,
    /// The driver that `wake` calls.
    pub(crate) driven_by: Option<Resume>,
    pub(crate) idle: Idle,
    /// A connection to it failed, and no probe has said otherwise since.
    pub(crate) suspect: bool,
    /// Whether its prober was told to ask often.
    pub(crate) eager: bool,
    /// The state that was last logged.
    pub(crate) told: Option<BackendState>,
}

/// A coordinator id and when it was last shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Learned {
    pub(crate) id: CoordinatorId,
    pub(crate) at: Instant,
}

/// All that a reader of a snapshot can see of a backend and a probe, a call or time may change. What `shown` and the
/// group's own lines are made of stands here, so that nothing is published unseen and nothing seen goes unpublished.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Face {
    pub(crate) availability: Availability,
    state: BackendState,
    starting: bool,
    wake: Option<WakeState>,
    resuming_since: Option<Instant>,
    failure: Option<(Unavailable, Arc<str>)>,
    circuit: Circuit,
    capabilities: Option<Capabilities>,
    coordinator: Option<CoordinatorId>,
    version: Option<Arc<str>>,
    no_tls: Option<Arc<str>>,
    probed: bool,
}

/// The file no longer names it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Retirement {
    /// Since when it has no query, if it has none.
    pub(crate) idle_since: Option<Instant>,
}

impl Record {
    /// A backend of which nothing is known yet.
    pub(crate) fn new(
        seat: Seat,
        group: GroupName,
        planned: PlannedBackend,
        metrics: Arc<BackendMetrics>,
        reports: mpsc::UnboundedSender<Report>,
    ) -> Self {
        let failures = AtomicU32::new(0);
        Self {
            group,
            planned,
            live: Arc::new(Live {
                seat,
                load: Load::default(),
                metrics,
                failures,
                challenges: AtomicBool::new(false),
                last_check: Moment::default(),
                patch: Kept::default(),
                reports,
            }),
            health: Health::default(),
            gate: Gate::default(),
            capabilities: None,
            starting: false,
            version: None,
            coordinator: None,
            no_tls: None,
            probed: false,
            retired: None,
            wake: None,
            driven_by: None,
            idle: Idle::default(),
            suspect: false,
            eager: false,
            told: None,
        }
    }

    /// Where it sits.
    pub(crate) fn seat(&self) -> Seat {
        self.live.seat
    }

    /// The name in the file.
    pub(crate) fn name(&self) -> &BackendName {
        &self.planned.name
    }

    /// Takes over what the file now says; the load goes on counting, also in another group.
    pub(crate) fn replan(
        &mut self,
        group: &GroupName,
        planned: &PlannedBackend,
        metrics: Arc<BackendMetrics>,
    ) {
        if self.group != *group {
            self.group = group.clone();
            self.live = Arc::new(Live {
                seat: self.seat(),
                load: self.live.load.clone(),
                metrics,
                failures: AtomicU32::new(self.live.failures.load(Ordering::Relaxed)),
                challenges: AtomicBool::new(self.live.challenges.load(Ordering::Relaxed)),
                last_check: self.live.last_check.copy(),
                patch: Kept::default(),
                reports: self.live.reports.clone(),
            });
        }
        self.planned = planned.clone();
    }

    /// Named by the file again: nothing that probes said before is believed.
    pub(crate) fn revive(&mut self) {
        self.retired = None;
        (self.suspect, self.eager) = (false, false);
        self.health = Health::default();
        self.gate = Gate::default();
        self.capabilities = None;
        self.no_tls = None;
        self.live.failures.store(0, Ordering::Relaxed);
    }

    /// Whether it may take a new statement.
    pub(crate) fn availability(&self, mark: Mark) -> Availability {
        if let (Mark::Active, Some(wake)) = (mark, &self.wake)
            && let Some(asleep) = unready(wake)
        {
            return asleep;
        }
        match (mark, self.health.verdict()) {
            (Mark::Inactive, _) => Availability::Inactive,
            (Mark::Draining, _) => Availability::Draining,
            (Mark::Active, Verdict::Down) => Availability::Unreachable,
            (Mark::Active, Verdict::Unknown | Verdict::Starting) => Availability::Starting,
            (Mark::Active, Verdict::Up) if self.gate.shown() == Circuit::Closed => {
                Availability::Ready
            }
            (Mark::Active, Verdict::Up) => Availability::CircuitOpen,
        }
    }

    /// The word for metrics and people.
    pub(crate) fn state(&self, mark: Mark) -> BackendState {
        match (mark, self.health.verdict()) {
            _ if self.retired.is_some() => BackendState::Inactive,
            (Mark::Inactive, _) => BackendState::Inactive,
            (Mark::Draining, _) => BackendState::Draining,
            (Mark::Active, verdict) if self.wake.is_some() => self.woken_state(verdict),
            (Mark::Active, Verdict::Down | Verdict::Unknown) => BackendState::Unhealthy,
            (Mark::Active, Verdict::Starting) => BackendState::Resuming,
            (Mark::Active, Verdict::Up) => BackendState::Healthy,
        }
    }

    fn woken_state(&self, verdict: Verdict) -> BackendState {
        let shown = self.wake.as_ref().map_or(WakeState::Asleep, Wake::shown);
        match shown {
            WakeState::Asleep | WakeState::HeldDown => BackendState::Sleeping,
            WakeState::Requested | WakeState::Warming => BackendState::Resuming,
            WakeState::Ready if verdict == Verdict::Up => BackendState::Healthy,
            WakeState::Ready | WakeState::Failed => BackendState::Unhealthy,
            WakeState::Draining => BackendState::Draining,
        }
    }

    /// What moves of that which requests read.
    pub(crate) fn face(&self, mark: Mark) -> Face {
        Face {
            availability: self.availability(mark),
            state: self.state(mark),
            starting: self.starting,
            wake: self.wake.as_ref().map(Wake::shown),
            resuming_since: self.wake.as_ref().and_then(Wake::resuming_since),
            failure: self.wake.as_ref().and_then(Wake::failure),
            circuit: self.gate.shown(),
            capabilities: self.capabilities,
            coordinator: self.coordinator.map(|learned| learned.id),
            version: self.version.clone(),
            no_tls: self.no_tls.clone(),
            probed: self.probed,
        }
    }

    /// What requests read, under the name that requests use.
    pub(crate) fn shown(&self, name: BackendName, mark: Mark) -> Backend {
        let face = self.face(mark);
        Backend {
            formerly: (name != *self.name()).then(|| self.name().clone()),
            name,
            group: self.group.clone(),
            url: self.planned.url.clone(),
            trust: self.planned.trust.clone(),
            no_tls: face.no_tls,
            uris: self.planned.uris,
            state: face.state,
            starting: face.starting,
            wake: face.wake,
            oauth2: self.planned.challenge == Challenge::Oauth2,
            mark,
            circuit: face.circuit,
            capabilities: face.capabilities,
            coordinator: face.coordinator,
            version: face.version,
            probed: face.probed,
            retired: self.retired.is_some(),
            live: Arc::clone(&self.live),
        }
    }
}

/// Why one that something wakes takes no statement; one that only dozes off is wanted back by the next.
fn unready(wake: &Wake) -> Option<Availability> {
    match wake.shown() {
        WakeState::Ready => None,
        _ if wake.is_held() => Some(Availability::HeldDown),
        WakeState::Failed => Some(Availability::Failed),
        _ => Some(Availability::Asleep),
    }
}
