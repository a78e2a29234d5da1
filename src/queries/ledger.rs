//! The in-flight ledger: one lease a query, from the acceptance of its POST to its end.
//!
//! A lease is a guard: it is counted while it lives and can be given back only once. Counts are computed from
//! the living leases when they are read, so that no reader ever sees a reset in progress (peers X5). The key of
//! a lease never changes, although the query's id comes later: re-keying could show one query twice or not at
//! all in the middle of a count. What scalers are told is more than what lives: `demand` adds it up.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering, fence},
};

use ahash::AHashMap;
use dashmap::DashMap;
use sluice_routing::{GroupName, LoadGuard};
use tokio::{sync::Notify, time::Instant};

use crate::trino::head::State;

mod demand;
mod group;
mod pulse;
#[cfg(test)]
mod tests;

pub use self::demand::{Demand, Lasting};
pub(crate) use self::pulse::{Keen, Pulse};
use self::{demand::Patience, group::Side};

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

/// All living leases, and what outlives them.
#[derive(Debug)]
pub struct Ledger {
    leases: DashMap<u64, Arc<Record>, ahash::RandomState>,
    next: AtomicU64,
    sides: DashMap<GroupName, Arc<Side>, ahash::RandomState>,
    patience: Patience,
    /// Moments are kept as milliseconds since then.
    began: Instant,
    freed: Notify,
    /// Of demand, from nothing.
    rose: Notify,
    /// How many wait for a place; without any, no end of a query wakes anybody.
    awaiting: AtomicUsize,
}

#[derive(Debug)]
struct Record {
    group: GroupName,
    side: Arc<Side>,
    state: AtomicU8,
    /// Since when nobody asks for it; [`HERE`] while somebody does, [`SHUT_OUT`] if that does not matter.
    away: AtomicU64,
    /// Whether its side counts it as firm.
    firm: AtomicBool,
}

/// Its client holds a request, or it is not held at all.
const HERE: u64 = 0;

/// No demand until its client comes again (rule L4).
const SHUT_OUT: u64 = u64::MAX;

/// One query's place in the count; dropping it takes the query out.
#[derive(Debug)]
pub struct Lease {
    ledger: Arc<Ledger>,
    key: u64,
    record: Arc<Record>,
    load: Mutex<Option<LoadGuard>>,
}

/// Somebody who awaits a free place.
#[derive(Debug)]
pub(crate) struct Awaiting(Arc<Ledger>);

impl Drop for Awaiting {
    fn drop(&mut self) {
        self.0.awaiting.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            leases: DashMap::default(),
            next: AtomicU64::new(0),
            sides: DashMap::default(),
            patience: Patience::default(),
            began: Instant::now(),
            freed: Notify::new(),
            rose: Notify::new(),
            awaiting: AtomicUsize::new(0),
        }
    }
}

