//! How long a backend has been idle: no query of ours, no demand, and none of Trino's own each time it was asked.
//!
//! Pure: time is an argument. What cannot be read is never taken for idle.

use std::time::Duration;

use tokio::time::Instant;

use crate::backends::resume::wake::Counted;

/// Loads are looked at so often, within these bounds.
const LOOK: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// Trino is asked so often, within these bounds.
const COUNT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(15));

/// How often Trino is asked after its counts could not be read, or a suspend failed.
const BLOCKED: Duration = Duration::from_secs(60);

/// The idleness of one backend.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Idle {
    since: Option<Instant>,
    /// When Trino is asked next, while it seems idle.
    count: Option<Instant>,
    /// Since `since`, Trino said 0 at least once and never anything else.
    confirmed: bool,
    /// Why its counts cannot be read has been told.
    told: bool,
}

/// What follows from a look.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Follows {
    /// Nothing yet.
    Nothing,
    /// Ask Trino for its counts.
    Count,
    /// It has been idle for long enough.
    Sleep,
}

impl Idle {
    /// Somebody uses it, or may not.
    pub(crate) fn busy(&mut self) {
        (self.since, self.count, self.confirmed) = (None, None, false);
    }

    /// Nothing of ours runs there.
    pub(crate) fn quiet(&mut self, after: Duration, now: Instant) -> Follows {
        let since = *self.since.get_or_insert(now);
        if self.count.is_none_or(|count| count <= now) {
            self.count = Some(now + (after / 4).clamp(COUNT.0, COUNT.1));
            return Follows::Count;
        }
        if self.confirmed && since + after <= now { Follows::Sleep } else { Follows::Nothing }
    }

    /// Trino told its counts; says whether it is worth telling that they cannot be read.
    pub(crate) fn counted(&mut self, counted: &Counted, now: Instant) -> bool {
        match counted {
            Ok(0) => {
                (self.confirmed, self.told) = (self.since.is_some(), false);
                false
            }
            Ok(_) => {
                let count = self.count;
                self.busy();
                (self.count, self.told) = (count, false);
                false
            }
            Err(_) => {
                self.blocked(now);
                !std::mem::replace(&mut self.told, true)
            }
        }
    }

    /// It cannot be put to sleep now.
    pub(crate) fn blocked(&mut self, now: Instant) {
        self.busy();
        self.count = Some(now + BLOCKED);
    }

    /// When to look again.
    pub(crate) fn due(after: Duration, now: Instant) -> Instant {
        now + (after / 4).clamp(LOOK.0, LOOK.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AFTER: Duration = Duration::from_secs(60);

    #[test]
    fn idle_for_long_enough_and_confirmed() {
        let start = Instant::now();
        let later = |seconds| start + Duration::from_secs(seconds);
        let mut idle = Idle::default();
        assert_eq!(idle.quiet(AFTER, start), Follows::Count);
        assert_eq!(idle.quiet(AFTER, later(1)), Follows::Nothing, "asked once");
        assert!(!idle.counted(&Ok(0), later(1)));
        for seconds in [16, 32, 48, 64] {
            assert_eq!(idle.quiet(AFTER, later(seconds)), Follows::Count);
        }
        assert_eq!(idle.quiet(AFTER, later(65)), Follows::Sleep);
        idle.busy();
        assert_eq!(idle.quiet(AFTER, later(66)), Follows::Count, "from the beginning");
    }

    #[test]
    fn queries_around_the_gateway_are_activity() {
        let start = Instant::now();
        let later = |seconds| start + Duration::from_secs(seconds);
        let mut idle = Idle::default();
        assert_eq!(idle.quiet(AFTER, start), Follows::Count);
        assert!(!idle.counted(&Ok(2), later(10)));
        assert_eq!(idle.quiet(AFTER, later(11)), Follows::Nothing, "not asked in a row");
        assert_eq!(idle.quiet(AFTER, later(16)), Follows::Count);
        assert!(!idle.counted(&Ok(0), later(16)));
        assert_eq!(idle.quiet(AFTER, later(69)), Follows::Count);
        assert_eq!(idle.quiet(AFTER, later(70)), Follows::Nothing, "60 s from 11 on");
        assert_eq!(idle.quiet(AFTER, later(72)), Follows::Sleep);
    }

    #[test]
    fn what_cannot_be_read_is_never_idle_and_told_once() {
        let start = Instant::now();
        let mut idle = Idle::default();
        assert_eq!(idle.quiet(AFTER, start), Follows::Count);
        let cannot = Err("401".to_owned());
        assert!(idle.counted(&cannot, start));
        for minutes in 1..100 {
            let now = start + Duration::from_secs(60 * minutes);
            assert_eq!(idle.quiet(AFTER, now), Follows::Count);
            assert_eq!(idle.quiet(AFTER, now), Follows::Nothing);
            assert!(!idle.counted(&cannot, now), "told once");
        }
        assert!(!idle.counted(&Ok(0), start));
        assert!(idle.counted(&cannot, start), "and again after it could be read");
    }
}
