//! One statement that waits: what its client and operators see of it, and how a request waits for its turn.
//!
//! Its record outlives the wait, since its id was told: it is small then, without SQL, headers or lease.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use sluice_routing::{GroupName, QueryId};
use tokio::{sync::oneshot, time::Instant};

use super::{
    Guest, Pass, Slug, choice,
    ending::{GaveUp, Outcome, Why},
    group::Room,
    inside::Word,
    packed::Packed,
    parcel::{Identity, Parcel, UNKNOWN_TOKEN},
};
use crate::{
    queries::{
        Lease,
        query::{About, Statement},
    },
    snapshot::Backend,
};

/// The number of the `nextUri` on the answer to the POST, as in Trino.
pub const FIRST_TOKEN: u64 = 1;

/// A statement in a waiting room, or one that was.
pub struct Waiting {
    /// What it is called while no coordinator has named it.
    pub id: QueryId,
    /// What its `nextUri` carries.
    pub slug: Slug,
    /// Where it waits.
    pub group: GroupName,
    /// What it is counted and reported with.
    pub about: About,
    pub(super) ticket: u64,
    pub(super) entered: Instant,
    pub(super) bytes: u64,
    /// Attempts that failed.
    failures: AtomicU32,
    /// The backend that failed it last, as `choice` marks it.
    pub(super) failed_at: AtomicU64,
    room: Arc<Room>,
    has_page: AtomicBool,
    /// Whether other replicas can take it over.
    is_stored: AtomicBool,
    /// Whether they know that it is being sent from here.
    is_underway: AtomicBool,
    /// The number at the end of the `nextUri` that was handed out last.
    token: AtomicU64,
    /// Whether a request has waited for its turn, and not just passed through.
    held: AtomicBool,
    seen: Mutex<Instant>,
    lease: Mutex<Option<Lease>>,
    statement: Mutex<Option<Packed>>,
    end: OnceLock<End>,
}

#[derive(Debug)]
struct End {
    outcome: Outcome,
    at: Instant,
}

/// Where a statement stands.
#[derive(Clone, Debug)]
pub enum WaitingState {
    /// It waits.
    Waiting,
    /// It is being sent.
    Dispatching,
    /// A coordinator has it, under this id.
    Became(QueryId),
    /// Nobody will have it.
    Ended(GaveUp),
}

/// What a request got that waited for a statement's turn.
#[derive(Debug)]
pub enum Turn {
    /// Send it now.
    Go(Pass),
    /// Not yet: the time is over, or a newer request waits in this one's place.
    Later,
    /// The process is leaving: its client goes on elsewhere.
    Leave,
    /// It waits no more.
    Over(GaveUp),
    /// A coordinator has it already.
    Became(QueryId),
}

impl Waiting {
    pub(super) fn new(identity: Identity, room: Arc<Room>, guest: Guest) -> Self {
        let Identity { id, slug, ticket, entered, token } = identity;
        let bytes = guest.bytes();
        Self {
            id,
            slug,
            group: room.name.clone(),
            about: guest.about,
            ticket,
            entered,
            bytes,
            failures: AtomicU32::new(0),
            failed_at: AtomicU64::new(0),
            room,
            has_page: AtomicBool::new(token == UNKNOWN_TOKEN),
            is_stored: AtomicBool::new(token == UNKNOWN_TOKEN),
            is_underway: AtomicBool::new(false),
            token: AtomicU64::new(token),
            held: AtomicBool::new(false),
            seen: Mutex::new(Instant::now()),
            lease: Mutex::new(Some(guest.lease)),
            statement: Mutex::new(Some(Packed::new(&guest.statement))),
            end: OnceLock::new(),
        }
    }

    /// Waits for its turn until then. Of two requests the newer one waits on. A request that is dropped does not wait.
    pub async fn turn(self: &Arc<Self>, until: Instant) -> Turn {
        let Some(mut parked) = self.park() else { return self.as_turn() };
        self.room.tend();
        if let Ok(word) = parked.told.try_recv() {
            return self.heard(word);
        }
        self.held.store(true, Ordering::Relaxed);
        tokio::select! {
            biased;
            word = &mut parked.told => word.map_or(Turn::Later, |word| self.heard(word)),
            () = tokio::time::sleep_until(until) => match parked.leave() {
                Some(word) => self.heard(word),
                None => Turn::Later,
            },
        }
    }

