//! The wake machine of one backend: asleep, requested, warming, ready, draining, failed, held down.
//!
//! Whoever owns it tells what happened (`wanted`, `answered`, `probed`, `tick`) and carries out the `Act`s that it
//! put down. Probes have the last word: a backend that is ready is ready, whoever woke it. Every state but the
//! resting ones has a deadline. Single flight: while one call or one resume is under way, no other begins. Pure: time
//! is an argument. Its way up is in `rouse` and `looks`, its way to sleep in `drain`.

mod drain;
mod flight;
mod looks;
mod rouse;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod tests;

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

pub(crate) use self::drain::Counted;
use self::{drain::Drain, flight::Flight};
use crate::{
    backends::{
        health::{Sign, Verdict},
        resume::driver::{Accepted, Action, CallError},
    },
    metrics::{ColdStartPhase, ResumeOutcome, Unavailable},
    snapshot::WakeState,
};

/// A call of this machine; the answer to any other one is late.
pub(crate) type CallId = u64;

/// What a driver answered.
pub(crate) type Answered = Result<Accepted, CallError>;

/// What must be done, or is worth telling.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Act {
    /// Call the driver.
    Call(CallId, Action),
    /// Ask Trino for its own counts.
    Count,
    /// A resume began.
    Began,
    /// It ended.
    Ended(Ended),
    /// A part of a cold start took this long.
    Phase(ColdStartPhase, Duration),
    /// It was put to sleep.
    Suspended,
    /// It was not put to sleep, for this reason.
    NotSuspended(Arc<str>),
}

/// The end of a resume.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Ended {
    /// How.
    pub(crate) outcome: ResumeOutcome,
    /// Since it began.
    pub(crate) took: Duration,
    /// Calls that it needed.
    pub(crate) attempts: u32,
    /// What went wrong.
    pub(crate) words: Arc<str>,
}

/// What the configuration says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Terms {
    /// From the first call to readiness.
    pub(crate) deadline: Duration,
    /// Active workers that it must have after a wake.
    pub(crate) min_workers: u32,
}

/// What is the case around it at that moment.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Around {
    /// Its group has demand.
    pub(crate) demand: bool,
    /// Queries that it has.
    pub(crate) load: u64,
}

/// What a probe said.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Look {
    /// This one.
    pub(crate) sign: Sign,
    /// With those before it.
    pub(crate) verdict: Verdict,
    /// Another process answered than before.
    pub(crate) restarted: bool,
}

/// What its group may expect of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Standing {
    /// It takes statements, or does so again as soon as it is wanted.
    Ready,
    /// It is on its way.
    Coming,
    /// It can be woken.
    Can,
    /// It will soon be known.
    Unknown,
    /// It cannot be woken now.
    Cannot,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum State {
    /// No probe has ended yet.
    Unknown,
    Asleep,
    /// `next`: when the driver is called; `None` while a call is under way.
    Requested {
        next: Option<Instant>,
    },
    /// `again`: when the driver is asked again unless there is a sign of life by then.
    Warming {
        again: Option<Instant>,
        alive: bool,
    },
    Ready {
        since: Instant,
    },
    Draining(Drain),
    Failed {
        until: Instant,
        why: Unavailable,
        words: Arc<str>,
    },
    HeldDown,
}

/// The machine.
#[derive(Clone, Debug)]
pub(crate) struct Wake {
    state: State,
    flight: Option<Flight>,
    calling: Option<CallId>,
    calls: CallId,
    /// Calls since it last was stable; they make the back-off.
    tries: u32,
    not_before: Option<Instant>,
    /// Resumes in a row that failed.
    failures: u32,
    /// Something answered the last probe.
    answers: bool,
    /// It was just suspended: what answers until then is the process that leaves.
    leaving: Option<Instant>,
    acts: Vec<Act>,
}

impl Default for Wake {
    fn default() -> Self {
        Self {
            state: State::Unknown,
            flight: None,
            calling: None,
            calls: 0,
            tries: 0,
            not_before: None,
            failures: 0,
            answers: false,
            leaving: None,
            acts: Vec::new(),
        }
    }
}

impl Wake {
    /// What must be done since the last call.
    pub(crate) fn take_acts(&mut self) -> Vec<Act> {
        std::mem::take(&mut self.acts)
    }

