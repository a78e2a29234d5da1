//! How many waiting statements a backend gets at once: one, then twice as many with each round that it answers.
//!
//! A coordinator that has just woken is slow for a moment; the whole waiting room at once would put it back to sleep.
//! So a ramp begins with one statement under way, and each answer allows one more: 1, 2, 4, … a round. A failure
//! begins again. It counts statements under way to a first answer, not running queries: those are `maxRunning`'s.

/// From here on a ramp holds nobody back any more.
const UNLIMITED: u32 = 1024;

/// The slow start of one backend.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ramp {
    window: u32,
    outstanding: u32,
}

impl Ramp {
    /// Of a backend that has just become ready.
    pub const fn new() -> Self {
        Self { window: 1, outstanding: 0 }
    }

    /// Of a backend that has long been at work.
    pub const fn open() -> Self {
        Self { window: UNLIMITED, outstanding: 0 }
    }

    /// Whether one more statement may be sent.
    pub const fn may_release(self) -> bool {
        self.window >= UNLIMITED || self.outstanding < self.window
    }

    /// One was sent.
    pub const fn released(&mut self) {
        self.outstanding = self.outstanding.saturating_add(1);
    }

    /// One was answered.
    pub const fn answered(&mut self) {
        self.returned();
        if self.window < UNLIMITED {
            self.window += 1;
        }
    }

    /// One failed.
    pub const fn failed(&mut self) {
        self.returned();
        self.window = 1;
    }

    /// One was not sent after all.
    pub const fn returned(&mut self) {
        self.outstanding = self.outstanding.saturating_sub(1);
    }

    /// How many are under way.
    pub const fn outstanding(self) -> u32 {
        self.outstanding
    }

    /// How many may be under way; `None` once nobody is held back any more.
    pub fn window(self) -> Option<u32> {
        (self.window < UNLIMITED).then_some(self.window)
    }

    /// Its backend went away and has come back: what is under way still counts.
    pub const fn begin_again(&mut self) {
        self.window = 1;
    }
}

impl Default for Ramp {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends as many as it may, and answers them all: one round trip.
    fn round(ramp: &mut Ramp) -> u32 {
        let mut sent = 0;
        while ramp.may_release() && sent < 5_000 {
            ramp.released();
            sent += 1;
        }
        (0..sent).for_each(|_| ramp.answered());
        sent
    }

    #[test]
    fn each_round_doubles_until_nobody_is_held_back() {
        let mut ramp = Ramp::new();
        let rounds: Vec<u32> = (0..12).map(|_| round(&mut ramp)).collect();
        assert_eq!(rounds, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 5_000, 5_000]);
        assert_eq!((ramp.window(), ramp.outstanding()), (None, 0));
        assert_eq!(Ramp::default().window(), Some(1));
    }

    #[test]
    fn a_failure_begins_again_and_what_was_not_sent_changes_nothing() {
        let mut ramp = Ramp::new();
        let sent: u32 = (0..3).map(|_| round(&mut ramp)).sum();
        assert_eq!(sent, 7);
        (0..8).for_each(|_| ramp.released());
        assert!(!ramp.may_release());
        ramp.returned();
        assert!(ramp.may_release());
        ramp.failed();
        assert_eq!((ramp.window(), ramp.outstanding()), (Some(1), 6));
        assert!(!ramp.may_release());
        (0..6).for_each(|_| ramp.returned());
        assert!(ramp.may_release());
    }

    #[test]
    fn a_backend_at_work_has_no_slow_start_until_it_fails() {
        let mut ramp = Ramp::open();
        assert_eq!(round(&mut ramp), 5_000);
        ramp.released();
        ramp.failed();
        assert_eq!(round(&mut ramp), 1);
        ramp.begin_again();
        assert_eq!(ramp.window(), Some(1));
        (0..3).for_each(|_| ramp.returned());
        assert_eq!(ramp.outstanding(), 0);
    }
}
