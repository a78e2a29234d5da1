//! The waiting rooms: statements that cannot be sent yet, one room a group, in fair order and within bounds.
//!
//! A room's task wakes up when a snapshot is published, a query ends or a deadline has come; nothing polls. `queue` and
//! `release` of the routing crate say who goes and how many; a statement that may go gets a [`Pass`], and the request
//! that waited for its turn sends it. In reading order: `identity`, `guest` and `packed` are what comes in, `parcel` what goes on to another replica, `waiting` is one statement
//! and how its requests wait, `pass` the permit, `ending` how a wait ends, `inside` and `group` a room, with `ramps`
//! and `choice` for where a statement goes. It sends nothing and writes no answer: the proxy does.

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use dashmap::DashMap;
use sluice_routing::{GroupName, QueryId};
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    queries::Ledger,
    snapshot::{Current, Group, Snapshot},
};

mod choice;
mod ending;
mod group;
mod guest;
mod identity;
mod inside;
pub(crate) mod packed;
mod parcel;
mod pass;
mod ramps;
mod reason;
#[cfg(test)]
mod tests;
mod waiting;

pub use self::{
    ending::{GaveUp, Why},
    guest::{Full, Guest, Refused},
    identity::{ReplicaMark, Slug, is_ours},
    parcel::{LetGo, Parcel},
    pass::Pass,
    waiting::{FIRST_TOKEN, Turn, Waiting, WaitingState},
};
use self::{
    group::{Ground, Room},
    identity::Minter,
};

/// The longest time between two looks for silent clients and old records.
const ROUND: Duration = Duration::from_secs(5);

/// All waiting rooms of the process.
#[derive(Debug)]
pub struct Rooms {
    ground: Arc<Ground>,
    rooms: DashMap<GroupName, Arc<Room>, ahash::RandomState>,
}

/// Who keeps statements where other replicas find them.
pub trait Keeper: fmt::Debug + Send + Sync {
    /// One of them waits no more.
    fn ended(&self, waiting: &Waiting);

    /// One of them was not sent after all, and waits on; it is kept for so long.
    fn waits_on(&self, waiting: &Waiting, life: Duration);
}

/// A room as metrics show it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct RoomSeen {
    /// Statements in it, those that are being sent included.
    pub waiters: u64,
    /// Their SQL and headers.
    pub bytes: u64,
    /// How long the one that came first has been there.
    pub oldest: Option<Duration>,
}

impl Rooms {
    /// Empty rooms; `mark` tells this process' ids from those of others.
    pub fn new(current: Current, ledger: Arc<Ledger>, mark: ReplicaMark) -> Arc<Self> {
        let ground = Ground {
            current,
            ledger,
            minter: Minter::new(mark),
            known: DashMap::default(),
            tickets: AtomicU64::new(0),
            stopping: AtomicBool::new(false),
            keeper: OnceLock::new(),
            stirred: Notify::new(),
        };
        Arc::new(Self { ground: Arc::new(ground), rooms: DashMap::default() })
    }

    /// Whether a new statement of the group may be sent without waiting: nobody is overtaken, and no limit of the
    /// group could be passed. Where `maxRunning` is set, the room gives out the places, so that the limit is exact.
    pub fn may_pass(&self, group: &Group) -> bool {
        if group.cold_start.max_running.is_some() {
            return false;
        }
        !self.ground.ledger.is_awaited()
            || !self.room(&group.name).is_some_and(|room| room.has_waiting())
    }

    /// Statements can go on at another replica from now on, by way of this one.
    pub fn share(&self, keeper: Arc<dyn Keeper>) {
        let _ = self.ground.keeper.set(keeper);
    }

    /// Whether the process is leaving, and nobody should be held here any more.
    pub fn is_stopping(&self) -> bool {
        self.ground.stopping.load(Ordering::SeqCst)
    }

    /// Takes in a statement that waited at another replica, in its old place.
    pub fn take_in(self: &Arc<Self>, parcel: &Parcel, guest: Guest) -> Arc<Waiting> {
        let name = &parcel.group;
        let room = self
            .rooms
            .entry(name.clone())
            .or_insert_with(|| Arc::new(Room::new(name.clone(), Arc::clone(&self.ground))));
        room.take_in(parcel, guest)
    }

    /// Another replica has that statement: it waits here no more, and did not end. `None` if it is being sent from
    /// here, or waits no more.
    pub fn let_go(&self, id: QueryId) -> Option<LetGo> {
        let waiting = self.find(id)?;
        waiting.room().let_go(&waiting)
    }

