//! A resume from its trigger to its end.

use std::sync::Arc;

use tokio::time::Instant;

use super::{Ended, Terms};
use crate::metrics::ResumeOutcome;

/// A resume; also one that somebody else began.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Flight {
    pub(super) ours: bool,
    pub(super) began: Instant,
    pub(super) deadline: Instant,
    /// An operator asked for it: until then it needs no demand.
    pub(super) by_hand: Option<Instant>,
    pub(super) attempts: u32,
    pub(super) called: Option<Instant>,
    pub(super) accepted: Option<Instant>,
    /// Since when it is ready but for its workers.
    pub(super) up: Option<Instant>,
    /// There was a moment without demand.
    pub(super) unwanted: bool,
    pub(super) words: Option<Arc<str>>,
    pub(super) id: String,
}

impl Flight {
    /// Somebody else's, until it is said to be ours.
    pub(super) fn new(terms: Terms, now: Instant) -> Self {
        Self {
            ours: false,
            began: now,
            deadline: now + terms.deadline,
            by_hand: None,
            attempts: 0,
            called: None,
            accepted: None,
            up: None,
            unwanted: false,
            words: None,
            id: format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..)),
        }
    }

    pub(super) fn ended(&self, outcome: ResumeOutcome, words: &str, now: Instant) -> Ended {
        let took = now.duration_since(self.began);
        Ended { outcome, took, attempts: self.attempts, words: words.into() }
    }
}
