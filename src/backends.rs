//! The backends: probed, judged, marked, and folded into the snapshot that requests read.
//!
//! `fold` is the one task that owns the truth; `truth` is that truth, without any I/O; `plan` is a configuration
//! made ready for it. `hearsay` is what replicas tell each other of them. `probe` and `capabilities` ask the coordinators, `passive` is what the data plane tells.
//! A request never waits for anything here, and nothing here sends a statement.

mod capabilities;
mod circuit;
mod coordinators;
mod fold;
mod health;
mod hearsay;
mod identity;
mod jitter;
pub mod outgoing;
pub mod passive;
mod plan;
mod probe;
mod record;
mod renewal;
pub mod resume;
mod truth;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod tests;

use std::{collections::BTreeMap, sync::Arc};

use tokio::sync::{mpsc, oneshot};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

use self::{
    fold::{Ears, Fold, Order, Probers, Steer},
    hearsay::{
        Hearsay,
        word::{Said, Subject, Told},
    },
    plan::Plan,
    resume::{
        calls::{Calls, Drivers},
        driver::{Access, Surroundings, driver_of},
        lease::Leases,
    },
    truth::Truth,
};
use crate::{
    config::model::Config,
    events::Events,
    metrics::Metrics,
    snapshot::{Current, Demand, Mark},
    store::{Scope, SharedStore},
};

pub use self::{
    passive::learned,
    truth::{NotSteered, Steered},
};

/// Orders that may wait for the fold; who sends more waits too.
const ORDERS: usize = 16;

/// Outcomes of probes that may wait for the fold.
const OUTCOMES: usize = 64;

/// Why a configuration was not taken over.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refused {
    /// It contradicts itself; each problem in words.
    #[error("{}", .0.join("; "))]
    Wrong(Vec<String>),
    /// The client of the probes could not be made.
    #[error("cannot probe: {0}")]
    Probes(String),
    /// The clients of the drivers could not be made.
    #[error("cannot call resume drivers: {0}")]
    Drivers(String),
    /// The gateway is stopping.
    #[error("the gateway is stopping")]
    Stopping,
}

/// Why a backend was not marked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NotMarked {
    /// The configuration names no such backend.
    #[error("no backend is called `{0}`")]
    UnknownBackend(String),
    /// The gateway is stopping.
    #[error("the gateway is stopping")]
    Stopping,
}

/// How the rest of the process gives orders to the fold.
#[derive(Clone, Debug)]
pub struct Control {
    orders: mpsc::Sender<Order>,
    current: Current,
    /// Where there are other replicas that must hear of it.
    said: Option<mpsc::Sender<Said>>,
}

impl Control {
    /// Takes over another configuration; when it returns, requests already see it.
    pub async fn apply(
        &self,
        config: Arc<Config>,
        hash: impl Into<Arc<str>>,
    ) -> Result<(), Refused> {
        let (done, applied) = oneshot::channel();
        let order = Order::Apply { config, hash: hash.into(), done };
        self.orders.send(order).await.map_err(|_| Refused::Stopping)?;
        applied.await.map_err(|_| Refused::Stopping)?
    }

    /// Marks a backend and gives back its mark; when it returns, requests already see it.
    ///
    /// A drained backend becomes `Inactive` by itself when its last query has ended. Marks outlive reloads; in a shared
    /// store they reach the other replicas, and outlive restarts.
    pub async fn mark(&self, backend: &str, mark: Mark) -> Result<Mark, NotMarked> {
        let (done, marked) = oneshot::channel();
        let order = Order::Mark { backend: backend.to_owned(), mark, done };
        self.orders.send(order).await.map_err(|_| NotMarked::Stopping)?;
        let now = marked.await.map_err(|_| NotMarked::Stopping)?;
        let now = now.ok_or_else(|| NotMarked::UnknownBackend(backend.to_owned()))?;
        self.say(Subject::Backend(backend.into()), mark.into()).await;
        Ok(now)
    }

    /// Wakes a group: it is no longer held down, and its first backend that can be woken is.
    ///
    /// When it returns, requests see it; that a backend takes statements is another matter.
    pub async fn resume(&self, group: &str) -> Result<Vec<Steered>, NotSteered> {
        self.steer(group, Steer::Awake).await
    }

    /// Puts a group to sleep until `resume`: no new statements from now on, and when the last query has ended,
    /// its drivers are called.
    pub async fn suspend(&self, group: &str) -> Result<Vec<Steered>, NotSteered> {
        self.steer(group, Steer::Asleep).await
    }

