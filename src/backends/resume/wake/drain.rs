//! The way of a wake machine to sleep: drained first, then the driver is called, by itself or by an operator's hand.
//!
//! By itself (idle) it turns back at the first sign of demand, and when Trino's own counts are not zero or cannot be
//! read. By hand it waits for the queries that are there, takes no new ones, and stays down until an operator says
//! otherwise.

use std::time::Duration;

use tokio::time::Instant;

use super::{Act, Answered, Around, Standing, State, Wake, rouse::rest};
use crate::{
    backends::{
        health::Verdict,
        jitter,
        resume::driver::{Action, CallError},
    },
    metrics::ResumeOutcome,
};

/// A statement that chose the backend just before needs this long to be counted.
pub(super) const GRACE: Duration = Duration::from_secs(1);

/// How often a load that nobody announces is looked at.
const WATCH_LOAD: Duration = Duration::from_millis(250);

/// How often Trino is asked for queries that do not come through us.
const WATCH_COUNTS: Duration = Duration::from_secs(5);

/// Reading the counts takes some requests, each with its own deadline.
const COUNT_DEADLINE: Duration = Duration::from_secs(30);

/// A process that is told to stop may answer for so long.
pub(super) const LEAVING: Duration = Duration::from_secs(60);

/// Calls of a suspend by hand before it is left at taking no statements.
const MOST_TRIES: u32 = 10;

/// Trino's own running, blocked and queued queries, or why they cannot be read.
pub(crate) type Counted = Result<u64, String>;

/// On its way to sleep.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Drain {
    /// By an operator's hand.
    pub(super) held: bool,
    since: Instant,
    step: Step,
    tries: u32,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Step {
    /// Its last queries run.
    Emptying { look: Instant },
    /// Trino is asked for its own counts.
    Counting { until: Instant },
    /// The driver is called; the call has its own deadline.
    Calling,
    /// It is called again then.
    Resting { until: Instant },
}

impl Drain {
    fn new(held: bool, now: Instant) -> Self {
        Self { held, since: now, step: Step::Emptying { look: now + GRACE }, tries: 0 }
    }

    pub(super) fn standing(&self) -> Standing {
        match (self.held, self.step) {
            (true, _) => Standing::Cannot,
            (false, Step::Calling | Step::Resting { .. }) => Standing::Unknown,
            (false, _) => Standing::Ready,
        }
    }

    pub(super) fn due(&self) -> Option<Instant> {
        match self.step {
            Step::Emptying { look } => Some(look),
            Step::Counting { until } | Step::Resting { until } => Some(until),
            Step::Calling => None,
        }
    }
}

impl Wake {
    /// It has been idle for long enough.
    pub(crate) fn drain(&mut self, now: Instant) {
        if let State::Ready { .. } = self.state {
            self.state = State::Draining(Drain::new(false, now));
        }
    }

    /// An operator puts it to sleep.
    pub(crate) fn hold(&mut self, now: Instant) {
        if self.flight.is_some() {
            self.end(ResumeOutcome::Rejected, "an operator suspended the group", now);
        }
        match &mut self.state {
            State::Draining(drain) => drain.held = true,
            State::HeldDown => {}
            state => *state = State::Draining(Drain::new(true, now)),
        }
    }

    /// Held down from the start: its group is.
    pub(crate) fn keep_down(&mut self) {
        if matches!(self.state, State::Unknown | State::Asleep) {
            self.state = State::HeldDown;
        }
    }

    /// An operator no longer keeps it down; probes have said that of it meanwhile.
    pub(crate) fn free(&mut self, verdict: Verdict, now: Instant) {
        self.forgive();
        let ready = verdict == Verdict::Up && self.leaving.is_none();
        match &mut self.state {
            State::Draining(drain) if drain.held && drain.step == Step::Calling => {
                drain.held = false;
            }
            State::Draining(Drain { held: true, .. }) | State::HeldDown if ready => {
                self.state = State::Ready { since: now };
            }
            State::Draining(Drain { held: true, .. }) | State::HeldDown | State::Failed { .. } => {
                self.state = State::Asleep
            }
            _ => {}
        }
    }

