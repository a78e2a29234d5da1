//! Several replicas that act as one, through the store.
//!
//! In reading order: `report` is what each replica says of itself, `fleet` adds that up, `round` says and hears it
//! every 200 ms; `record` says whose a query is, `elsewhere` are those that others count, `statements` are those that wait, `ties` is what belongs to a backend without being a query, `words` and `inbox` are what
//! replicas tell each other of them, `said` is what they would tell again. With a store of its own a replica is alone: then nothing here runs, and what is asked is answered by its ledger.
//! Nothing on a request's path waits for the store but what could not be answered without it.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use sluice_routing::GroupName;
use tokio::{sync::watch, time::Instant};

use crate::{
    queries::{
        Ledger,
        ledger::{Demand, Lasting},
    },
    snapshot,
    store::{Scope, SharedStore},
};

mod elsewhere;
mod fleet;
mod inbox;
mod record;
mod report;
pub mod round;
mod said;
mod statements;
mod ties;
mod words;

pub use self::report::Incarnation;
pub(crate) use self::statements::{Alias, Busy, May, Recalled, Seen, Taken};
use self::{
    elsewhere::Elsewhere,
    fleet::Peers,
    report::{Moves, Report, Share},
    said::Said,
};

/// This replica among the others.
pub struct Replicas {
    ledger: Arc<Ledger>,
    /// Absent while it is alone.
    shared: Option<Mates>,
    /// Tells when the others said something new of their demand.
    changed: watch::Sender<()>,
}

/// What is known of the others, and what they are told.
struct Mates {
    me: Incarnation,
    store: SharedStore,
    /// The number of the report that was begun last: what is counted from now on is in the next one.
    sequence: AtomicU64,
    standing: Mutex<Standings>,
    said: Mutex<Said>,
}

#[derive(Default)]
struct Standings {
    peers: Peers,
    adopted: Moves,
    let_go: Moves,
    pending: Vec<Pending>,
    elsewhere: Elsewhere,
}

/// A query that was taken over, and that its last owner may not have told of yet.
struct Pending {
    from: Incarnation,
    group: GroupName,
    is_waiting: bool,
    /// It is counted in each report of that one after this one.
    after: u64,
}

impl Replicas {
    /// A replica that shares nothing.
    pub fn alone(ledger: Arc<Ledger>) -> Self {
        Self { ledger, shared: None, changed: watch::Sender::default() }
    }

    /// A replica that shares this store, if others have it too.
    pub fn new(ledger: Arc<Ledger>, store: SharedStore) -> Self {
        let shared = (store.scope() == Scope::Fleet).then(|| Mates {
            me: Incarnation::draw(),
            store,
            sequence: AtomicU64::new(0),
            standing: Mutex::default(),
            said: Mutex::default(),
        });
        Self { shared, ..Self::alone(ledger) }
    }

    /// Whether there may be others.
    pub fn is_shared(&self) -> bool {
        self.shared.is_some()
    }

    /// What scalers are told of a group: the sum over all replicas.
    pub fn demand(&self, group: &GroupName, now: Instant) -> Demand {
        let Some(mates) = &self.shared else { return self.ledger.demand(group, now) };
        let share = share(&self.ledger, group, now);
        let standing = mates.standing();
        let own = standing.report(mates, [(group.as_str().into(), share)], false);
        standing.peers.sum(&own, group.as_str(), now)
    }

    /// Whether a count of nothing means that there is nothing (rules L11 and L13).
    pub fn is_known(&self, now: Instant) -> bool {
        match &self.shared {
            None => now >= self.ledger.known_from(),
            Some(mates) => mates.standing().peers.is_known(now),
        }
    }

    /// From when on it will; `None`: from the next change on, or later.
    pub fn known_from(&self) -> Option<Instant> {
        self.shared.is_none().then(|| self.ledger.known_from())
    }

    /// Whether a query of the group was seen at work at that moment or later, anywhere.
    pub(crate) fn has_run_since(&self, group: &GroupName, then: Instant) -> bool {
        let elsewhere = |mates: &Mates| mates.standing().peers.has_run_since(group.as_str(), then);
        self.ledger.has_run_since(group, then) || self.shared.as_ref().is_some_and(elsewhere)
    }

    /// Tells when the others have said something new of their demand.
    pub(crate) fn changed(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }
}

impl snapshot::Demand for Replicas {
    fn demand(&self, group: &GroupName) -> u64 {
        Self::demand(self, group, Instant::now()).demand
    }

    fn is_used(&self, group: &GroupName) -> bool {
        Self::demand(self, group, Instant::now()).in_flight > 0
    }

    /// Those of this replica: each one wakes for its own.
    fn waiting(&self, group: &GroupName) -> u64 {
        snapshot::Demand::waiting(&*self.ledger, group)
    }

    fn waits(&self, group: &GroupName) -> bool {
        snapshot::Demand::waits(&*self.ledger, group)
    }
}

impl Mates {
    fn standing(&self) -> MutexGuard<'_, Standings> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is counted from now on is in every report after this one.
    fn sequence(&self) -> u64 {
        self.sequence.load(Ordering::SeqCst)
    }
}

impl Standings {
    fn report(
        &self,
        mates: &Mates,
        groups: impl IntoIterator<Item = (Box<str>, Share)>,
        leaving: bool,
    ) -> Report {
        Report {
            incarnation: mates.me,
            sequence: mates.sequence(),
            leaving,
            groups: groups.into_iter().collect(),
            adopted: self.adopted.clone(),
            let_go: self.let_go.clone(),
        }
    }

    /// From now on those are told as taken over whose last owner has told of them.
    fn promote(&mut self) {
        let Self { peers, adopted, pending, .. } = self;
        pending.retain(|moved| {
            let Some(told) = peers.sequence(moved.from) else {
                // Its value counts no more, or never has.
                return false;
            };
            if told > moved.after {
                count(adopted, moved.from, &moved.group, moved.is_waiting);
            }
            told <= moved.after
        });
    }
}

fn count(moves: &mut Moves, with: Incarnation, group: &GroupName, is_waiting: bool) {
    let groups = moves.entry(with).or_default();
    groups.entry(group.as_str().into()).or_default().count(is_waiting);
}

/// What this replica has of a group.
fn share(ledger: &Ledger, group: &GroupName, now: Instant) -> Share {
    share_of(ledger.demand(group, now), ledger.lasting(group, now))
}

fn share_of(demand: Demand, lasting: Lasting) -> Share {
    let millis = |span: std::time::Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    Share {
        resuming: demand.resuming,
        queued: demand.queued,
        running: demand.running,
        at_work: demand.at_work,
        living: demand.demand - u64::from(demand.is_unmet) - u64::from(demand.lingers),
        unmet: millis(lasting.unmet),
        linger: millis(lasting.linger),
        ran: lasting.ran.map(millis),
    }
}

impl fmt::Debug for Replicas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let me = self.shared.as_ref().map(|mates| mates.me);
        f.debug_struct("Replicas").field("me", &me).finish_non_exhaustive()
    }
}
