//! What probes tell a wake machine, and its way into readiness.

use tokio::time::Instant;

use super::{Act, Around, Look, State, Terms, Wake, flight::Flight};
use crate::{
    backends::health::{Sign, Verdict},
    metrics::{ColdStartPhase, ResumeOutcome},
};

impl Wake {
    /// A probe has ended.
    pub(crate) fn probed(&mut self, look: Look, around: Around, terms: Terms, now: Instant) {
        self.answers = look.sign != Sign::Failed;
        if !self.believes(look, now) {
            return;
        }
        let up = look.sign == Sign::Ready && look.verdict == Verdict::Up;
        match (look.verdict, &self.state) {
            (_, State::HeldDown) => {}
            (verdict, State::Draining(_)) => self.probed_in_drain(verdict, now),
            _ if up => self.up(terms, now),
            (Verdict::Starting, _) if look.sign == Sign::Starting => self.starting(terms, now),
            (Verdict::Down, _) => self.down(now),
            _ => {}
        }
        self.note_demand(around, now);
    }

    /// The process that was just suspended answers for a while yet.
    fn believes(&mut self, look: Look, now: Instant) -> bool {
        let Some(until) = self.leaving else { return true };
        let gone = look.sign == Sign::Failed || look.restarted || until <= now;
        if gone {
            self.leaving = None;
        }
        gone
    }

    fn up(&mut self, terms: Terms, now: Instant) {
        match &self.state {
            State::Ready { .. } => {}
            State::Unknown => self.state = State::Ready { since: now },
            _ if terms.min_workers == 0 => self.ready(now),
            _ => self.await_workers(terms, now),
        }
    }

    fn await_workers(&mut self, terms: Terms, now: Instant) {
        let flight = self.flight.get_or_insert_with(|| Flight::new(terms, now));
        flight.up.get_or_insert(now);
        self.state = State::Warming { again: None, alive: true };
        self.acts.push(Act::Count);
    }

    /// Trino told its workers, or would not: then it is believed to have enough.
    pub(crate) fn workers(&mut self, active: Option<u64>, terms: Terms, now: Instant) {
        let up = self.flight.as_ref().and_then(|flight| flight.up);
        let enough = active.is_none_or(|active| active >= u64::from(terms.min_workers));
        if let (Some(up), true, State::Warming { .. }) = (up, enough, &self.state) {
            self.acts.push(Act::Phase(ColdStartPhase::Workers, now.duration_since(up)));
            self.ready(now);
        }
    }

    pub(super) fn ready(&mut self, now: Instant) {
        if let Some(flight) = self.flight.take_if(|flight| flight.ours) {
            let up = flight.up.unwrap_or(now);
            let since = flight.accepted.unwrap_or(flight.began);
            self.acts.push(Act::Phase(ColdStartPhase::Coordinator, up.duration_since(since)));
            self.acts.push(Act::Ended(flight.ended(ResumeOutcome::Success, "", now)));
        }
        self.flight = None;
        self.failures = 0;
        self.calling = None;
        self.state = State::Ready { since: now };
    }

    pub(super) fn starting(&mut self, terms: Terms, now: Instant) {
        if matches!(self.state, State::Failed { .. }) {
            return;
        }
        self.flight.get_or_insert_with(|| Flight::new(terms, now)).up = None;
        self.state = State::Warming { again: None, alive: true };
    }

    /// Nothing answers there.
    fn down(&mut self, now: Instant) {
        match &self.state {
            State::Unknown => self.state = State::Asleep,
            State::Ready { .. } => self.lost(now),
            State::Warming { alive: true, .. } => self.went_back(now),
            _ => {}
        }
    }

    /// It lived, and is gone again: ours is asked for again, another's is given up.
    fn went_back(&mut self, now: Instant) {
        let Some(flight) = self.flight.as_mut().filter(|flight| flight.ours) else {
            self.flight = None;
            self.state = State::Asleep;
            return;
        };
        (flight.up, flight.accepted) = (None, None);
        let next = self.not_before.map_or(now, |then| then.max(now));
        self.state = State::Requested { next: self.calling.is_none().then_some(next) };
    }
}
