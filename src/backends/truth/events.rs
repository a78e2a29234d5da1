//! What is heard of a backend: probes, the data plane, operators, and time passing.

use std::{sync::atomic::Ordering, time::Duration};

use sluice_routing::{BackendName, CoordinatorId};
use tokio::time::Instant;

use crate::{
    backends::{
        circuit::{Gate, OPEN_FOR},
        health::Sign,
        jitter,
        probe::{Outcome, Seen},
        record::{Learned, Record},
        truth::{DRAIN_GRACE, Effect, Marked, Truth},
    },
    events::{Event, Events},
    metrics::{self, EventName},
    snapshot::{Circuit, Mark, Report, Seat},
};

/// An uptime is told in two digits behind the point of its unit, and was true a moment ago.
const UPTIME_SLACK: Duration = Duration::from_secs(1);

impl Truth {
    /// A probe has ended; mostly it says what the one before has said, and nothing is published.
    pub(crate) fn probed(&mut self, outcome: &Outcome, now: Instant) {
        let at_work = |record: &Record| record.retired.is_none();
        if let Some(group) = self.records.get(&outcome.seat).filter(|it| at_work(it)) {
            let group = group.group.clone();
            self.watch(outcome.seat, |truth| truth.take_in(outcome, now));
            self.stir(&group, now);
        }
    }

    fn take_in(&mut self, outcome: &Outcome, now: Instant) {
        let seat = outcome.seat;
        let Some(record) = self.records.get_mut(&seat) else { return };
        record.live.metrics.probed(outcome.result, outcome.took);
        record.live.last_check.set(outcome.at);
        record.probed = true;
        record.starting = outcome.sign == Sign::Starting;
        if record.no_tls != outcome.no_tls {
            record.no_tls.clone_from(&outcome.no_tls);
            tell_no_tls(record);
        }
        record.health.observe(outcome.sign, record.planned.limits);
        if outcome.capabilities.is_some() {
            record.capabilities = outcome.capabilities;
        }
        if record.gate.probed(outcome.began, outcome.alive, now + jitter::around(OPEN_FOR)) {
            tell_circuit(record, "probe", &self.events);
        }
        if let Some(seen) = &outcome.seen {
            self.seen(seat, seen, now);
        }
        self.looked(outcome, now);
    }

    /// A process answered: a new one starts with a clean circuit, and the old one's id is past.
    fn seen(&mut self, seat: Seat, seen: &Seen, now: Instant) {
        let Some(record) = self.records.get_mut(&seat) else { return };
        record.version.clone_from(&seen.version);
        if seen.restarted {
            tracing::info!(
                event = "backend_restarted", backend = %record.name(), routing_group = %record.group,
                "backend runs as a new process"
            );
            renew_circuit(record, &self.events);
        }
        match seen.identity.coordinator {
            Some(id) => self.coordinator(seat, id, now),
            None if seen.restarted => self.unlearn(seat, seen.identity.uptime, now),
            None => {}
        }
    }

    /// An older Trino restarted, which tells no id: the one that we know is past, unless an answer of the
    /// new process taught it.
    fn unlearn(&mut self, seat: Seat, uptime: Option<Duration>, now: Instant) {
        let Some(record) = self.records.get_mut(&seat) else { return };
        let runs_for = uptime.map(|uptime| uptime + UPTIME_SLACK);
        let of_new_process = |learned: &Learned| {
            runs_for.is_some_and(|runs_for| now.duration_since(learned.at) < runs_for)
        };
        if let Some(old) = record.coordinator.take_if(|learned| !of_new_process(learned)) {
            self.coordinators.died(old.id, seat, now);
        }
    }

    /// That process answers behind that backend.
    fn coordinator(&mut self, seat: Seat, id: CoordinatorId, now: Instant) {
        let Some(record) = self.records.get_mut(&seat) else { return };
        let old = record.coordinator.replace(Learned { id, at: now });
        if old.is_some_and(|old| old.id == id) {
            return;
        }
        if let Some(old) = old {
            self.coordinators.died(old.id, seat, now);
        }
        self.coordinators.lives(id, seat, record.name());
        self.changed = true;
    }

    /// The data plane noticed something.
    pub(crate) fn reported(&mut self, report: Report, now: Instant) {
        match report {
            Report::Unreachable(seat) => self.doubt(seat),
            Report::Tripped(seat) => self.tripped(seat, now),
            Report::Coordinator(seat, id) => self.taught(seat, id, now),
            Report::Wanted(group) => {
                self.lives.get(&group).into_iter().for_each(|live| live.heard());
                self.wanted(&group, now);
            }
        }
    }

