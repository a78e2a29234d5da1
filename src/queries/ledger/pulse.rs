//! Tells when demand rises from nothing, at the moment when it does: scalers are pushed then, not polled.
//!
//! What falls is not told: who was told of a rise looks when it matters to it. Whether demand was nothing before is
//! known without a walk over the leases, from the counts beside them (`group`). In rare races a rise too many is told
//! (two whose clients left, and one of them ended), never one too few.

use std::sync::atomic::Ordering::Relaxed;

use sluice_routing::GroupName;
use tokio::{
    sync::watch,
    time::{Duration, Instant},
};

use super::{HERE, Ledger, Record, SHUT_OUT, group::Side};

/// Rule L13: by then every client of the process before this one has polled here once.
const KNOWN_AFTER: Duration = Duration::from_secs(10);

/// How often the demand of a group rose.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Pulse {
    /// From nothing.
    pub edges: u64,
    /// When it last did.
    pub at: Option<Instant>,
    /// Otherwise; only while somebody is keen to hear of it.
    pub rises: u64,
}

/// Somebody who wants to hear of every rise of a group, as long as this lives.
#[derive(Debug)]
pub(crate) struct Keen(std::sync::Arc<Side>);

impl Drop for Keen {
    fn drop(&mut self) {
        self.0.keen.fetch_sub(1, Relaxed);
    }
}

impl Ledger {
    /// Tells of each rise of the group's demand.
    pub(crate) fn pulse(&self, group: &GroupName) -> watch::Receiver<Pulse> {
        self.with_side(group, |side| side.pulse.subscribe())
    }

    /// From now on the group's pulse tells of every rise.
    pub(crate) fn keen(&self, group: &GroupName) -> Keen {
        self.with_side(group, |side| {
            side.keen.fetch_add(1, Relaxed);
            Keen(std::sync::Arc::clone(side))
        })
    }

    /// Whether a query of the group was seen at work at that moment or later.
    pub(crate) fn has_run_since(&self, group: &GroupName, then: Instant) -> bool {
        let then = self.since_beginning(then);
        self.sides.get(group).is_some_and(|side| side.has_run_since(then))
    }

    /// From when on a count of nothing means that there is nothing (rule L13).
    pub fn known_from(&self) -> Instant {
        self.began + KNOWN_AFTER
    }

    pub(super) fn rises(&self, side: &Side, from_nothing: bool, now: Instant) {
        if side.is_held_down() {
            return;
        }
        if from_nothing {
            side.pulse.send_modify(|pulse| {
                pulse.edges += 1;
                pulse.at = Some(now);
            });
            self.rose.notify_one();
        } else if side.keen.load(Relaxed) > 0 {
            side.pulse.send_modify(|pulse| pulse.rises += 1);
        }
    }

    /// A client came back after it was away since `before`.
    pub(super) fn returns(&self, record: &Record, before: u64, now: Instant) {
        let at = self.since_beginning(now);
        let was_demand = self.lasted(before, at);
        let lasted = record.side.lasts(at, &self.patience);
        let is_first = record.weigh();
        record.side.lost(before);
        if !was_demand {
            self.rises(&record.side, is_first && !lasted, now);
        }
    }

    /// A client gave a sign of life and holds no request; it may have been silent for longer than it counts.
    pub(super) fn goes_on(&self, record: &Record, now: Instant) {
        let at = self.since_beginning(now);
        let was_wanted = record.side.is_wanted(at, &self.patience);
        let before = record.away.swap(at, Relaxed);
        record.side.leaves(at);
        record.weigh();
        let is_held = record.state.load(Relaxed) == 0;
        if is_held && before != HERE && !self.lasted(before, at) {
            self.rises(&record.side, !was_wanted, now);
        }
    }

    /// Whether a client that went away at that moment still counts.
    fn lasted(&self, before: u64, at: u64) -> bool {
        before != SHUT_OUT && at.saturating_sub(before) < self.patience.idle()
    }

    /// Takes over whether an operator keeps the group down; what waited in it is wanted once it may wake.
    pub(super) fn hold_down(&self, side: &Side, held_down: bool) {
        let (now, was_held_down) = (Instant::now(), side.is_held_down());
        side.hold_down(held_down);
        if was_held_down && !held_down {
            self.rises(side, side.is_wanted(self.since_beginning(now), &self.patience), now);
        }
    }
}

impl Record {
    /// Sees whether it is firm demand; says whether it has just become the first one of its group.
    pub(super) fn weigh(&self) -> bool {
        let is_firm = self.state.load(Relaxed) != 0 || self.away.load(Relaxed) == HERE;
        self.firm.swap(is_firm, Relaxed) != is_firm && self.side.firms(is_firm)
    }

    /// Its lease is gone.
    pub(super) fn ends(&self) {
        if self.firm.swap(false, Relaxed) {
            self.side.firms(false);
        }
        self.side.lost(self.away.load(Relaxed));
    }
}
