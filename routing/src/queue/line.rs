//! One user's statements in the order in which they came, and the user's virtual time.
//!
//! It knows nothing of other users: what they are compared by is given out, never asked for.

use std::collections::{BTreeSet, VecDeque};

#[derive(Clone, Debug)]
pub(super) struct Line<K> {
    /// How many turns the user has had, counted from where it joined.
    time: u64,
    /// All that wait, oldest first: indexed, since the position of one is asked for.
    waiting: VecDeque<K>,
    /// Those of them whose clients are there.
    there: BTreeSet<K>,
    /// How many are being dispatched.
    served: usize,
}

impl<K: Copy + Ord> Line<K> {
    pub(super) fn at(time: u64) -> Self {
        Self { time, waiting: VecDeque::new(), there: BTreeSet::new(), served: 0 }
    }

    pub(super) fn enter(&mut self, ticket: K) {
        if let Err(at) = self.waiting.binary_search(&ticket) {
            self.waiting.insert(at, ticket);
        }
    }

    /// Turns that went by while nobody was there are not saved up.
    pub(super) fn catch_up(&mut self, time: u64) {
        self.time = self.time.max(time);
    }

    pub(super) fn arrive(&mut self, ticket: K) {
        self.there.insert(ticket);
    }

    pub(super) fn depart(&mut self, ticket: K) {
        self.there.remove(&ticket);
    }

    pub(super) fn serve(&mut self, ticket: K) {
        self.take_out(ticket);
        self.served += 1;
        self.time = self.time.saturating_add(1);
    }

    pub(super) fn give_back(&mut self, ticket: K, floor: u64) {
        self.time = self.time.saturating_sub(1).max(floor.min(self.time));
        self.take_back(ticket);
    }

    pub(super) fn take_back(&mut self, ticket: K) {
        self.served = self.served.saturating_sub(1);
        self.enter(ticket);
    }

    pub(super) fn leave(&mut self, ticket: K) {
        if !self.take_out(ticket) {
            self.served = self.served.saturating_sub(1);
        }
    }

    pub(super) fn is_there(&self) -> bool {
        !self.there.is_empty()
    }

    pub(super) fn is_forgotten(&self) -> bool {
        self.waiting.is_empty() && self.served == 0
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// What it is compared with other lines by, if somebody is there.
    pub(super) fn listed(&self) -> Option<(u64, K)> {
        self.there.first().map(|ticket| (self.time, *ticket))
    }

    /// When one that waits has its turn, if all were there.
    pub(super) fn turn_of(&self, ticket: K, least: u64) -> Option<(u64, K)> {
        let at = self.waiting.binary_search(&ticket).ok()?;
        Some((self.begins(least).saturating_add(at as u64), ticket))
    }

    /// How many have their turn before that one.
    pub(super) fn before(&self, (time, ticket): (u64, K), least: u64) -> usize {
        let Some(turns) = time.checked_sub(self.begins(least)) else { return 0 };
        let sooner = usize::try_from(turns).unwrap_or(usize::MAX).min(self.waiting.len());
        let same = self.waiting.get(sooner).is_some_and(|equal| *equal < ticket);
        sooner + usize::from(same)
    }

    fn begins(&self, least: u64) -> u64 {
        if self.is_there() { self.time } else { self.time.max(least) }
    }

    fn take_out(&mut self, ticket: K) -> bool {
        self.there.remove(&ticket);
        self.waiting.binary_search(&ticket).is_ok_and(|at| self.waiting.remove(at).is_some())
    }
}
