//! What is known of a group beside its living leases: its peak, its last end, and who went away unserved.
//!
//! All of it is atomics, so that beginning and ending a query waits for nobody; only a rise of demand from nothing
//! takes a lock, to tell who listens.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use tokio::sync::watch;

use super::{demand::Patience, pulse::Pulse};

/// A pulse shorter than a scrape is seen for a minute, and at most for one bucket longer.
const BUCKET_MILLIS: u64 = 10_000;
const BUCKETS: u64 = 6;

#[derive(Debug, Default)]
pub(super) struct Side {
    living: AtomicU64,
    /// The highest count of each of the last buckets: the bucket's number above, the count below, so that the later
    /// bucket and then the higher count is the greater word. One more than are read, and a round number.
    peaks: [AtomicU64; 8],
    /// When the last query ended; 0: none has.
    ended: AtomicU64,
    /// When the last statement was refused for want of capacity; 0: none was.
    refused: AtomicU64,
    /// Whether an operator keeps it down.
    held_down: AtomicBool,
    /// Those of the living that are demand however late it is: their client is here, or a coordinator has them.
    firm: AtomicU64,
    /// When one of the living last lost its client for a while; 0: none has, or that one is no more.
    left: AtomicU64,
    /// When a query was last seen at work in a coordinator; 0: none was.
    ran: AtomicU64,
    /// Told of each rise of demand.
    pub(super) pulse: watch::Sender<Pulse>,
    /// How many want to hear of every rise, not only of those from nothing.
    pub(super) keen: AtomicU64,
}

impl Side {
    /// One more query. Says whether the group had no demand before.
    pub(super) fn begins(&self, now: u64, patience: &Patience) -> bool {
        let lasts = self.lasts(now, patience);
        self.note(now, self.living.fetch_add(1, Relaxed).saturating_add(1));
        self.firm.fetch_add(1, Relaxed) == 0 && !lasts
    }

    /// One of the living is demand however late it is, or is so no longer. Says whether it is the first one.
    pub(super) fn firms(&self, is_firm: bool) -> bool {
        match is_firm {
            true => self.firm.fetch_add(1, Relaxed) == 0,
            false => {
                self.firm.fetch_sub(1, Relaxed);
                false
            }
        }
    }

    /// The client of one of the living is away for a while.
    pub(super) fn leaves(&self, now: u64) {
        self.left.fetch_max(now, Relaxed);
    }

    /// Who left then is no demand any more. Others may have left before: it is forgotten when, and at worst a rise too
    /// many is told.
    pub(super) fn lost(&self, then: u64) {
        let _ = self.left.compare_exchange(then, 0, Relaxed, Relaxed);
    }

    /// Whether it has demand apart from the clients that are here and the coordinators that have its queries.
    pub(super) fn lasts(&self, now: u64, patience: &Patience) -> bool {
        is_recent(self.left.load(Relaxed), now, patience.idle())
            || self.lingers(now, patience.linger())
            || self.is_unmet(now, patience.unmet())
    }

    /// The same, those included.
    pub(super) fn is_wanted(&self, now: u64, patience: &Patience) -> bool {
        self.firm.load(Relaxed) > 0 || self.lasts(now, patience)
    }

    /// A query is at work in a coordinator.
    pub(super) fn runs(&self, now: u64) {
        self.ran.fetch_max(now, Relaxed);
    }

    pub(super) fn has_run_since(&self, then: u64) -> bool {
        self.ran.load(Relaxed) >= then
    }

    /// When a query was last seen at work.
    pub(super) fn ran(&self) -> Option<u64> {
        Some(self.ran.load(Relaxed)).filter(|at| *at > 0)
    }

    /// For how long there is unmet demand yet, and for how long the last query lingers.
    pub(super) fn left(&self, now: u64, patience: &Patience) -> (u64, u64) {
        let left = |then: u64, within: u64| match then {
            0 => 0,
            then => within.saturating_sub(now.saturating_sub(then)),
        };
        (
            left(self.refused.load(Relaxed), patience.unmet()),
            left(self.ended.load(Relaxed), patience.linger()),
        )
    }

    pub(super) fn ends(&self, now: u64) {
        self.note(now, self.living.fetch_sub(1, Relaxed));
        self.ended.fetch_max(now, Relaxed);
    }

    /// A statement was refused for want of capacity.
    pub(super) fn refuses(&self, now: u64) {
        self.refused.fetch_max(now, Relaxed);
    }

    pub(super) fn hold_down(&self, held_down: bool) {
        self.held_down.store(held_down, Relaxed);
    }

    pub(super) fn is_held_down(&self) -> bool {
        self.held_down.load(Relaxed)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.living.load(Relaxed) == 0
    }

    pub(super) fn lingers(&self, now: u64, linger: u64) -> bool {
        is_recent(self.ended.load(Relaxed), now, linger)
    }

    pub(super) fn is_unmet(&self, now: u64, lease: u64) -> bool {
        is_recent(self.refused.load(Relaxed), now, lease)
    }

    pub(super) fn peak(&self, now: u64) -> u64 {
        let present = now / BUCKET_MILLIS;
        let recent = self
            .peaks
            .iter()
            .map(|peak| peak.load(Relaxed))
            .filter(|peak| present.saturating_sub(peak >> 32) <= BUCKETS);
        let highest = recent.map(|peak| peak & u64::from(u32::MAX)).max().unwrap_or(0);
        highest.max(self.living.load(Relaxed))
    }

    fn note(&self, now: u64, living: u64) {
        let bucket = now / BUCKET_MILLIS;
        let at = usize::try_from(bucket % self.peaks.len() as u64).unwrap_or(0);
        if let Some(peak) = self.peaks.get(at) {
            peak.fetch_max((bucket << 32) | living.min(u64::from(u32::MAX)), Relaxed);
        }
    }
}

fn is_recent(then: u64, now: u64, within: u64) -> bool {
    then != 0 && now.saturating_sub(then) < within
}
