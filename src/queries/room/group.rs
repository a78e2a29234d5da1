//! The waiting room of one group: one lock, and all that happens to those who sit there.
//!
//! Whatever may let somebody go (a request that arrives, a slot, a snapshot, a deadline) calls `tend`, which looks at
//! everything there is to look at. So no event needs to know what it means for those who wait.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering, fence},
};

use dashmap::DashMap;
use sluice_routing::{GroupName, QueryId};
use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};

use super::{
    Full, Guest, Refused, RoomSeen, Slug, Waiting,
    ending::{GaveUp, Outcome, Why},
    identity::Minter,
    inside::{Errands, Inside, Word},
    pass::Attempt,
};
use crate::{
    queries::{Lease, Ledger},
    snapshot::{Backend, Current, Group, Snapshot},
};

/// What all rooms stand on.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) current: Current,
    pub(super) ledger: Arc<Ledger>,
    pub(super) minter: Minter,
    /// Waiting and ended ones, by the id that their clients know.
    pub(super) known: DashMap<QueryId, Arc<Waiting>, ahash::RandomState>,
    pub(super) tickets: AtomicU64,
    pub(super) stopping: AtomicBool,
    /// The task should look at the clock again.
    pub(super) stirred: Notify,
}

/// The waiting room of one group.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) name: GroupName,
    pub(super) ground: Arc<Ground>,
    inside: Mutex<Inside>,
}

impl Ground {
    pub(super) fn remember(&self, waiting: &Arc<Waiting>) {
        self.known.insert(waiting.id, Arc::clone(waiting));
    }

    /// Nobody knows the id of one that ended before a page was given out.
    pub(super) fn forget_unannounced(&self, waiting: &Waiting) {
        self.known.remove_if(&waiting.id, |_, known| !known.has_page());
    }
}

impl Room {
    pub(super) fn new(name: GroupName, ground: Arc<Ground>) -> Self {
        Self { name, ground, inside: Mutex::default() }
    }

    /// Takes a statement in, if there is room.
    pub(super) fn admit(
        self: &Arc<Self>,
        group: &Group,
        guest: Guest,
    ) -> Result<Arc<Waiting>, Box<Refused>> {
        let mut inside = self.lock();
        if let Some(full) = self.refuses(&inside, group, &guest) {
            return Err(Box::new(Refused { full, guest }));
        }
        let (Some(id), Some(slug)) = (self.ground.minter.mint(), Slug::draw()) else {
            return Err(Box::new(Refused { full: Full::NoSecret, guest }));
        };
        let user = guest.statement.user.clone().unwrap_or_default();
        let ticket = self.ground.tickets.fetch_add(1, Ordering::Relaxed);
        let waiting = Arc::new(Waiting::new(id, slug, Arc::clone(self), ticket, guest));
        self.ground.remember(&waiting);
        let is_first = inside.chairs.is_empty();
        inside.sit_down(&waiting, &user, self.ground.ledger.awaits());
        drop(inside);
        if is_first {
            self.ground.stirred.notify_one();
        }
        Ok(waiting)
    }

    /// Looks at everything: is there hope, who is overdue, who may go.
    pub(super) fn tend(&self) {
        self.errands(|inside, errands| {
            let snapshot = self.ground.current.load();
            let Some((group, fleet)) = of_group(&snapshot, &self.name) else {
                let words =
                    "the group was removed from the configuration while the statement waited";
                return inside.end_all(&GaveUp::new(Why::RemovedGroup, words), errands);
            };
            let now = Instant::now();
            inside.ramps.look(&group.members, fleet);
            inside.end_overdue(group, now, errands);
            if let Some((reason, words)) = &group.wake.hopeless {
                let gave_up = GaveUp::new(Why::Unavailable(*reason), Arc::clone(words));
                return inside.end_all(&gave_up, errands);
            }
            // Whoever frees a place now either sees somebody wait, or is seen here.
            fence(Ordering::SeqCst);
            inside.release(group, fleet, now, errands);
        });
    }

    /// A request waits for a statement's turn; `None` if the statement waits no more.
    pub(super) fn park(&self, waiting: &Waiting, tell: oneshot::Sender<Word>) -> Option<u64> {
        waiting.see(Instant::now());
        self.errands(|inside, errands| inside.park(waiting.ticket, tell, errands))
    }

    pub(super) fn unpark(&self, waiting: &Waiting, number: u64) {
        self.lock().unpark(waiting.ticket, number, Instant::now());
    }