impl Ledger {
    /// Counts one more query of a group, in state `RESUMING` until a coordinator answers.
    pub fn open(self: &Arc<Self>, group: &GroupName) -> Lease {
        let key = self.next.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        let (side, is_rise) = self.with_side(group, |side| {
            let is_rise = side.begins(self.since_beginning(now), &self.patience);
            (Arc::clone(side), is_rise)
        });
        let (state, away) = (AtomicU8::new(0), AtomicU64::new(HERE));
        let firm = AtomicBool::new(true);
        let record = Arc::new(Record { group: group.clone(), side, state, away, firm });
        self.leases.insert(key, Arc::clone(&record));
        // Once it is counted, so that who is told of it finds it.
        self.rises(&record.side, is_rise, now);
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

    /// The highest number of living queries of a group within the last minute, however short it was.
    pub fn peak(&self, group: &GroupName, now: Instant) -> u64 {
        let now = self.since_beginning(now);
        self.sides.get(group).map_or(0, |side| side.peak(now))
    }

    /// Waits until a backend may have a free place; told only while somebody awaits one.
    pub(crate) async fn freed(&self) {
        self.freed.notified().await;
    }

    /// Waits until the demand of any group has risen from nothing; for one listener.
    pub(crate) async fn rose(&self) {
        self.rose.notified().await;
    }

    /// Somebody awaits a place as long as the guard lives. Look for one again once it does: it may have become free
    /// before.
    pub(crate) fn awaits(self: &Arc<Self>) -> Awaiting {
        self.awaiting.fetch_add(1, Ordering::SeqCst);
        Awaiting(Arc::clone(self))
    }

    /// Whether anybody awaits a place.
    pub(crate) fn is_awaited(&self) -> bool {
        self.awaiting.load(Ordering::Relaxed) > 0
    }

    fn place_freed(&self) {
        // Of two threads, one that frees a place and one that begins to wait, at least one sees the other.
        fence(Ordering::SeqCst);
        if self.is_awaited() {
            self.freed.notify_one();
        }
    }

    /// The group's side is looked at under its map's guard, so that none is forgotten that is being begun.
    fn with_side<T>(&self, group: &GroupName, with: impl FnOnce(&Arc<Side>) -> T) -> T {
        if let Some(side) = self.sides.get(group) {
            return with(&side);
        }
        with(self.sides.entry(group.clone()).or_default().value())
    }

    /// Never 0, which means `none`.
    fn since_beginning(&self, now: Instant) -> u64 {
        let millis = now.saturating_duration_since(self.began).as_millis();
        u64::try_from(millis).unwrap_or(u64::MAX / 2).saturating_add(1)
    }
}

impl Lease {
    /// Ties the query to the backend that it was sent to; an earlier tie is given back.
    pub fn place(&self, load: LoadGuard) {
        let earlier = self.load.lock().ok().and_then(|mut place| place.replace(load));
        self.give_back(earlier);
    }

    /// Unties it: the attempt failed.
    pub fn displace(&self) {
        let earlier = self.load.lock().ok().and_then(|mut place| place.take());
        self.record.state.store(0, Ordering::Relaxed);
        self.record.weigh();
        self.give_back(earlier);
    }

    /// What the coordinator called the query last, or `RESUMING`.
    pub fn state(&self) -> &'static str {
        let state = usize::from(self.record.state.load(Ordering::Relaxed));
        STATES.get(state).copied().unwrap_or("UNKNOWN")
    }

    /// Says what the coordinator called the query last.
    pub fn set_state(&self, state: State) {
        // Most pages say what the one before said: they only look.
        if self.record.state.load(Ordering::Relaxed) == index(state) {
            return;
        }
        let before = self.record.state.swap(index(state), Ordering::Relaxed);
        if before == 0 {
            self.record.weigh();
        }
        if matches!(state, State::Running | State::Finishing | State::Finished) {
            self.ran();
        }
    }

    /// A coordinator has had it at work, whether or not it said so on a page that goes on.
    pub(crate) fn ran(&self) {
        self.record.side.runs(self.ledger.since_beginning(Instant::now()));
    }

    /// Its client holds a request: it is demand.
    pub(crate) fn client_here(&self) {
        let before = self.record.away.swap(HERE, Ordering::Relaxed);
        if before != HERE {
            self.ledger.returns(&self.record, before, Instant::now());
        }
    }

    /// Its client is between two polls: demand for a while yet (rule L5).
    pub(crate) fn client_away(&self, now: Instant) {
        self.ledger.goes_on(&self.record, now);
    }

    /// No demand until its client comes again (rule L4).
    pub(crate) fn shut_out(&self) {
        let before = self.record.away.swap(SHUT_OUT, Ordering::Relaxed);
        self.record.weigh();
        self.record.side.lost(before);
    }

    fn give_back(&self, load: Option<LoadGuard>) {
        if load.is_some() {
            drop(load);
            self.ledger.place_freed();
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.ledger.leases.remove(&self.key);
        self.record.side.ends(self.ledger.since_beginning(Instant::now()));
        self.record.ends();
        let load = self.load.get_mut().ok().and_then(Option::take);
        self.give_back(load);
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