    pub(super) fn undo_drain(&mut self, now: Instant) {
        if let State::Draining(drain) = &self.state
            && drain.standing() == Standing::Ready
        {
            self.state = State::Ready { since: now };
        }
    }

    /// Its driver is another now, so that a call under way says nothing.
    pub(super) fn drain_anew(&mut self, now: Instant) {
        self.calling = None;
        if let State::Draining(drain) = &self.state {
            let held = drain.held;
            self.state = if held {
                State::Draining(Drain::new(true, now))
            } else {
                State::Ready { since: now }
            };
        }
    }

    pub(super) fn probed_in_drain(&mut self, verdict: Verdict, now: Instant) {
        let State::Draining(drain) = &self.state else { return };
        match (drain.standing(), verdict) {
            (Standing::Ready, Verdict::Down) => self.state = State::Asleep,
            (Standing::Ready, Verdict::Starting) => self.undo_drain(now),
            _ => {}
        }
    }

    pub(super) fn tick_drain(&mut self, around: Around, now: Instant) {
        let State::Draining(drain) = &mut self.state else { return };
        let used = around.demand || around.load > 0;
        if !drain.held && used {
            return self.undo_drain(now);
        }
        match drain.step {
            Step::Emptying { look } if look <= now => {
                let grace = drain.since + GRACE;
                drain.step = Step::Emptying { look: (now + WATCH_LOAD).max(grace) };
                if around.load == 0 && grace <= now {
                    drain.step = Step::Counting { until: now + COUNT_DEADLINE };
                    self.acts.push(Act::Count);
                }
            }
            Step::Counting { until } if until <= now => {
                self.counted(Err("no answer in time".to_owned()), around, now);
            }
            Step::Resting { until } if until <= now => self.call_suspend(now),
            _ => {}
        }
    }

    /// Trino told its own counts.
    pub(crate) fn counted(&mut self, counted: Counted, around: Around, now: Instant) {
        let State::Draining(drain) = &mut self.state else { return };
        if !matches!(drain.step, Step::Counting { .. }) {
            return;
        }
        let used = around.load > 0 || counted.as_ref().is_ok_and(|queries| *queries > 0);
        match (drain.held, counted) {
            (true, _) if used => drain.step = Step::Emptying { look: now + WATCH_COUNTS },
            // Who suspends by hand answers for it.
            (true, _) => self.call_suspend(now),
            (false, Ok(_)) if !used && !around.demand => self.call_suspend(now),
            (false, _) => self.state = State::Ready { since: now },
        }
    }

    fn call_suspend(&mut self, now: Instant) {
        if let State::Draining(drain) = &mut self.state {
            drain.step = Step::Calling;
            drain.tries = drain.tries.saturating_add(1);
            self.call(Action::Suspend, now);
        }
    }

    pub(super) fn suspend_answered(&mut self, answer: Answered, now: Instant) {
        let State::Draining(drain) = &mut self.state else { return };
        let (held, tries) = (drain.held, drain.tries);
        match answer {
            Ok(_) => {
                // Where nothing answered, no process is there to leave, and the next one to answer is a new one.
                self.leaving = self.answers.then_some(now + LEAVING);
                self.acts.push(Act::Suspended);
                self.forgive();
                self.state = if held { State::HeldDown } else { State::Asleep };
            }
            Err(CallError::Transient { .. } | CallError::Timeout) if held && tries < MOST_TRIES => {
                drain.step = Step::Resting { until: now + jitter::around(rest(tries)) };
            }
            Err(error) => {
                self.acts.push(Act::NotSuspended(error.to_string().into()));
                self.state = if held { State::HeldDown } else { State::Ready { since: now } };
            }
        }
    }
}
