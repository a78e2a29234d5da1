//! The one owner of what is true of the backends: the file, operators' marks, probes, circuits, processes.
//!
//! Every event is a method that takes the time; what must follow outside (a prober started, asked at once,
//! stopped) is put down as an `Effect` for the task in `fold`. It does no I/O itself, so it is tested without any.
//! Its parts: `reload` takes over a configuration, `events` what is heard of a backend, `publish` makes the snapshot,
//! `waking`, `acts` and `sleeping` are about backends that sleep.

mod acts;
mod events;
mod publish;
mod reload;
mod sleeping;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod tests;
mod traced;
mod waking;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use ahash::AHashMap;
use sluice_routing::{BackendName, GroupName};
use tokio::{sync::mpsc, time::Instant};

use crate::{
    backends::{
        coordinators::Coordinators,
        plan::{Plan, Tempo},
        record::{Face, Record},
        resume::{driver::Action, wake::CallId},
    },
    config::model::Config,
    events::Events,
    metrics::Metrics,
    snapshot::{Demand, GroupLive, Mark, Report, Seat},
};

use self::waking::Waking;

pub use self::sleeping::{NotSteered, Steered};

/// How often a load that nobody announces is looked at: of draining and of retired backends.
const WATCH_LOAD: Duration = Duration::from_millis(250);

/// A statement that chose the backend just before the mark needs this long to be counted.
const DRAIN_GRACE: Duration = Duration::from_secs(1);

/// What the task around it must do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Effect {
    /// A backend came: probe it from now on.
    Start(Seat),
    /// Its probes have other intervals.
    Retune(Seat),
    /// Probe it at once.
    Poke(Seat),
    /// It retired: probe it no more.
    Stop(Seat),
    /// Call its driver.
    Call(Seat, CallId, Action),
    /// Read its own counts.
    Count(Seat),
}

/// Everything that is known of the backends.
#[derive(Debug)]
pub(crate) struct Truth {
    metrics: Arc<Metrics>,
    events: Events,
    reports: mpsc::UnboundedSender<Report>,
    demand: Arc<dyn Demand>,
    config: Arc<Config>,
    hash: Arc<str>,
    plan: Plan,
    /// The moving parts of groups that were ever configured under these names.
    lives: AHashMap<GroupName, Arc<GroupLive>>,
    records: BTreeMap<Seat, Record>,
    /// Who bears a name; a retired backend keeps its own until another takes it.
    holders: AHashMap<BackendName, Seat>,
    marks: AHashMap<BackendName, Marked>,
    waking: AHashMap<GroupName, Waking>,
    coordinators: Coordinators,
    /// Groups and backends that have series.
    series: BTreeSet<(GroupName, Option<BackendName>)>,
    next_seat: u64,
    effects: Vec<Effect>,
    /// Times of cold starts that nobody else was told of.
    took: Vec<(GroupName, Duration)>,
    changed: bool,
}

/// An operator's mark.
#[derive(Clone, Copy, Debug)]
struct Marked {
    mark: Mark,
    since: Instant,
}

impl Truth {
    /// Begins with a configuration of which nothing is known yet.
    pub(crate) fn new(
        plan: Plan,
        config: Arc<Config>,
        hash: Arc<str>,
        metrics: Arc<Metrics>,
        events: Events,
        reports: mpsc::UnboundedSender<Report>,
        demand: Arc<dyn Demand>,
    ) -> Self {
        let mut truth = Self {
            metrics,
            events,
            reports,
            demand,
            config,
            hash,
            plan,
            lives: AHashMap::new(),
            records: BTreeMap::new(),
            holders: AHashMap::new(),
            marks: AHashMap::new(),
            waking: AHashMap::new(),
            coordinators: Coordinators::default(),
            series: BTreeSet::new(),
            next_seat: 0,
            effects: Vec::new(),
            took: Vec::new(),
            changed: true,
        };
        truth.seat_everyone(Instant::now());
        truth
    }

    /// What must be done since the last call.
    pub(crate) fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Cold starts that ended since the last call.
    pub(crate) fn take_took(&mut self) -> Vec<(GroupName, Duration)> {
        std::mem::take(&mut self.took)
    }

    /// What all replicas have seen of a group's cold starts.
    pub(crate) fn learn(&mut self, group: &str, times: &[Duration]) {
        if let Some(group) = GroupName::parse(group).filter(|name| self.planned(name).is_some()) {
            let learned = &mut self.waking.entry(group).or_default().learned;
            let before = learned.p90();
            learned.teach(times);
            self.changed |= before != learned.p90();
        }
    }

    /// Whether a snapshot made now differs from the last one that was taken.
    pub(crate) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// The record of a seat.
    pub(crate) fn record(&self, seat: Seat) -> Option<&Record> {
        self.records.get(&seat)
    }

    /// How often its prober asks.
    pub(crate) fn tempo(&self, seat: Seat) -> Option<Tempo> {
        let record = self.records.get(&seat)?;
        Some(Tempo { eager: record.eager, ..record.planned.tempo })
    }

    /// When `tick` next has something to do.
    pub(crate) fn next_wake(&self, now: Instant) -> Option<Instant> {
        let circuits = self.records.values().filter_map(|record| record.gate.due());
        let watched = self.records.values().any(|record| record.retired.is_some())
            || self.marks.values().any(|marked| marked.mark == Mark::Draining);
        let load = watched.then(|| now + WATCH_LOAD);
        let rest = self.next_rest(now);
        circuits.chain(load).chain(rest).chain(self.coordinators.next_expiry()).min()
    }

    /// Does something to a backend, and notes whether a reader of the next snapshot could see it.
    fn watch(&mut self, seat: Seat, with: impl FnOnce(&mut Self)) {
        let before = self.face(seat);
        with(self);
        self.changed |= before != self.face(seat);
    }

    fn face(&self, seat: Seat) -> Option<Face> {
        self.records.get(&seat).map(|record| record.face(self.mark_of(record.name())))
    }

    fn mark_of(&self, name: &BackendName) -> Mark {
        self.marks.get(name).map(|marked| marked.mark).unwrap_or_default()
    }
}