    /// An answer taught a process; one of a process that died meanwhile is late and teaches nothing.
    fn taught(&mut self, seat: Seat, id: CoordinatorId, now: Instant) {
        let known = self.records.get(&seat).and_then(|record| record.coordinator);
        let late = known.is_some() && self.coordinators.is_past(id, seat);
        if !late && known.is_none_or(|known| known.id != id) {
            self.coordinator(seat, id, now);
            self.poke(seat);
        }
    }

    fn tripped(&mut self, seat: Seat, now: Instant) {
        let Some(record) = self.records.get_mut(&seat) else { return };
        if record.gate.trip(now + jitter::around(OPEN_FOR)) {
            tell_circuit(record, "failures", &self.events);
            self.changed = true;
        }
    }

    /// Whether it is lost is for a probe to say, or for the next statement that wants its group.
    fn doubt(&mut self, seat: Seat) {
        self.records.get_mut(&seat).into_iter().for_each(|record| record.suspect = true);
        self.poke(seat);
    }

    fn poke(&mut self, seat: Seat) {
        if self.records.get(&seat).is_some_and(|record| record.retired.is_none()) {
            self.effects.push(Effect::Poke(seat));
        }
    }

    /// An operator marks a configured backend; `None` if there is none of that name.
    pub(crate) fn mark(&mut self, name: &str, mark: Mark, now: Instant) -> Option<Mark> {
        let name = BackendName::parse(name)?;
        let record = self.holders.get(&name).and_then(|seat| self.records.get(seat))?;
        if record.retired.is_some() {
            return None;
        }
        let group = record.group.clone();
        if self.mark_of(&name) != mark {
            self.marks.insert(name, Marked { mark, since: now });
            self.changed = true;
            // Statements may have waited for just this one.
            self.stir(&group, now);
        }
        Some(mark)
    }

    /// Does what time alone brings about.
    pub(crate) fn tick(&mut self, now: Instant) {
        self.half_open(now);
        self.end_drains(now);
        self.release(now);
        self.rest(now);
        self.changed |= self.coordinators.expire(now);
    }

    fn half_open(&mut self, now: Instant) {
        for (seat, record) in &mut self.records {
            if record.gate.half_open(now) {
                tell_circuit(record, "time", &self.events);
                self.effects.push(Effect::Poke(*seat));
                self.changed = true;
            }
        }
    }

    /// A draining backend has left when its load is truly 0, never before.
    fn end_drains(&mut self, now: Instant) {
        for (name, marked) in &mut self.marks {
            let load = self
                .holders
                .get(name)
                .and_then(|seat| self.records.get(seat))
                .map_or(0, |record| record.live.load.get());
            let drained = load == 0 && marked.since + DRAIN_GRACE <= now;
            if marked.mark == Mark::Draining && drained {
                *marked = Marked { mark: Mark::Inactive, since: now };
                self.changed = true;
            }
        }
    }
}

/// Failures of a dead process say nothing about the next one.
fn renew_circuit(record: &mut Record, events: &Events) {
    record.live.failures.store(0, Ordering::Relaxed);
    if record.gate != Gate::Closed {
        record.gate = Gate::Closed;
        tell_circuit(record, "restart", events);
    }
}

/// Why no TLS connection came about, once for each reason.
fn tell_no_tls(record: &Record) {
    let (backend, routing_group) = (record.name(), &record.group);
    if let Some(why) = &record.no_tls {
        tracing::warn!(
            event = "backend_tls_failed", %backend, %routing_group, error_type = metrics::UpstreamError::Tls.as_str(),
            error = %why, "no TLS connection to the backend"
        );
    }
}

/// Tells metrics, log and events of a changed circuit.
fn tell_circuit(record: &Record, reason: &str, events: &Events) {
    let (backend, routing_group) = (record.name(), &record.group);
    match record.gate.shown() {
        Circuit::Closed => {
            record.live.failures.store(0, Ordering::Relaxed);
            record.live.metrics.circuit(metrics::Circuit::Closed);
            tracing::info!(event = "circuit_closed", %backend, %routing_group, reason, "circuit closed");
        }
        Circuit::HalfOpen => record.live.metrics.circuit(metrics::Circuit::HalfOpen),
        Circuit::Open => {
            record.live.metrics.circuit(metrics::Circuit::Open);
            tracing::warn!(event = "circuit_opened", %backend, %routing_group, reason, "circuit opened");
            let words = format!("no new statements after {reason}");
            let event = Event::warning(EventName::CircuitOpened, &words);
            events.tell(event.of(routing_group.as_str(), backend.as_str()));
        }
    }
}