    /// Where it stands.
    pub fn state(&self) -> WaitingState {
        match self.end.get().map(|end| &end.outcome) {
            Some(Outcome::Became(id)) => WaitingState::Became(*id),
            Some(Outcome::GaveUp(gave_up)) => WaitingState::Ended(gave_up.clone()),
            None if self.room.is_dispatching(self.ticket) => WaitingState::Dispatching,
            None => WaitingState::Waiting,
        }
    }

    /// What is to be sent, unpacked each time; gone once it waits no more.
    pub fn statement(&self) -> Option<Statement> {
        self.packed().as_ref().map(Packed::unpacked)
    }

    /// Its place among all that wait in its group; 1 comes next.
    pub fn position(&self) -> Option<usize> {
        self.room.position(self.ticket)
    }

    /// How long it has waited, or did.
    pub fn waited(&self) -> Duration {
        let until = self.end.get().map_or_else(Instant::now, |end| end.at);
        until.saturating_duration_since(self.entered)
    }

    /// A page is being given out: its id is known from now on.
    pub fn page_given(self: &Arc<Self>) {
        self.has_page.store(true, Ordering::SeqCst);
        self.touch();
        if self.end.get().is_some() {
            self.room.ground.remember(self);
        }
    }

    /// Its id, if its client knows it.
    pub fn known_id(&self) -> Option<QueryId> {
        self.has_page().then_some(self.id)
    }

    /// Whether a page was given out.
    pub fn has_page(&self) -> bool {
        self.has_page.load(Ordering::SeqCst)
    }

    /// The number of the `nextUri` that answers a request for the one numbered `asked`: the next one, as Trino counts
    /// them. Its client may ask for the last one again; any other was never handed out, and gets `None`.
    pub fn token_after(&self, asked: u64) -> Option<u64> {
        if !self.takes_token(asked) {
            return None;
        }
        let last = self.token.load(Ordering::SeqCst);
        let next = asked.checked_add(1)?;
        if asked == last || last == UNKNOWN_TOKEN {
            // Of two requests for the same one the later finds it done.
            let _ = self.token.compare_exchange(last, next, Ordering::SeqCst, Ordering::SeqCst);
            return Some(next);
        }
        Some(next)
    }

    /// Whether a request may bear that number: the last one that was handed out, or the one before.
    pub fn takes_token(&self, asked: u64) -> bool {
        let last = self.token.load(Ordering::SeqCst);
        asked == last || asked.checked_add(1) == Some(last) || last == UNKNOWN_TOKEN
    }

    /// What another replica needs in order to let it wait there; `None` once it waits no more.
    pub fn parcel(&self) -> Option<Parcel> {
        Parcel::of(self)
    }

    /// Whether other replicas can take it over.
    pub fn is_stored(&self) -> bool {
        self.is_stored.load(Ordering::SeqCst)
    }

    /// Other replicas can take it over from now on, or cannot after all.
    pub fn stored(&self, is_stored: bool) {
        self.is_stored.store(is_stored, Ordering::SeqCst);
        if is_stored && let Some(origin) = self.about.origin.get() {
            // It may go on elsewhere after this process: then its story does not end here.
            origin.settled();
        }
    }

    /// The others know that it is being sent from here, and leave it alone until it waits on or has ended.
    pub fn underway(&self) {
        self.is_underway.store(true, Ordering::SeqCst);
    }

    /// Whether the others are still to be told that it waits on.
    pub(super) fn was_underway(&self) -> bool {
        self.is_underway.swap(false, Ordering::SeqCst)
    }

    /// It is a query by now, of another replica.
    pub fn became_elsewhere(self: &Arc<Self>, real: QueryId) {
        self.about.origin.take();
        self.room.end_as(self, Outcome::Became(real));
    }

    /// Its client gave a sign of life.
    pub fn touch(&self) {
        let now = Instant::now();
        self.see(now);
        self.room.touched(self, now);
    }

    /// Its client wants it no more. Says whether this call ended it. One that is being sent ends too; its
    /// [`Pass`] says so.
    pub fn cancel(self: &Arc<Self>) -> bool {
        self.room.give_up(self, GaveUp::new(Why::Canceled, "canceled by its client"))
    }

    /// `kill_query` named it.
    pub fn kill(self: &Arc<Self>, message: &str) -> bool {
        self.room.give_up(self, GaveUp::new(Why::Killed, message))
    }

