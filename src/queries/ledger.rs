//! The in-flight ledger: one lease a query, from the acceptance of its POST to its end.
//!
//! A lease is a guard: it is counted while it lives and can be given back only once. Counts are computed from
//! the living leases when they are read, so that no reader ever sees a reset in progress (peers X5). The key of
//! a lease never changes, although the query's id comes later: re-keying could show one query twice or not at
//! all in the middle of a count.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU8, AtomicU64, Ordering},
};

use ahash::AHashMap;
use dashmap::DashMap;
use sluice_routing::{GroupName, LoadGuard};

use crate::{snapshot::Demand, trino::head::State};

/// What Sluice itself calls a query that no coordinator has answered for.
pub const RESUMING: &str = "RESUMING";

/// The states of the in-flight gauge, in the order of a query's life.
pub const STATES: [&str; 9] = [
    RESUMING,
    "QUEUED",
    "WAITING_FOR_RESOURCES",
    "DISPATCHING",
    "PLANNING",
    "STARTING",
    "RUNNING",
    "FINISHING",
    "UNKNOWN",
];

/// All living leases.
#[derive(Debug, Default)]
pub struct Ledger {
    leases: DashMap<u64, Arc<Record>, ahash::RandomState>,
    next: AtomicU64,
}

#[derive(Debug)]
struct Record {
    group: GroupName,
    state: AtomicU8,
}

/// One query's place in the count; dropping it takes the query out.
#[derive(Debug)]
pub struct Lease {
    ledger: Arc<Ledger>,
    key: u64,
    record: Arc<Record>,
    load: Mutex<Option<LoadGuard>>,
}

impl Ledger {
    /// Counts one more query of a group, in state `RESUMING` until a coordinator answers.
    pub fn open(self: &Arc<Self>, group: &GroupName) -> Lease {
        let key = self.next.fetch_add(1, Ordering::Relaxed);
        let record = Arc::new(Record { group: group.clone(), state: AtomicU8::new(0) });
        self.leases.insert(key, Arc::clone(&record));
        Lease { ledger: Arc::clone(self), key, record, load: Mutex::new(None) }
    }

    /// Living queries by group and by index into [`STATES`].
    pub fn counts(&self) -> AHashMap<GroupName, [u64; STATES.len()]> {
        let mut counts: AHashMap<GroupName, [u64; STATES.len()]> = AHashMap::new();
        for lease in &self.leases {
            let state = usize::from(lease.state.load(Ordering::Relaxed));
            let of_group = counts.entry(lease.group.clone()).or_default();
            if let Some(count) = of_group.get_mut(state) {
                *count += 1;
            }
        }
        counts
    }

    /// All living queries.
    pub fn total(&self) -> usize {
        self.leases.len()
    }
}

impl Demand for Ledger {
    fn demand(&self, group: &GroupName) -> u64 {
        self.counts().get(group).map_or(0, |counts| counts.iter().sum())
    }
}

impl Lease {
    /// Ties the query to the backend that it was sent to; an earlier tie is given back.
    pub fn place(&self, load: LoadGuard) {
        if let Ok(mut place) = self.load.lock() {
            *place = Some(load);
        }
    }

    /// Unties it: the attempt failed.
    pub fn displace(&self) {
        if let Ok(mut place) = self.load.lock() {
            *place = None;
        }
        self.record.state.store(0, Ordering::Relaxed);
    }

    /// Says what the coordinator called the query last.
    pub fn set_state(&self, state: State) {
        self.record.state.store(index(state), Ordering::Relaxed);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.ledger.leases.remove(&self.key);
    }
}

/// Terminal words on a page that goes on are shown as `FINISHING`: only an absent `nextUri` ends a query.
fn index(state: State) -> u8 {
    match state {
        State::Queued => 1,
        State::WaitingForResources => 2,
        State::Dispatching => 3,
        State::Planning => 4,
        State::Starting => 5,
        State::Running => 6,
        State::Finishing | State::Finished | State::Failed => 7,
        State::Unknown => 8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(name: &str) -> GroupName {
        GroupName::parse(name).unwrap()
    }

    #[test]
    fn ledger_l1_l2_a_lease_counts_from_its_opening_to_its_drop() {
        let ledger = Arc::new(Ledger::default());
        let etl = group("etl");
        let lease = ledger.open(&etl);
        assert_eq!(ledger.counts()[&etl][0], 1);
        lease.set_state(State::Running);
        assert_eq!(ledger.counts()[&etl], [0, 0, 0, 0, 0, 0, 1, 0, 0]);
        drop(lease);
        assert_eq!(ledger.total(), 0);
        assert!(ledger.counts().is_empty());
    }

    #[test]
    fn every_state_of_trino_has_a_column() {
        for (state, name) in [
            (State::Queued, "QUEUED"),
            (State::WaitingForResources, "WAITING_FOR_RESOURCES"),
            (State::Running, "RUNNING"),
            (State::Finishing, "FINISHING"),
            (State::Unknown, "UNKNOWN"),
        ] {
            assert_eq!(STATES[usize::from(index(state))], name);
        }
    }

    #[test]
    fn peers_x5_counts_read_under_load_are_never_below_the_truth() {
        let ledger = Arc::new(Ledger::default());
        let etl = group("etl");
        let held: Vec<Lease> = (0..50).map(|_| ledger.open(&etl)).collect();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..2_000 {
                        for lease in &held {
                            lease.set_state(State::Planning);
                        }
                    }
                });
            }
            for _ in 0..200 {
                assert_eq!(ledger.counts()[&etl].iter().sum::<u64>(), 50);
            }
        });
    }
}