    /// Takes a statement in; [`Waiting::turn`] then waits for its turn.
    pub fn enter(
        self: &Arc<Self>,
        group: &Arc<Group>,
        guest: Guest,
    ) -> Result<Arc<Waiting>, Box<Refused>> {
        // Under the map's guard: no room is forgotten that somebody is entering.
        let room = self
            .rooms
            .entry(group.name.clone())
            .or_insert_with(|| Arc::new(Room::new(group.name.clone(), Arc::clone(&self.ground))));
        let admitted = room.admit(group, guest);
        drop(room);
        if let Err(refused) = &admitted
            && refused.full != Full::Stopping
        {
            self.ground.ledger.unmet(&group.name, Instant::now());
        }
        admitted
    }

    /// An id for a query of ours that does not wait; `None` only if the clock shows no year of four digits.
    pub fn mint(&self) -> Option<QueryId> {
        self.ground.minter.mint()
    }

    /// The statement that bears this id, or did until `queries.rememberFor` ago.
    pub fn find(&self, id: QueryId) -> Option<Arc<Waiting>> {
        self.ground.known.get(&id).map(|waiting| Arc::clone(&waiting))
    }

    /// All that wait or are being sent, in the order in which they came.
    pub fn all(&self) -> Vec<Arc<Waiting>> {
        let known = self.ground.known.iter().map(|waiting| Arc::clone(&waiting));
        let mut all: Vec<_> = known.filter(|waiting| !waiting.has_ended()).collect();
        all.sort_unstable_by_key(|waiting| waiting.ticket);
        all
    }

    /// What metrics show of a group's room.
    pub fn seen(&self, group: &GroupName) -> RoomSeen {
        self.room(group).map_or_else(RoomSeen::default, |room| room.seen())
    }

    /// How many records there are, ended ones included.
    pub fn records(&self) -> usize {
        self.ground.known.len()
    }

    /// The task of all rooms, until `stop`; then everybody who waits is told so.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut changed = self.ground.current.changed();
        let mut round_at = Instant::now();
        self.heed();
        loop {
            let look_at = self.next_look(round_at);
            tokio::select! {
                biased;
                () = stop.cancelled() => return self.close(),
                Ok(()) = changed.changed() => self.heed(),
                () = self.ground.ledger.freed() => self.tend(),
                () = self.ground.stirred.notified() => {}
                () = tokio::time::sleep_until(look_at.unwrap_or(round_at)), if look_at.is_some() => {
                    let now = Instant::now();
                    if now >= round_at {
                        round_at = now + self.sweep(now);
                    }
                    self.tend();
                }
            }
        }
    }

    /// A new snapshot: settings, who is held down, which groups there are, who is ready.
    fn heed(&self) {
        let snapshot = self.ground.current.load_full();
        self.ground.ledger.heed(&snapshot);
        self.every_room().iter().for_each(|room| room.tend());
        self.rooms.retain(|name, room| snapshot.group(name).is_some() || !room.is_empty());
    }

    fn tend(&self) {
        self.every_room().iter().filter(|room| !room.is_empty()).for_each(|room| room.tend());
    }

    /// Ends the silent and forgets the old; says when to do so again.
    fn sweep(&self, now: Instant) -> Duration {
        let snapshot = self.ground.current.load_full();
        self.every_room().iter().for_each(|room| room.end_silent(&snapshot, now));
        let remember_for = snapshot.config.queries.remember_for.get();
        let is_old = |waiting: &Waiting| {
            waiting.ended_before(now).is_some_and(|before| before >= remember_for)
        };
        self.ground.known.retain(|_, waiting| !is_old(waiting));
        round(&snapshot)
    }

    /// `None`: there is nothing to look at before the next event.
    fn next_look(&self, round_at: Instant) -> Option<Instant> {
        if self.ground.known.is_empty() {
            return None;
        }
        let (snapshot, now) = (self.ground.current.load_full(), Instant::now());
        let looks = self.every_room().into_iter().filter_map(|room| room.next_look(&snapshot, now));
        looks.chain([round_at]).min()
    }

    fn close(&self) {
        self.ground.stopping.store(true, Ordering::SeqCst);
        let gave_up =
            GaveUp::new(Why::Stopping, "the gateway is stopping; send the statement again");
        self.every_room().iter().for_each(|room| room.close(&gave_up));
    }

    fn room(&self, group: &GroupName) -> Option<Arc<Room>> {
        self.rooms.get(group).map(|room| Arc::clone(&room))
    }

    /// No guard of the map is held while a room is tended.
    fn every_room(&self) -> Vec<Arc<Room>> {
        self.rooms.iter().map(|room| Arc::clone(&room)).collect()
    }
}

/// Short settings (tests, demos) want short rounds.
fn round(snapshot: &Snapshot) -> Duration {
    let settings = &snapshot.config.queries;
    let shortest = settings.abandon_after.get().min(settings.remember_for.get());
    ROUND.min(shortest / 10).max(Duration::from_millis(10))
}