    async fn steer(&self, group: &str, steer: Steer) -> Result<Vec<Steered>, NotSteered> {
        let (done, steered) = oneshot::channel();
        let order = Order::Steer { group: group.to_owned(), steer, done };
        self.orders.send(order).await.map_err(|_| NotSteered::Stopping)?;
        let steered = steered.await.map_err(|_| NotSteered::Stopping)??;
        let told = if steer == Steer::Awake { Told::Awake } else { Told::Asleep };
        self.say(Subject::Group(group.into()), told).await;
        Ok(steered)
    }

    async fn say(&self, subject: Subject, told: Told) {
        if let Some(said) = &self.said {
            // Fails only when the gateway stops; then it is not said.
            let _ = said.send(Said::Word(subject, told)).await;
        }
    }

    /// Where the present snapshot is read.
    pub fn current(&self) -> Current {
        self.current.clone()
    }
}

/// Starts the fold and one prober per backend on this runtime; they stop when `cancel` says so.
///
/// The first snapshot is there at once; in it no backend has been probed yet.
pub fn start(
    config: Arc<Config>,
    hash: impl Into<Arc<str>>,
    metrics: Arc<Metrics>,
    events: Events,
    demand: Arc<dyn Demand>,
    store: &SharedStore,
    (cancel, tracker): (CancellationToken, &TaskTracker),
) -> Result<(Current, Control), Refused> {
    let access = Access::find(|name| std::env::var(name).ok());
    let around = Surroundings::new(access).map_err(Refused::Drivers)?;
    let drivers: Drivers = Arc::new(move |resume, labels| driver_of(resume, labels, &around));
    let store = (store.scope() == Scope::Fleet).then(|| store.clone());
    start_with(config, hash, metrics, events, demand, (drivers, store), (cancel, tracker))
}

/// The same with other drivers.
fn start_with(
    config: Arc<Config>,
    hash: impl Into<Arc<str>>,
    metrics: Arc<Metrics>,
    events: Events,
    demand: Arc<dyn Demand>,
    (drivers, store): (Drivers, Option<SharedStore>),
    (cancel, tracker): (CancellationToken, &TaskTracker),
) -> Result<(Current, Control), Refused> {
    let plan = Plan::of(&config).map_err(Refused::Wrong)?;
    plan.warn();
    let http = outgoing::plain().map_err(|error| Refused::Probes(error.to_string()))?;
    let (reports, heard_reports) = mpsc::unbounded_channel();
    let (orders, heard_orders) = mpsc::channel(ORDERS);
    let (outcomes, heard_outcomes) = mpsc::channel(OUTCOMES);
    let (told, heard_told) = mpsc::unbounded_channel();
    let tasks = (tracker.clone(), cancel.clone());
    let renewing = cancel.clone();
    let said = store.clone().map(|store| hear(store, &orders, &cancel, tracker));
    let leases = store.map(Leases::new);
    let calls = Calls::new(drivers, http.clone(), Arc::clone(&metrics), told, leases, tasks);
    let truth = Truth::new(plan, config, hash.into(), metrics, events, reports, demand);
    let current = Current::new(truth.snapshot());
    let fold = Fold {
        truth,
        current: current.clone(),
        ears: Ears {
            orders: heard_orders,
            reports: heard_reports,
            outcomes: heard_outcomes,
            told: heard_told,
        },
        calls,
        said: said.clone(),
        probers: Probers {
            http,
            outcomes,
            tracker: tracker.clone(),
            cancel,
            at_work: BTreeMap::new(),
        },
    };
    let renewing = renewal::run(current.clone(), orders.clone(), renewing);
    tracker.spawn(renewing.instrument(tracing::info_span!("tls-files")));
    tracker.spawn(fold.run().instrument(tracing::info_span!("fold")));
    Ok((current.clone(), Control { orders, current, said }))
}

/// Begins to speak and to listen; who has something to say sends it there.
fn hear(
    store: SharedStore,
    orders: &mpsc::Sender<Order>,
    cancel: &CancellationToken,
    tracker: &TaskTracker,
) -> mpsc::Sender<Said> {
    let (say, said) = mpsc::channel(hearsay::WORDS);
    let hearsay = Hearsay::new(store, orders.clone(), said).run(cancel.clone());
    tracker.spawn(hearsay.instrument(tracing::info_span!("hearsay")));
    say
}
