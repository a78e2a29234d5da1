//! Calls of drivers and reads of Trino's counts, each in a task of its own, so that the fold waits for nobody.
//!
//! What comes of them reaches the fold as `Told`, exactly once for each call. One call per backend: another one
//! drops the one before. They end with the process, not with the client that brought them about.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use reqwest::Client;
use tokio::{sync::mpsc, time::Instant};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};
use tracing::Instrument;

use crate::{
    backends::{
        plan::PlannedBackend,
        probe::ask,
        resume::{
            call_span::CallSpan,
            driver::{Accepted, Action, Call, CallError, Driver, Labels},
            lease::Leases,
            stats::{self, Counts},
            wake::CallId,
        },
        truth::{Effect, Truth},
    },
    config::model::Resume,
    metrics::{Metrics, ProviderOutcome},
    snapshot::Seat,
};

/// Makes the driver that a configuration names; tests bring their own.
pub(crate) type Drivers =
    Arc<dyn Fn(&Resume, Labels<'_>) -> Result<Arc<dyn Driver>, String> + Send + Sync>;

/// What became of a call or of a read.
#[derive(Debug)]
pub(crate) enum Told {
    /// The driver answered.
    Called(Seat, CallId, Result<Accepted, CallError>),
    /// Trino's counts, or why they cannot be read.
    Counted(Seat, Result<Counts, String>),
}

/// A call as the truth wants it.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) call: Call,
    /// What a collector is told of it.
    pub(crate) told: Option<CallSpan>,
    pub(crate) resume: Resume,
    pub(crate) namespace: Arc<str>,
    pub(crate) xtrinode: Arc<str>,
}

/// All calls under way.
pub(crate) struct Calls {
    pub(crate) drivers: Drivers,
    pub(crate) http: Client,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) told: mpsc::UnboundedSender<Told>,
    pub(crate) tracker: TaskTracker,
    pub(crate) cancel: CancellationToken,
    /// Where there are other replicas that might make the same call.
    leases: Option<Leases>,
    calling: BTreeMap<Seat, DropGuard>,
    counting: BTreeMap<Seat, CancellationToken>,
}

impl fmt::Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calls").finish_non_exhaustive()
    }
}

impl Calls {
    /// None yet.
    pub(crate) fn new(
        drivers: Drivers,
        http: Client,
        metrics: Arc<Metrics>,
        told: mpsc::UnboundedSender<Told>,
        leases: Option<Leases>,
        (tracker, cancel): (TaskTracker, CancellationToken),
    ) -> Self {
        let (calling, counting) = (BTreeMap::new(), BTreeMap::new());
        Self { drivers, http, metrics, told, tracker, cancel, leases, calling, counting }
    }

    /// Does what concerns them.
    pub(crate) fn follow(&mut self, effect: Effect, truth: &Truth) {
        match effect {
            Effect::Call(seat, id, action) => {
                if let Some(wanted) = truth.call(seat, action) {
                    self.call(seat, id, wanted);
                }
            }
            Effect::Count(seat) => {
                if let Some(record) = truth.record(seat) {
                    self.count(seat, &record.planned);
                }
            }
            Effect::Stop(seat) => self.forget(seat),
            Effect::Start(_) | Effect::Retune(_) | Effect::Poke(_) => {}
        }
    }

    /// Calls a backend's driver.
    fn call(&mut self, seat: Seat, id: CallId, wanted: Wanted) {
        let labels = Labels { namespace: &wanted.namespace, xtrinode: &wanted.xtrinode };
        let driver = (self.drivers)(&wanted.resume, labels);
        let (told, metrics) = (self.told.clone(), Arc::clone(&self.metrics));
        let span = tracing::info_span!("call", backend = %wanted.call.backend);
        let cancel = self.cancel.child_token();
        self.calling.insert(seat, cancel.clone().drop_guard());
        let leases = self.leases.clone();
        let call = async move {
            let answer = match driver {
                Ok(driver) => called(&*driver, wanted, leases, &metrics).await,
                Err(words) => Err(CallError::Permanent(words)),
            };
            // Fails only when the fold has ended, which is when the process does.
            let _ = told.send(Told::Called(seat, id, answer));
        };
        let call = async move {
            cancel.run_until_cancelled(call).await;
        };
        self.tracker.spawn(call.instrument(span));
    }

    /// Reads a backend's own counts, unless that is under way.
    fn count(&mut self, seat: Seat, of: &PlannedBackend) {
        if self.counting.get(&seat).is_some_and(|ended| !ended.is_cancelled()) {
            return;
        }
        let ended = CancellationToken::new();
        self.counting.insert(seat, ended.clone());
        let http = ask::client_of(of.trust.as_deref(), &self.http);
        let told = self.told.clone();
        let (base, stats, timeout) = (of.url.to_string(), of.stats.clone(), of.tempo.timeout);
        let cancel = self.cancel.clone();
        let read = async move {
            let counts = stats::read(&http, &base, stats.as_ref(), timeout).await;
            drop(ended.drop_guard());
            let _ = told.send(Told::Counted(seat, counts));
        };
        self.tracker.spawn(async move {
            cancel.run_until_cancelled(read).await;
        });
    }

    /// The backend retired.
    fn forget(&mut self, seat: Seat) {
        self.calling.remove(&seat);
        self.counting.remove(&seat);
    }
}

/// Over all replicas it is woken by one of them, and put to sleep by whoever sees that it is idle.
async fn called(
    driver: &dyn Driver,
    wanted: Wanted,
    leases: Option<Leases>,
    metrics: &Metrics,
) -> Result<Accepted, CallError> {
    let (backend, action) = (wanted.call.backend.clone(), wanted.call.action);
    let deadline = wanted.resume.call_timeout.get();
    let call = measured(driver, wanted.call, wanted.told, metrics);
    let Some(leases) = leases else { return call.await };
    if action == Action::Resume {
        return leases.once(&backend, deadline, call).await;
    }
    let answer = call.await;
    if answer.is_ok() {
        leases.forget(&backend).await;
    }
    answer
}

async fn measured(
    driver: &dyn Driver,
    call: Call,
    told: Option<CallSpan>,
    metrics: &Metrics,
) -> Result<Accepted, CallError> {
    let began = Instant::now();
    let answer = driver.call(call).await;
    told.into_iter().for_each(|told| told.ended(driver.provider(), &answer, began));
    let took: Duration = began.elapsed();
    let outcome = match &answer {
        Ok(_) => ProviderOutcome::Success,
        Err(CallError::Timeout) => ProviderOutcome::Timeout,
        Err(CallError::Permanent(_) | CallError::Transient { .. }) => ProviderOutcome::Failure,
    };
    metrics.provider_call(driver.provider(), outcome, took);
    answer
}
