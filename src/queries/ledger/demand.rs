//! What scalers are told of a group: living queries, and demand that has no living query (rules L5 to L7).
//!
//! A waiting statement whose client stays silent is no demand until it comes back; a statement that was refused for
//! want of capacity is demand for a while, and so is the last query after its end. An operator who keeps a
//! group down wants nothing new of it: there only what runs counts. All is computed when it is read.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use ahash::AHashMap;
use sluice_routing::GroupName;
use tokio::time::Instant;

use super::{HERE, Ledger, Record, SHUT_OUT, group::Side};
use crate::{
    config::model::Queries,
    metrics::Unavailable,
    snapshot::{self, Snapshot},
};

/// The queries of one group, and what scalers are told.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Demand {
    /// All living ones, without any padding.
    pub in_flight: u64,
    /// Of these: no coordinator has answered yet.
    pub resuming: u64,
    /// Of these: `QUEUED` and `WAITING_FOR_RESOURCES`.
    pub queued: u64,
    /// Of these: the rest.
    pub running: u64,
    /// What scalers are told.
    pub demand: u64,
    /// Of the running: at work, as far as their coordinators have said (`RUNNING` and `FINISHING`).
    pub at_work: u64,
    /// Whether one of the demand is for statements that were refused for want of capacity.
    pub is_unmet: bool,
    /// Whether the demand is only that which lingers after the last query.
    pub lingers: bool,
}

/// For how long there is demand of a group without a query, and when one was last at work.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Lasting {
    /// A statement that was refused for want of capacity is demand for so long yet.
    pub unmet: Duration,
    /// The last query is, after its end.
    pub linger: Duration,
    /// How long ago a query was last seen at work.
    pub ran: Option<Duration>,
}

/// How long demand lasts without a query, in milliseconds; a reload may change it.
#[derive(Debug)]
pub(super) struct Patience {
    idle: AtomicU64,
    linger: AtomicU64,
    unmet: AtomicU64,
}

impl Default for Patience {
    fn default() -> Self {
        let patience =
            Self { idle: AtomicU64::new(0), linger: AtomicU64::new(0), unmet: AtomicU64::new(0) };
        patience.set(&Queries::default());
        patience
    }
}

impl Patience {
    pub(super) fn idle(&self) -> u64 {
        self.idle.load(Relaxed)
    }

    pub(super) fn linger(&self) -> u64 {
        self.linger.load(Relaxed)
    }

    pub(super) fn unmet(&self) -> u64 {
        self.unmet.load(Relaxed)
    }

    fn set(&self, queries: &Queries) {
        let spans = [
            (&self.idle, queries.idle_demand_after),
            (&self.linger, queries.linger),
            (&self.unmet, queries.unmet_lease),
        ];
        for (millis, span) in spans {
            millis.store(u64::try_from(span.get().as_millis()).unwrap_or(u64::MAX), Relaxed);
        }
    }
}

impl Ledger {
    /// The numbers of one group at this moment.
    pub fn demand(&self, group: &GroupName, now: Instant) -> Demand {
        let now = self.since_beginning(now);
        let mut numbers = Demand::default();
        for lease in self.leases.iter().filter(|lease| lease.group == *group) {
            self.add(&mut numbers, &lease, now);
        }
        let side = self.sides.get(group).map(|side| Arc::clone(&side));
        if let Some(side) = side {
            self.pad(&mut numbers, &side, now);
        }
        numbers
    }

    /// The numbers of all groups that have any, by one walk over the living queries.
    pub fn demands(&self, now: Instant) -> AHashMap<GroupName, Demand> {
        let now = self.since_beginning(now);
        let mut all: AHashMap<GroupName, Demand> = AHashMap::new();
        for side in &self.sides {
            all.insert(side.key().clone(), Demand::default());
        }
        for lease in &self.leases {
            match all.get_mut(&lease.group) {
                Some(numbers) => self.add(numbers, &lease, now),
                None => self.add(all.entry(lease.group.clone()).or_default(), &lease, now),
            }
        }
        for (group, numbers) in &mut all {
            if let Some(side) = self.sides.get(group).map(|side| Arc::clone(&side)) {
                self.pad(numbers, &side, now);
            }
        }
        all
    }

