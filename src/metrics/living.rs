//! Gauges about queries and backends, computed from what lives at the moment of the scrape.
//!
//! Each scrape fills families of its own and throws them away: nothing is reset while someone else reads, a group
//! that went leaves no series behind, and no forgotten decrement can make a gauge drift.

use std::{collections::BTreeSet, sync::Arc};

use prometheus::{Registry, proto::MetricFamily};

use crate::metrics::{
    labels::{BackendState, Workers},
    table::{Scraped, Set},
};

/// What lives, as the page of metrics needs to know it.
pub trait Living: Send + Sync {
    /// One entry for each configured group and state, zeros included.
    fn in_flight(&self) -> Vec<InFlight>;

    /// One entry for each backend at work.
    fn backends(&self) -> Vec<BackendGauge>;

    /// One entry for each configured group.
    fn groups(&self) -> Vec<GroupGauge>;

    /// How much is wanted of a configured group; `None` if there is none of that name.
    fn demand(&self, group: &str) -> Option<Wanted>;

    /// How many query records are held.
    fn tracked_queries(&self) -> u64;

    /// How many users were active of late.
    fn active_sessions(&self) -> u64;

    /// What the runtimes say of themselves.
    fn runtimes(&self) -> Runtimes;

    /// Whether `/readyz` answers 200.
    fn ready(&self) -> bool;
}

/// The tokio runtimes of the process, added up.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Runtimes {
    /// Threads that run tasks.
    pub workers: u64,
    /// Tasks that have not ended.
    pub tasks: u64,
    /// Tasks in the queues that all threads of a runtime share.
    pub queued: u64,
}

/// The queries of one group in one state.
#[derive(Clone, Debug)]
pub struct InFlight {
    /// The label `routing_group`.
    pub group: Arc<str>,
    /// The label `namespace`.
    pub namespace: Arc<str>,
    /// The label `xtrinode`.
    pub xtrinode: Arc<str>,
    /// Trino's word, `RESUMING` or `UNKNOWN`.
    pub state: &'static str,
    /// How many.
    pub count: u64,
}

/// One group as it stands.
#[derive(Clone, Debug, Default)]
pub struct GroupGauge {
    /// The label `routing_group`.
    pub group: Arc<str>,
    /// What scalers are told.
    pub demand: u64,
    /// The highest in-flight of the last minute.
    pub peak: u64,
    /// Statements in the waiting room.
    pub waiters: u64,
    /// Their SQL and headers.
    pub held_bytes: u64,
    /// Seconds that the oldest of them has waited.
    pub held_oldest: f64,
    /// Whether a backend is being woken.
    pub resume_in_progress: bool,
    /// When a resume last succeeded, in Unix seconds; 0 if never.
    pub last_success: f64,
    /// Its workers, where anybody reports them.
    pub workers: Option<WorkersOfGroup>,
}

/// The Trino workers of one group.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct WorkersOfGroup {
    /// Those that there are.
    pub current: u64,
    /// Those that are wanted.
    pub desired: u64,
}

/// How much is wanted of a group.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Wanted {
    /// What scalers are told: in-flight, unmet and lingering demand.
    pub demand: u64,
    /// Queries accepted and not ended.
    pub in_flight: u64,
    /// No coordinator has answered for these.
    pub resuming: u64,
    /// Trino's `QUEUED` and `WAITING_FOR_RESOURCES`.
    pub queued: u64,
    /// All the others.
    pub running: u64,
    /// Whether this is all, or only what is known so soon after the start (rule L13).
    pub is_known: bool,
    /// Whose it is: `replica`, or `fleet`.
    pub scope: &'static str,
}

/// One backend as it stands.
#[derive(Clone, Debug)]
pub struct BackendGauge {
    /// The label `routing_group`.
    pub group: Arc<str>,
    /// The label `backend`.
    pub backend: Arc<str>,
    /// A word of `BackendState`.
    pub state: &'static str,
    /// 0 closed, 1 half-open, 2 open.
    pub circuit: u8,
    /// Queries that have not ended.
    pub in_flight: u64,
}

/// The families of this moment.
pub(super) fn gather(living: &dyn Living) -> Result<Vec<MetricFamily>, prometheus::Error> {
    let registry = Registry::new();
    let scraped = Scraped::register(&registry)?;
    scraped.tracked.set([], as_f64(living.tracked_queries()));
    scraped.sessions.set([], as_f64(living.active_sessions()));
    scraped.ready.set([], if living.ready() { 1.0 } else { 0.0 });
    let runtimes = living.runtimes();
    scraped.tokio_workers.set([], as_f64(runtimes.workers));
    scraped.tokio_tasks.set([], as_f64(runtimes.tasks));
    scraped.tokio_queue.set([], as_f64(runtimes.queued));
    let queries = living.in_flight();
    let backends = living.backends();
    for each in &queries {
        let labels = [&*each.namespace, &*each.xtrinode, &*each.group, each.state];
        scraped.in_flight.set(labels, as_f64(each.count));
    }
    let groups: BTreeSet<&str> = queries.iter().map(|each| &*each.group).collect();
    scraped.groups.set([], as_f64(groups.len() as u64));
    fill_backends(&scraped, groups, &backends);
    living.groups().iter().for_each(|each| fill_group(&scraped, each));
    Ok(registry.gather())
}

fn fill_group(scraped: &Scraped, each: &GroupGauge) {
    let name = [&*each.group];
    scraped.demand.set(name, as_f64(each.demand));
    scraped.in_flight_peak.set(name, as_f64(each.peak));
    scraped.resume_waiters.set(name, as_f64(each.waiters));
    scraped.held_bytes.set(name, as_f64(each.held_bytes));
    scraped.held_oldest.set(name, each.held_oldest);
    scraped.resume_in_progress.set(name, if each.resume_in_progress { 1.0 } else { 0.0 });
    scraped.resume_last_success.set(name, each.last_success);
    if let Some(workers) = each.workers {
        let kinds = [(Workers::Current, workers.current), (Workers::Desired, workers.desired)];
        for (kind, count) in kinds {
            scraped.workers.set([&*each.group, kind.as_str()], as_f64(count));
        }
    }
}

fn fill_backends<'a>(
    scraped: &Scraped,
    mut groups: BTreeSet<&'a str>,
    backends: &'a [BackendGauge],
) {
    groups.extend(backends.iter().map(|each| &*each.group));
    for group in groups {
        for state in BackendState::ALL {
            scraped.backends.set([group, state.as_str()], 0.0);
        }
    }
    for each in backends {
        let names = [&*each.group, &*each.backend];
        let healthy = each.state == BackendState::Healthy.as_str();
        scraped.backends.with([&*each.group, each.state]).inc();
        scraped.backend_up.set(names, if healthy { 1.0 } else { 0.0 });
        scraped.backend_in_flight.set(names, as_f64(each.in_flight));
        scraped.circuit.set(names, f64::from(each.circuit));
    }
}

/// Prometheus counts in doubles; no count here comes near 2^53.
#[expect(clippy::cast_precision_loss, reason = "counts of queries stay far below 2^53")]
fn as_f64(count: u64) -> f64 {
    count as f64
}
