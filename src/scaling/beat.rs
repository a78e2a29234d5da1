//! When a stream says `true`: on a rise, on its opening, and again while what is wanted does not come.
//!
//! KEDA may lose an event (scale-from-zero.md 3.2), so one is not enough; and each one keeps the target awake, so none is
//! sent that nobody waits for. Time is an argument, and nothing here waits.

use std::time::Duration;

use tokio::time::Instant;

use crate::metrics::Push;

/// Between an event and its repetition, the last of them for all later ones.
const PAUSES: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(15),
];

/// A group at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// Whether its demand is above what the trigger asked for.
    pub(super) is_active: bool,
    /// Whether that is more than what lingers after the last query: then nobody waits.
    pub(super) is_awaited: bool,
    /// How often its demand rose from nothing, and when it last did.
    pub(super) edges: u64,
    pub(super) at: Option<Instant>,
}

/// What to do now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Act {
    /// Say `true`.
    Push(Push),
    /// Look again then, if nothing happens before.
    Wait(Option<Instant>),
}

/// The memory of one stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beat {
    is_active: bool,
    /// The rise that was told.
    edges: u64,
    /// When the demand that was told of began.
    pub(super) since: Instant,
    repeats: usize,
    next: Option<Instant>,
}

impl Beat {
    /// Of a stream that has just said what it saw.
    pub(super) fn opened(now: Instant, seen: Seen) -> Self {
        let since = seen.at.unwrap_or(now);
        let quiet =
            Self { is_active: seen.is_active, edges: seen.edges, since, repeats: 0, next: None };
        if seen.is_active { quiet.again(now) } else { quiet }
    }

    /// `ran_since` says whether a query of the group was at work at that moment or later: then capacity has come.
    pub(super) fn look(
        &mut self,
        now: Instant,
        seen: Seen,
        ran_since: impl FnOnce(Instant) -> bool,
    ) -> Act {
        if !seen.is_active {
            (self.is_active, self.next) = (false, None);
            return Act::Wait(None);
        }
        if !self.is_active || seen.edges != self.edges {
            *self = Self::rose(now, seen, self.edges);
            return Act::Push(Push::Edge);
        }
        if self.next.is_none_or(|next| now < next) {
            return Act::Wait(self.next);
        }
        if ran_since(self.since) {
            self.next = None;
            return Act::Wait(None);
        }
        *self = self.again(now);
        if seen.is_awaited { Act::Push(Push::Repeat) } else { Act::Wait(self.next) }
    }

    fn rose(now: Instant, seen: Seen, told: u64) -> Self {
        // A rise above a trigger's own threshold is none from nothing: it began now.
        let since = seen.at.filter(|_| seen.edges != told).unwrap_or(now);
        Self { is_active: true, edges: seen.edges, since, repeats: 0, next: None }.again(now)
    }

    fn again(self, now: Instant) -> Self {
        let pause = PAUSES.get(self.repeats).or(PAUSES.last()).copied().unwrap_or_default();
        Self { repeats: self.repeats + 1, next: Some(now + pause), ..self }
    }
}
