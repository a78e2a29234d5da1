//! The waiting room of one group: one lock, and all that happens to those who sit there.
//!
//! Whatever may let somebody go (a request that arrives, a slot, a snapshot, a deadline) calls `tend`, which looks at
//! everything there is to look at. So no event needs to know what it means for those who wait.

use std::sync::{
    Arc, Mutex, MutexGuard, OnceLock, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering, fence},
};

use dashmap::DashMap;
use sluice_routing::{GroupName, QueryId};
use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};

use super::{
    Full, Guest, Keeper, Refused, RoomSeen, Slug, Waiting,
    ending::{GaveUp, Outcome, Why},
    identity::Minter,
    inside::{Errands, Inside, Word},
    parcel::{Identity, LetGo, Parcel, ticket_after},
    pass::Attempt,
};
use crate::{
    config::model::ColdStartMode,
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
    /// Where statements are kept for other replicas, if there are any.
    pub(super) keeper: OnceLock<Arc<dyn Keeper>>,
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
    /// Whether a statement may go on at another replica.
    pub(super) fn is_shared(&self) -> bool {
        self.keeper.get().is_some()
    }

    /// Its place among all that came, here and elsewhere.
    pub(super) fn ticket(&self) -> u64 {
        let mut ticket = 0;
        let _ = self.tickets.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
            ticket = ticket_after(last);
            Some(ticket)
        });
        ticket
    }

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
        let inside = self.lock();
        if let Some(full) = self.refuses(&inside, group, &guest) {
            return Err(Box::new(Refused { full, guest }));
        }
        let (Some(id), Some(slug)) = (self.ground.minter.mint(), Slug::draw()) else {
            return Err(Box::new(Refused { full: Full::NoSecret, guest }));
        };
        let user = guest.statement.user.clone().unwrap_or_default();
        let identity = Identity::new(id, slug, self.ground.ticket());
        Ok(self.seat(inside, identity, &user, guest))
    }

    /// Takes in a statement that waited elsewhere: it was admitted there.
    pub(super) fn take_in(self: &Arc<Self>, parcel: &Parcel, guest: Guest) -> Arc<Waiting> {
        let inside = self.lock();
        let mut identity = parcel.identity();
        while inside.chairs.contains_key(&identity.ticket) {
            identity.ticket += 1;
        }
        let user = guest.statement.user.clone().unwrap_or_default();
        self.seat(inside, identity, &user, guest)
    }

    fn seat(
        self: &Arc<Self>,
        mut inside: MutexGuard<'_, Inside>,
        identity: Identity,
        user: &str,
        guest: Guest,
    ) -> Arc<Waiting> {
        let waiting = Arc::new(Waiting::new(identity, Arc::clone(self), guest));
        self.ground.remember(&waiting);
        let is_first = inside.chairs.is_empty();
        inside.sit_down(&waiting, user, self.ground.ledger.awaits());
        drop(inside);
        if is_first {
            self.ground.stirred.notify_one();
        }
        waiting
    }

    /// Another replica has it; `None` if it is being sent from here, or waits no more.
    pub(super) fn let_go(&self, waiting: &Arc<Waiting>) -> Option<LetGo> {
        let goes = self.errands(|inside, errands| inside.let_go(waiting.ticket, errands));
        if !goes {
            return None;
        }
        // Its story goes on elsewhere.
        waiting.about.origin.take();
        self.ground.known.remove_if(&waiting.id, |_, known| Arc::ptr_eq(known, waiting));
        Some(LetGo { group: self.name.clone(), lease: waiting.take_lease() })
    }

    /// It waits no more, whatever ended it.
    pub(super) fn end_as(&self, waiting: &Waiting, outcome: Outcome) -> bool {
        self.errands(|inside, errands| inside.end(waiting.ticket, outcome, errands))
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
        self.end_as(waiting, Outcome::GaveUp(gave_up))
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
        self.tell_others(waiting);
        self.ground.stirred.notify_one();
        self.tend();
    }

    /// Other replicas may take it over again.
    fn tell_others(&self, waiting: &Waiting) {
        let Some(keeper) = self.ground.keeper.get().filter(|_| waiting.was_underway()) else {
            return;
        };
        let snapshot = self.ground.current.load();
        let group = snapshot.group(&self.name);
        let deadline = group.map(|group| group.cold_start.deadline.get()).unwrap_or_default();
        keeper.waits_on(waiting, deadline + snapshot.config.queries.abandon_after.get());
    }

    /// Ends those whose clients have not been heard of.
    pub(super) fn end_silent(&self, snapshot: &Snapshot, now: Instant) {
        let within = snapshot.config.queries.abandon_after;
        self.errands(|inside, errands| inside.end_silent(now, within, errands));
    }

    pub(super) fn close(&self, gave_up: &GaveUp) {
        let snapshot = self.ground.current.load();
        let group = snapshot.group(&self.name);
        let may_page = self.ground.is_shared()
            && group.is_some_and(|group| group.cold_start.mode == ColdStartMode::Queue);
        self.errands(|inside, errands| inside.leave_all(gave_up, may_page, errands));
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
        if self.ground.stopping.load(Ordering::SeqCst) && !self.ground.is_shared() {
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
