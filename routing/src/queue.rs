//! Who of those that wait is served next: first come, first served within a user, turn by turn between users.
//!
//! Each user has a virtual time: how many of its statements were served. The user with the least one among those
//! that are there comes next; of equals, the one whose statement came first. A new user joins behind the round that is under way, one
//! that comes back joins where the others are now: nobody saves up turns by staying away, and nobody gains any by
//! being forgotten in between. A statement between two polls of its client is
//! absent: it keeps its place and holds nobody up. What is not waiting any more costs no memory: a user
//! without statements is forgotten.
//!
//! It decides the order only: how many may go, and where to, is said by `release` and `place`.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

mod line;
#[cfg(test)]
mod tests;

use self::line::Line;

/// All that wait for one group; `K` is a ticket, and later ones are greater.
#[derive(Clone, Debug)]
pub struct Queue<K> {
    tickets: BTreeMap<K, Place>,
    lines: BTreeMap<Arc<str>, Line<K>>,
    /// The lines of which somebody is there, by virtual time and then by that one's ticket.
    ready: BTreeSet<(u64, K)>,
    /// The latest virtual time at which anybody was served.
    clock: u64,
    /// How many are being dispatched.
    served: usize,
}

/// Where one statement stands.
#[derive(Clone, Debug)]
struct Place {
    user: Arc<str>,
    standing: Standing,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Standing {
    /// Its client is between two polls.
    Absent,
    /// Its client holds a request.
    There,
    /// It is being dispatched.
    Served,
}

impl<K> Default for Queue<K> {
    fn default() -> Self {
        Self {
            tickets: BTreeMap::new(),
            lines: BTreeMap::new(),
            ready: BTreeSet::new(),
            clock: 0,
            served: 0,
        }
    }
}

impl<K: Copy + Ord> Queue<K> {
    /// A statement comes to the end of its user's line; it is absent until it arrives.
    pub fn enter(&mut self, user: &str, ticket: K) {
        if self.tickets.contains_key(&ticket) {
            return;
        }
        let user: Arc<str> = self
            .lines
            .get_key_value(user)
            .map_or_else(|| user.into(), |(user, _)| Arc::clone(user));
        let joins_at = self.latest();
        let line = self.lines.entry(Arc::clone(&user)).or_insert_with(|| Line::at(joins_at));
        line.enter(ticket);
        self.tickets.insert(ticket, Place { user, standing: Standing::Absent });
    }

    /// Its client is there: a request is being held.
    pub fn arrive(&mut self, ticket: K) {
        let Some(user) = self.moves(ticket, Standing::Absent, Standing::There) else { return };
        let joins_at = self.least();
        self.relist(&user, |line| {
            if !line.is_there() {
                line.catch_up(joins_at);
            }
            line.arrive(ticket);
        });
    }

    /// Its client is between two polls.
    pub fn depart(&mut self, ticket: K) {
        if let Some(user) = self.moves(ticket, Standing::There, Standing::Absent) {
            self.relist(&user, |line| line.depart(ticket));
        }
    }

    /// Who is served now, of those that are there. It counts as served until it is given back, or leaves.
    pub fn serve(&mut self) -> Option<K> {
        let (time, ticket) = self.ready.first().copied()?;
        self.clock = self.clock.max(time);
        let user = self.moves(ticket, Standing::There, Standing::Served)?;
        self.relist(&user, |line| line.serve(ticket));
        self.served += 1;
        Some(ticket)
    }

    /// One that was served could not be dispatched: it takes its old place, absent until it arrives, and its user
    /// gets the turn back.
    pub fn give_back(&mut self, ticket: K) {
        let Some(user) = self.moves(ticket, Standing::Served, Standing::Absent) else { return };
        self.served = self.served.saturating_sub(1);
        // A turn that is given back late is one turn, and not all that others have had since.
        let floor = self.least().saturating_sub(1);
        self.relist(&user, |line| line.give_back(ticket, floor));
    }

    /// The same, but the turn is spent: a statement that fails again and again must not be the next one for ever.
    pub fn forfeit(&mut self, ticket: K) {
        if let Some(user) = self.moves(ticket, Standing::Served, Standing::Absent) {
            self.served = self.served.saturating_sub(1);
            self.relist(&user, |line| line.take_back(ticket));
        }
    }

    /// It waits no more: dispatched for good, or given up.
    pub fn leave(&mut self, ticket: K) {
        let Some(place) = self.tickets.remove(&ticket) else { return };
        if place.standing == Standing::Served {
            self.served = self.served.saturating_sub(1);
        }
        self.relist(&place.user, |line| line.leave(ticket));
        if self.lines.get(&place.user).is_some_and(Line::is_forgotten) {
            self.lines.remove(&place.user);
        }
    }

    /// Its place among all that wait, absent ones included; 1 comes next.
    pub fn position(&self, ticket: K) -> Option<usize> {
        let place = self.tickets.get(&ticket)?;
        let least = self.least();
        let turn = self.lines.get(&place.user)?.turn_of(ticket, least)?;
        let before: usize = self.lines.values().map(|line| line.before(turn, least)).sum();
        Some(before + 1)
    }

    /// How many have not left, those that are being dispatched included.
    pub fn len(&self) -> usize {
        self.tickets.len()
    }

    /// How many wait, those that are being dispatched not included.
    pub fn waiting(&self) -> usize {
        self.len().saturating_sub(self.served)
    }

    /// Whether all have left.
    pub fn is_empty(&self) -> bool {
        self.tickets.is_empty()
    }

    /// How many of a user wait, those that are being dispatched not included.
    pub fn of_user(&self, user: &str) -> usize {
        self.lines.get(user).map_or(0, Line::waiting)
    }

    /// How many users have statements here.
    pub fn users(&self) -> usize {
        self.lines.len()
    }

    /// Whether somebody could be served.
    pub fn is_anybody_there(&self) -> bool {
        !self.ready.is_empty()
    }

    /// The one that came first of all that have not left.
    pub fn oldest(&self) -> Option<K> {
        self.tickets.first_key_value().map(|(ticket, _)| *ticket)
    }

    /// Where the first of those that are there stands; if nobody is there, where the last one stood.
    fn least(&self) -> u64 {
        self.ready.first().map_or(self.clock, |(time, _)| *time)
    }

    /// Where the present round ends. A user that joined before it would, served and forgotten, be new again and again
    /// and always be ahead of those that wait for their second turn.
    fn latest(&self) -> u64 {
        self.ready.last().map_or(self.clock.saturating_add(1), |(time, _)| *time)
    }

    /// Changes a standing if it is the expected one, and says whose it is.
    fn moves(&mut self, ticket: K, from: Standing, to: Standing) -> Option<Arc<str>> {
        let place = self.tickets.get_mut(&ticket).filter(|place| place.standing == from)?;
        place.standing = to;
        Some(Arc::clone(&place.user))
    }

    /// Changes a line and puts it where it belongs among those that are ready.
    fn relist(&mut self, user: &str, change: impl FnOnce(&mut Line<K>)) {
        let Some(line) = self.lines.get_mut(user) else { return };
        if let Some(before) = line.listed() {
            self.ready.remove(&before);
        }
        change(line);
        self.ready.extend(line.listed());
    }
}