    /// Its client is told that it has waited long enough; no page was given out.
    pub fn refused_for(self: &Arc<Self>, reason: crate::metrics::Unavailable, words: &str) {
        self.room.give_up(self, GaveUp::new(Why::Unavailable(reason), words));
    }

    /// Its client left before any page was given out (rule L4).
    pub fn leave_unannounced(self: &Arc<Self>) {
        let left = "its client left before the first answer";
        self.room.give_up(self, GaveUp::new(Why::Canceled, left));
    }

    pub(super) fn room(&self) -> &Arc<Room> {
        &self.room
    }

    pub(super) fn see(&self, now: Instant) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    pub(super) fn silence(&self, now: Instant) -> Duration {
        let seen = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        now.saturating_duration_since(seen)
    }

    /// How long ago it ended.
    pub(super) fn ended_before(&self, now: Instant) -> Option<Duration> {
        self.end.get().map(|end| now.saturating_duration_since(end.at))
    }

    pub(super) fn user(&self) -> Option<String> {
        self.packed().as_ref().and_then(|packed| packed.user().map(str::to_owned))
    }

    pub(super) fn has_ended(&self) -> bool {
        self.end.get().is_some()
    }

    /// An attempt at that backend failed; says how many have.
    pub(super) fn has_failed_at(&self, backend: &Backend) -> u32 {
        self.failed_at.store(choice::mark(backend), Ordering::Relaxed);
        self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    pub(super) fn with_lease(&self, with: impl FnOnce(&Lease)) {
        let lease = self.lease.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lease) = lease.as_ref() {
            with(lease);
        }
    }

    pub(super) fn take_lease(&self) -> Option<Lease> {
        self.lease.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn keep_lease(&self, lease: Lease) {
        *self.lease.lock().unwrap_or_else(PoisonError::into_inner) = Some(lease);
    }

    /// Writes its end down, once.
    pub(super) fn end(&self, outcome: Outcome) -> bool {
        self.end.set(End { outcome, at: Instant::now() }).is_ok()
    }

    /// What follows from its end: counted, logged, and nothing large kept. Outside of the room's lock.
    pub(super) fn settle(&self) {
        *self.packed() = None;
        drop(self.take_lease());
        let Some(end) = self.end.get() else { return };
        let held = self.held.load(Ordering::Relaxed).then(|| self.waited());
        end.outcome.tell(self, held);
        if let Outcome::GaveUp(gave_up) = &end.outcome
            && gave_up.why.is_unmet_demand()
        {
            self.room.ground.ledger.unmet(&self.group, end.at);
        }
        self.room.ground.forget_unannounced(self);
        if self.is_stored()
            && let Some(keeper) = self.room.ground.keeper.get()
        {
            keeper.ended(self);
        }
    }

    fn packed(&self) -> MutexGuard<'_, Option<Packed>> {
        self.statement.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn as_turn(&self) -> Turn {
        match self.end.get().map(|end| &end.outcome) {
            Some(Outcome::Became(id)) => Turn::Became(*id),
            Some(Outcome::GaveUp(gave_up)) => Turn::Over(gave_up.clone()),
            None => Turn::Later,
        }
    }

    fn heard(&self, word: Word) -> Turn {
        match word {
            Word::Go(pass) => Turn::Go(*pass),
            Word::Later => Turn::Later,
            Word::Leave => Turn::Leave,
            Word::Over => self.as_turn(),
        }
    }

    fn park(self: &Arc<Self>) -> Option<Parked> {
        let (tell, told) = oneshot::channel();
        let number = self.room.park(self, tell)?;
        Some(Parked { waiting: Arc::clone(self), number, told })
    }
}

/// A request that waits for its statement's turn; dropping it makes the statement absent.
struct Parked {
    waiting: Arc<Waiting>,
    number: u64,
    told: oneshot::Receiver<Word>,
}

impl Parked {
    /// Waits no more; what was said at the last moment still counts.
    fn leave(&mut self) -> Option<Word> {
        self.waiting.room.unpark(&self.waiting, self.number);
        self.told.close();
        self.told.try_recv().ok()
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        if let Some(Word::Go(pass)) = self.leave() {
            pass.returned(None);
        }
    }
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Waiting");
        shown.field("id", &self.id).field("group", &self.group).field("end", &self.end);
        shown.finish_non_exhaustive()
    }
}
