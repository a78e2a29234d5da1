//! The way up of a wake machine: demand, the driver's answers, time.

use std::time::Duration;

use tokio::time::Instant;

use super::{Act, Answered, Around, CallId, State, Terms, Wake, flight::Flight};
use crate::{
    backends::{
        jitter,
        resume::driver::{Action, CallError, How},
    },
    metrics::{ColdStartPhase, ResumeOutcome, Unavailable},
};

/// The longest rest between two attempts; the first is 1 s, each next one twice as long.
const LONGEST_REST: Duration = Duration::from_secs(15);

/// Accepted, and no sign of life: ask again, since another writer may have undone it.
const ASK_AGAIN: Duration = Duration::from_secs(60);

/// The same where the provider said that somebody else had just asked.
const ASK_AGAIN_IF_GATED: Duration = Duration::from_secs(30);

/// The longest rest that a provider may ask for.
const LONGEST_ASKED_REST: Duration = Duration::from_secs(120);

/// Ready for so long, it is not one that comes and goes.
const STABLE: Duration = Duration::from_secs(60);

/// After a failed resume, doubled each time up to the second.
const FAILED_REST: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(300));

impl Wake {
    /// A statement needs it: the first of a resume calls the driver at once, all others join.
    ///
    /// `by_hand`: an operator needs it, until then even without demand.
    pub(crate) fn wanted(&mut self, by_hand: Option<Instant>, terms: Terms, now: Instant) {
        match &self.state {
            State::Asleep => self.begin(by_hand, terms, now),
            State::Requested { .. } | State::Warming { .. } => self.join(by_hand, terms, now),
            State::Draining(_) => self.undo_drain(now),
            State::Unknown | State::Ready { .. } | State::Failed { .. } | State::HeldDown => {}
        }
    }

    /// A statement found it unreachable, though it is said to be ready.
    pub(crate) fn lost(&mut self, now: Instant) {
        if let State::Ready { since } = self.state {
            if since + STABLE <= now {
                self.forgive();
            }
            self.state = State::Asleep;
        }
    }

    pub(super) fn begin(&mut self, by_hand: Option<Instant>, terms: Terms, now: Instant) {
        self.acts.push(Act::Began);
        self.flight = Some(Flight { ours: true, by_hand, ..Flight::new(terms, now) });
        if by_hand.is_some() {
            self.forgive();
        }
        let next = self.not_before.filter(|then| *then > now);
        self.state = State::Requested { next };
        if next.is_none() {
            self.call(Action::Resume, now);
        }
    }

    /// Demand that comes back to a resume that nobody waited for gives it its full time, and asks again: what was
    /// accepted long ago may have been undone.
    fn join(&mut self, by_hand: Option<Instant>, terms: Terms, now: Instant) {
        let Some(flight) = &mut self.flight else { return };
        flight.by_hand = flight.by_hand.max(by_hand);
        let old = flight.called.is_some_and(|called| called + ASK_AGAIN_IF_GATED <= now);
        if flight.unwanted && old && flight.up.is_none() {
            flight.unwanted = false;
            flight.deadline = now + terms.deadline;
            if self.calling.is_none() && !matches!(self.state, State::Warming { alive: true, .. }) {
                self.call(Action::Resume, now);
            }
        }
    }

    pub(super) fn call(&mut self, action: Action, now: Instant) {
        self.calls += 1;
        self.calling = Some(self.calls);
        self.acts.push(Act::Call(self.calls, action));
        if action == Action::Suspend {
            return;
        }
        self.tries = self.tries.saturating_add(1);
        self.not_before = Some(now + jitter::around(rest(self.tries)));
        if let Some(flight) = &mut self.flight {
            if flight.attempts == 0 {
                let waited = now.duration_since(flight.began);
                self.acts.push(Act::Phase(ColdStartPhase::Detect, waited));
            }
            flight.attempts = flight.attempts.saturating_add(1);
            flight.called = Some(now);
        }
    }

    /// The driver's call ended.
    pub(crate) fn answered(&mut self, id: CallId, answer: Answered, around: Around, now: Instant) {
        if self.calling != Some(id) {
            return;
        }
        self.calling = None;
        if let State::Draining(_) = self.state {
            return self.suspend_answered(answer, now);
        }
        if !self.is_awaited() {
            return;
        }
        match answer {
            Ok(accepted) => self.accepted(accepted.how, accepted.retry_after, now),
            Err(CallError::Permanent(words)) => self.fail(ResumeOutcome::Rejected, &words, now),
            Err(CallError::Transient { why, retry_after }) => self.rest(&why, retry_after, now),
            Err(error @ CallError::Timeout) => self.rest(&error.to_string(), None, now),
        }
        self.note_demand(around, now);
    }