    /// What requests see of it.
    pub(crate) fn shown(&self) -> WakeState {
        match &self.state {
            State::Unknown | State::Asleep => WakeState::Asleep,
            State::Requested { .. } => WakeState::Requested,
            State::Warming { .. } => WakeState::Warming,
            State::Ready { .. } => WakeState::Ready,
            State::Draining(_) => WakeState::Draining,
            State::Failed { .. } => WakeState::Failed,
            State::HeldDown => WakeState::HeldDown,
        }
    }

    /// What its group may expect of it.
    pub(crate) fn standing(&self) -> Standing {
        match &self.state {
            State::Unknown => Standing::Unknown,
            State::Asleep => Standing::Can,
            State::Requested { .. } | State::Warming { .. } => Standing::Coming,
            State::Ready { .. } => Standing::Ready,
            State::Draining(drain) => drain.standing(),
            State::Failed { .. } | State::HeldDown => Standing::Cannot,
        }
    }

    /// Whether an operator keeps it down, or is about to.
    pub(crate) fn is_held(&self) -> bool {
        match &self.state {
            State::HeldDown => true,
            State::Draining(drain) => drain.held,
            _ => false,
        }
    }

    /// Why it could not be woken.
    pub(crate) fn failure(&self) -> Option<(Unavailable, Arc<str>)> {
        match &self.state {
            State::Failed { why, words, .. } => Some((*why, Arc::clone(words))),
            _ => None,
        }
    }

    /// Since when it is being woken.
    pub(crate) fn resuming_since(&self) -> Option<Instant> {
        self.flight.as_ref().map(|flight| flight.began)
    }

    /// The name and the attempt of the resume under way.
    pub(crate) fn flight(&self) -> Option<(&str, u32, bool)> {
        self.flight.as_ref().map(|it| (it.id.as_str(), it.attempts, it.by_hand.is_some()))
    }

    /// Whether it should be probed often.
    pub(crate) fn is_awaited(&self) -> bool {
        matches!(self.state, State::Requested { .. } | State::Warming { .. })
    }

    /// When `tick` next has something to do.
    pub(crate) fn due(&self) -> Option<Instant> {
        let deadline = self.flight.as_ref().map(|flight| flight.deadline);
        let next = match &self.state {
            State::Requested { next } => *next,
            State::Warming { again, .. } => *again,
            State::Failed { until, .. } => Some(*until),
            State::Draining(drain) => drain.due(),
            State::Unknown | State::Asleep | State::Ready { .. } | State::HeldDown => None,
        };
        deadline.into_iter().chain(next).min()
    }

    /// Its driver is another now: a resume under way goes on with that one.
    pub(crate) fn other_driver(&mut self, terms: Terms, now: Instant) {
        self.forgive();
        match &self.state {
            State::Requested { .. } | State::Warming { alive: false, .. } => {
                if let Some(flight) = &mut self.flight {
                    flight.deadline = now + terms.deadline;
                }
                self.calling = None;
                self.state = State::Requested { next: Some(now) };
            }
            State::Failed { .. } => self.state = State::Asleep,
            State::Draining(_) => self.drain_anew(now),
            _ => {}
        }
    }

    /// It has no driver any more, or nobody configures it: whatever was under way is over.
    pub(crate) fn give_up(&mut self, words: &str, now: Instant) {
        self.end(ResumeOutcome::Rejected, words, now);
        self.state = State::Unknown;
    }

    fn is_wanted(&self, around: Around, now: Instant) -> bool {
        let until = self.flight.as_ref().and_then(|flight| flight.by_hand);
        around.demand || until.is_some_and(|until| now < until)
    }

    fn note_demand(&mut self, around: Around, now: Instant) {
        let unwanted = !self.is_wanted(around, now);
        if let Some(flight) = &mut self.flight {
            flight.unwanted |= unwanted;
        }
    }

    fn last_words(&self, otherwise: &str) -> Arc<str> {
        let last = self.flight.as_ref().and_then(|flight| flight.words.clone());
        last.unwrap_or_else(|| otherwise.into())
    }

    fn forgive(&mut self) {
        (self.tries, self.not_before, self.failures) = (0, None, 0);
    }
}