    /// A sign of life that is no request for its turn.
    pub(super) fn touched(&self, waiting: &Waiting, now: Instant) {
        let inside = self.lock();
        let chair = inside.chairs.get(&waiting.ticket);
        if chair.is_some_and(|chair| chair.parked.is_none() && !chair.is_dispatching) {
            waiting.with_lease(|lease| lease.client_away(now));
        }
    }

    pub(super) fn give_up(&self, waiting: &Waiting, gave_up: GaveUp) -> bool {
        let outcome = Outcome::GaveUp(gave_up);
        self.errands(|inside, errands| inside.end(waiting.ticket, outcome, errands))
    }

    /// An attempt was answered, and the statement is over.
    pub(super) fn ended_by(&self, waiting: &Waiting, backend: &Backend, outcome: Outcome) -> bool {
        self.errands(|inside, errands| {
            inside.ramps.came_to(backend.live.seat, Attempt::Answered, Instant::now());
            inside.end(waiting.ticket, outcome, errands)
        })
    }

    /// An attempt came to nothing, and the statement waits on.
    pub(super) fn take_back(
        &self,
        waiting: &Waiting,
        backend: &Backend,
        lease: Option<Lease>,
        attempt: Attempt,
    ) {
        // A statement that waits is counted, even if its lease was lost on the way.
        let lease = lease.unwrap_or_else(|| self.ground.ledger.open(&self.name));
        lease.displace();
        let left = self.lock().take_back(waiting.ticket, backend, lease, attempt, Instant::now());
        drop(left);
        self.ground.stirred.notify_one();
        self.tend();
    }

    /// Ends those whose clients have not been heard of.
    pub(super) fn end_silent(&self, snapshot: &Snapshot, now: Instant) {
        let within = snapshot.config.queries.abandon_after;
        self.errands(|inside, errands| inside.end_silent(now, within, errands));
    }

    pub(super) fn close(&self, gave_up: &GaveUp) {
        self.errands(|inside, errands| inside.end_all(gave_up, errands));
    }

    pub(super) fn position(&self, ticket: u64) -> Option<usize> {
        self.lock().queue.position(ticket)
    }

    pub(super) fn is_dispatching(&self, ticket: u64) -> bool {
        self.lock().chairs.get(&ticket).is_some_and(|chair| chair.is_dispatching)
    }

    pub(super) fn has_waiting(&self) -> bool {
        self.lock().queue.waiting() > 0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().chairs.is_empty()
    }

    /// When there is something to look at without an event.
    pub(super) fn next_look(&self, snapshot: &Snapshot, now: Instant) -> Option<Instant> {
        let group = snapshot.group(&self.name)?;
        self.lock().next_look(group, now)
    }

    pub(super) fn seen(&self) -> RoomSeen {
        let inside = self.lock();
        let oldest = inside.chairs.values().next();
        RoomSeen {
            waiters: u64::try_from(inside.chairs.len()).unwrap_or(u64::MAX),
            bytes: inside.bytes,
            oldest: oldest.map(|chair| chair.waiting.waited()),
        }
    }

    fn refuses(&self, inside: &Inside, group: &Group, guest: &Guest) -> Option<Full> {
        let limits = &group.cold_start;
        let user = guest.statement.user.as_deref().unwrap_or_default();
        let bytes = inside.bytes.saturating_add(guest.bytes());
        if self.ground.stopping.load(Ordering::SeqCst) {
            Some(Full::Stopping)
        } else if inside.queue.waiting() >= limits.max_waiting {
            Some(Full::Count)
        } else if inside.queue.of_user(user) >= limits.max_waiting_per_user {
            Some(Full::PerUser)
        } else {
            (bytes > limits.max_waiting_bytes.get()).then_some(Full::Bytes)
        }
    }

    /// Does something inside, and what follows from it outside.
    fn errands<T>(&self, what: impl FnOnce(&mut Inside, &mut Errands) -> T) -> T {
        let mut errands = Errands::default();
        let done = what(&mut self.lock(), &mut errands);
        errands.run();
        done
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A group as it stands, and as `place` sees it.
fn of_group<'a>(
    snapshot: &'a Snapshot,
    name: &GroupName,
) -> Option<(&'a Arc<Group>, &'a sluice_routing::Group)> {
    let at = snapshot.groups.iter().position(|group| &group.name == name)?;
    Some((snapshot.groups.get(at)?, snapshot.fleet.groups.get(at)?))
}