    fn accepted(&mut self, how: How, retry_after: Option<Duration>, now: Instant) {
        let usual = if how == How::Gated { ASK_AGAIN_IF_GATED } else { ASK_AGAIN };
        let asked = retry_after.unwrap_or(usual).min(LONGEST_ASKED_REST);
        let rest = jitter::around(asked.max(rest(self.tries)));
        if let Some(flight) = self.flight.as_mut().filter(|flight| flight.accepted.is_none()) {
            flight.accepted = Some(now);
            let took = now.duration_since(flight.called.unwrap_or(flight.began));
            self.acts.push(Act::Phase(ColdStartPhase::Call, took));
        }
        let alive = matches!(self.state, State::Warming { alive: true, .. });
        self.state = State::Warming { again: (!alive).then(|| now + rest), alive };
    }

    /// The call failed in a way that may pass.
    fn rest(&mut self, why: &str, retry_after: Option<Duration>, now: Instant) {
        if let Some(flight) = &mut self.flight {
            flight.words = Some(why.into());
        }
        let asked = retry_after.unwrap_or_default().min(LONGEST_ASKED_REST);
        let next = Some(now + jitter::around(rest(self.tries)).max(asked));
        match &mut self.state {
            State::Warming { again, alive: false } => *again = next,
            // It lives: whatever the driver says, it is on its way.
            State::Warming { alive: true, .. } => {}
            state => *state = State::Requested { next },
        }
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, around: Around, now: Instant) {
        if matches!(self.state, State::Draining(_)) {
            return self.tick_drain(around, now);
        }
        if self.flight.as_ref().is_some_and(|flight| flight.deadline <= now) {
            return self.expire(around, now);
        }
        match self.state {
            State::Requested { next: Some(next) } if next <= now => self.retry(around, now),
            State::Warming { again: Some(again), alive: false } if again <= now => {
                if self.calling.is_none() && self.is_wanted(around, now) {
                    self.call(Action::Resume, now);
                }
                self.state =
                    State::Warming { again: Some(now + jitter::around(ASK_AGAIN)), alive: false };
            }
            State::Failed { until, .. } if until <= now => self.state = State::Asleep,
            _ => {}
        }
    }

    /// Only while somebody waits.
    pub(super) fn retry(&mut self, around: Around, now: Instant) {
        if self.is_wanted(around, now) {
            self.state = State::Requested { next: None };
            return self.call(Action::Resume, now);
        }
        let words = self.last_words("nobody waits any more");
        self.end(ResumeOutcome::Failure, &words, now);
        self.state = State::Asleep;
    }

    pub(super) fn expire(&mut self, around: Around, now: Instant) {
        let accepted = matches!(self.state, State::Warming { .. });
        if accepted && !self.is_wanted(around, now) {
            self.end(ResumeOutcome::Timeout, "it did not become ready, and nobody waits", now);
            self.state = State::Asleep;
        } else if accepted {
            let words = self.last_words("it did not become ready in time");
            self.fail(ResumeOutcome::Timeout, &words, now);
        } else {
            let words = self.last_words("the driver did not answer");
            self.fail(ResumeOutcome::Failure, &words, now);
        }
    }

    pub(super) fn fail(&mut self, outcome: ResumeOutcome, words: &str, now: Instant) {
        self.end(outcome, words, now);
        self.failures = self.failures.saturating_add(1);
        let why = match outcome {
            ResumeOutcome::Timeout => Unavailable::ResumeTimeout,
            _ => Unavailable::ResumeFailed,
        };
        let (first, longest) = FAILED_REST;
        let rest = doubled(first, self.failures, longest);
        self.state = State::Failed { until: now + jitter::around(rest), why, words: words.into() };
    }

    pub(super) fn end(&mut self, outcome: ResumeOutcome, words: &str, now: Instant) {
        self.calling = None;
        if let Some(flight) = self.flight.take().filter(|flight| flight.ours) {
            self.acts.push(Act::Ended(flight.ended(outcome, words, now)));
        }
    }
}

/// 1, 2, 4 … 15 s.
pub(super) fn rest(tries: u32) -> Duration {
    doubled(Duration::from_secs(1), tries, LONGEST_REST)
}

fn doubled(first: Duration, times: u32, longest: Duration) -> Duration {
    let factor = 2_u32.saturating_pow(times.saturating_sub(1).min(16));
    first.saturating_mul(factor).min(longest)
}
