//! Where groups and backends stand between sleep and readiness, as requests see it.
//!
//! The fold writes it (`backends::resume`), requests, answers and the waiting room read it. Nothing here decides.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use sluice_routing::GroupName;
use tokio::{sync::mpsc, time::Instant};

use crate::{
    metrics::{ResumeOutcome, Unavailable},
    snapshot::Report,
    telemetry::traces::Cause,
};

/// The states of scale-from-zero.md 9.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WakeState {
    /// Not ready, nothing requested.
    Asleep,
    /// The driver is being called.
    Requested,
    /// The call was accepted, or the coordinator says `starting: true`.
    Warming,
    /// It takes statements.
    Ready,
    /// It is about to be suspended: no new statements.
    Draining,
    /// It could not be woken; tried again after a while.
    Failed,
    /// Suspended by an operator until an operator resumes it.
    HeldDown,
}

impl WakeState {
    /// The word in JSON and on pages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asleep => "asleep",
            Self::Requested => "requested",
            Self::Warming => "warming",
            Self::Ready => "ready",
            Self::Draining => "draining",
            Self::Failed => "failed",
            Self::HeldDown => "held down",
        }
    }
}

/// A group between sleep and readiness.
#[derive(Clone, Debug, Default)]
pub struct GroupWake {
    /// Whether one of its backends has a resume driver.
    pub has_driver: bool,
    /// Since when a backend is being woken.
    pub resuming_since: Option<Instant>,
    /// The 90th percentile of its own cold starts.
    pub usual: Option<Duration>,
    /// Why no capacity comes, while none does, with words for people; `None` while it is ready or may become so.
    pub hopeless: Option<(Unavailable, Arc<str>)>,
    /// How the last resume ended.
    pub last_outcome: Option<ResumeOutcome>,
    /// When one last succeeded.
    pub last_success: Option<SystemTime>,
}

/// The moving part of a group; it outlives snapshots and reloads.
pub struct GroupLive {
    name: GroupName,
    wanted: AtomicBool,
    /// When a resume made a backend ready, until the first statement that waited for it was answered.
    risen: Mutex<Option<Instant>>,
    reports: mpsc::UnboundedSender<Report>,
    causes: Mutex<Vec<(Instant, Cause)>>,
}

/// So many statements of one resume are remembered by their traces: as many as a span may have links.
const CAUSES: usize = 128;

/// A cause that is older belongs to a wish that came to nothing.
pub(crate) const FRESH: Duration = Duration::from_secs(30);

impl GroupLive {
    /// Of the group of that name; `reports` leads to the fold.
    pub fn new(name: GroupName, reports: mpsc::UnboundedSender<Report>) -> Self {
        Self {
            name,
            wanted: AtomicBool::new(false),
            risen: Mutex::new(None),
            reports,
            causes: Mutex::default(),
        }
    }

    /// Says on whose behalf a backend is wanted; said before it is, so that the resume knows its starter.
    pub fn because(&self, cause: Cause) {
        let mut causes = self.causes.lock().unwrap_or_else(PoisonError::into_inner);
        causes.retain(|(since, _)| since.elapsed() < FRESH);
        // Where no span is told nobody but the starter matters.
        let most = if cause.traces.is_on() { CAUSES } else { 1 };
        if causes.len() < most {
            causes.push((Instant::now(), cause));
        }
    }

    /// On whose behalf a backend was wanted since the last time, the first of them first.
    pub fn take_causes(&self) -> Vec<(Instant, Cause)> {
        std::mem::take(&mut self.causes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A statement waits, or was refused, for want of a backend: one report however many they are. Says whether it
    /// was the one that reported.
    pub fn want(&self) -> bool {
        let is_first = !self.wanted.swap(true, Ordering::AcqRel);
        if is_first {
            // Fails only when the fold has ended, which is when the process does.
            let _ = self.reports.send(Report::Wanted(self.name.clone()));
        }
        is_first
    }

    /// The fold has heard it; the next statement may say it again.
    pub fn heard(&self) {
        self.wanted.store(false, Ordering::Release);
    }

    /// A resume has made a backend ready.
    pub fn rose(&self, now: Instant) {
        *self.risen.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }

    /// A statement that came at `accepted` and waited is answered: how long after readiness, for the first one only.
    pub fn first_answer(&self, accepted: Instant, now: Instant) -> Option<Duration> {
        let risen = self.risen.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        // Whoever came later did not wait for it: then nobody is left who did.
        (accepted < risen).then(|| now.saturating_duration_since(risen))
    }
}

impl fmt::Debug for GroupLive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupLive").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Who knows the demand of a group; the ledger does.
pub trait Demand: Send + Sync + fmt::Debug {
    /// What scalers are told: in-flight, unmet and lingering demand.
    fn demand(&self, group: &GroupName) -> u64;

    /// Whether it has a query that has not ended: what lingers is no reason to stay awake.
    fn is_used(&self, group: &GroupName) -> bool {
        self.demand(group) > 0
    }

    /// How many of its queries no coordinator has answered for.
    fn waiting(&self, _: &GroupName) -> u64 {
        0
    }

    /// Whether a statement waits that no coordinator has taken yet, and its client with it.
    fn waits(&self, _: &GroupName) -> bool {
        false
    }
}