    /// What lasts of a group beside its living queries.
    pub fn lasting(&self, group: &GroupName, now: Instant) -> Lasting {
        let now = self.since_beginning(now);
        let Some(side) = self.sides.get(group).map(|side| Arc::clone(&side)) else {
            return Lasting::default();
        };
        let ran = side.ran().map(|at| Duration::from_millis(now.saturating_sub(at)));
        if side.is_held_down() {
            return Lasting { ran, ..Lasting::default() };
        }
        let (unmet, linger) = side.left(now, &self.patience);
        Lasting { unmet: Duration::from_millis(unmet), linger: Duration::from_millis(linger), ran }
    }

    /// A statement was refused for want of capacity: demand outlives its connection (rule L6).
    pub fn unmet(&self, group: &GroupName, now: Instant) {
        let at = self.since_beginning(now);
        self.with_side(group, |side| {
            let was_wanted = side.is_wanted(at, &self.patience);
            side.refuses(at);
            self.rises(side, !was_wanted, now);
        });
    }

    /// Takes over what a snapshot says: settings, who is held down, which groups there are.
    pub(crate) fn heed(&self, snapshot: &Snapshot) {
        self.patience.set(&snapshot.config.queries);
        for group in &snapshot.groups {
            let held_down = matches!(group.wake.hopeless, Some((Unavailable::HeldDown, _)));
            self.with_side(&group.name, |side| self.hold_down(side, held_down));
        }
        self.sides.retain(|name, side| snapshot.group(name).is_some() || !side.is_idle());
    }

    fn add(&self, numbers: &mut Demand, lease: &Record, now: u64) {
        numbers.in_flight += 1;
        match lease.state.load(Relaxed) {
            0 => numbers.resuming += 1,
            1 | 2 => numbers.queued += 1,
            state => {
                numbers.running += 1;
                numbers.at_work += u64::from(matches!(state, 6 | 7));
            }
        }
        numbers.demand += u64::from(self.is_demand(lease, now));
    }

    /// A query that a coordinator has is demand until its end; one that waits, as long as its client does.
    fn is_demand(&self, lease: &Record, now: u64) -> bool {
        if lease.state.load(Relaxed) != 0 {
            return true;
        }
        !lease.side.is_held_down()
            && match lease.away.load(Relaxed) {
                HERE => true,
                SHUT_OUT => false,
                since => now.saturating_sub(since) < self.patience.idle(),
            }
    }

    /// The unmet lease is one more than what lives; lingering only keeps the number from falling to 0.
    fn pad(&self, numbers: &mut Demand, side: &Side, now: u64) {
        if side.is_held_down() {
            return;
        }
        numbers.is_unmet = side.is_unmet(now, self.patience.unmet());
        numbers.demand += u64::from(numbers.is_unmet);
        if numbers.demand == 0 && side.lingers(now, self.patience.linger()) {
            numbers.demand = 1;
            numbers.lingers = true;
        }
    }
}

impl snapshot::Demand for Ledger {
    fn demand(&self, group: &GroupName) -> u64 {
        Self::demand(self, group, Instant::now()).demand
    }

    fn is_used(&self, group: &GroupName) -> bool {
        self.leases.iter().any(|lease| lease.group == *group)
    }

    fn waiting(&self, group: &GroupName) -> u64 {
        Self::demand(self, group, Instant::now()).resuming
    }

    fn waits(&self, group: &GroupName) -> bool {
        let now = self.since_beginning(Instant::now());
        let waits = |lease: &Record| lease.group == *group && lease.state.load(Relaxed) == 0;
        self.leases.iter().any(|lease| waits(&lease) && self.is_demand(&lease, now))
    }
}
