//! Who of a group is woken, and who is next.
//!
//! Demand is a level: a group that is wanted stays so until a backend of it takes statements, nobody waits any more,
//! or nothing can be done. Only a statement's report and an operator's hand make it wanted.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

use sluice_routing::{Availability, BackendName, GroupName};
use tokio::time::Instant;

use crate::{
    backends::{
        health::Sign,
        plan::PlannedGroup,
        probe::Outcome,
        record::Record,
        resume::{
            calls::Told,
            driver::{Accepted, CallError},
            learned::Learned,
            stats::Counts,
            wake::{Around, CallId, Look, Standing, Terms, Wake},
        },
        truth::{Truth, traced::Traced},
    },
    events::Event,
    metrics::{EventName, ResumeOutcome},
    snapshot::{Mark, Seat, WakeState},
};

/// What is known of a group between sleep and readiness.
#[derive(Debug, Default)]
pub(super) struct Waking {
    pub(super) want: Want,
    /// An operator keeps it down.
    pub(super) held: bool,
    /// Until then an operator's resume stands.
    pub(super) by_hand: Option<Instant>,
    pub(super) learned: Learned,
    pub(super) last_outcome: Option<ResumeOutcome>,
    pub(super) last_success: Option<SystemTime>,
    pub(super) traced: Traced,
}

/// Whether a group is wanted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Want {
    #[default]
    No,
    /// And nothing has been done yet.
    Fresh,
    /// Somebody is, or was, woken for it.
    Served,
}

impl Truth {
    /// A statement needs a backend of that group, and none takes it.
    pub(super) fn wanted(&mut self, group: &GroupName, now: Instant) {
        let waking = self.waking.entry(group.clone()).or_default();
        if waking.want == Want::No {
            waking.want = Want::Fresh;
        }
        self.lose_suspects(group, now);
        let by_hand = self.by_hand(group, now);
        let mut joins = false;
        for seat in self.candidates(group) {
            let terms = self.terms(seat);
            let Some((record, wake)) = self.waker(seat) else { continue };
            if wake.standing() == Standing::Coming {
                joins = true;
                tracing::debug!(
                    event = "resume_joined", routing_group = %group, backend = %record,
                    "a statement joins a resume"
                );
                wake.wanted(by_hand, terms, now);
            }
        }
        if joins {
            self.metrics.group(group.as_str()).resume_joined();
        }
        self.stir(group, now);
    }

    /// A statement was refused a connection by the only ones that are said to be ready: that is believed at once.
    fn lose_suspects(&mut self, group: &GroupName, now: Instant) {
        let seats = self.candidates(group);
        let takes = |truth: &Self, seat: &Seat| {
            truth.records.get(seat).is_some_and(|it| truth.takes(it) && !it.suspect)
        };
        if seats.iter().any(|seat| takes(self, seat)) {
            return;
        }
        for seat in seats {
            let Some(record) = self.records.get_mut(&seat).filter(|it| it.suspect) else {
                continue;
            };
            if let Some(wake) = &mut record.wake {
                wake.lost(now);
                self.changed = true;
            }
        }
    }

    fn takes(&self, record: &Record) -> bool {
        record.availability(self.mark_of(record.name())) == Availability::Ready
    }

    /// A probe has ended: its machine hears of it.
    pub(super) fn looked(&mut self, outcome: &Outcome, now: Instant) {
        let Some(record) = self.records.get_mut(&outcome.seat) else { return };
        if outcome.sign == Sign::Ready {
            record.suspect = false;
        }
        if record.wake.is_none() {
            return;
        }
        let (around, terms) = (self.around(outcome.seat), self.terms(outcome.seat));
        let Some(record) = self.records.get_mut(&outcome.seat) else { return };
        let look = Look {
            sign: outcome.sign,
            verdict: record.health.verdict(),
            restarted: outcome.seen.as_ref().is_some_and(|seen| seen.restarted),
        };
        if let Some(wake) = &mut record.wake {
            wake.probed(look, around, terms, now);
        }
        self.remember_waiting(outcome.seat);
    }

    /// Statements that wait behind others have wanted the group once; should all its backends go meanwhile, they
    /// want it still.
    fn remember_waiting(&mut self, seat: Seat) {
        let Some(group) = self.records.get(&seat).map(|record| record.group.clone()) else {
            return;
        };
        let can = self.waker(seat).is_some_and(|(_, wake)| wake.standing() == Standing::Can);
        let wanted = self.waking.get(&group).is_some_and(|waking| waking.want != Want::No);
        if !can || wanted {
            return;
        }
        let taken = |seat: &Seat| self.records.get(seat).is_some_and(|it| self.takes(it));
        if !self.candidates(&group).iter().any(taken) && self.demand.waits(&group) {
            self.waking.entry(group).or_default().want = Want::Served;
        }
    }

    /// A call, or a read of counts, has ended.
    pub(crate) fn told(&mut self, told: Told, now: Instant) {
        let seat = match &told {
            Told::Called(seat, ..) | Told::Counted(seat, _) => *seat,
        };
        let Some(group) = self.records.get(&seat).map(|record| record.group.clone()) else {
            return;
        };
        self.watch(seat, |truth| match told {
            Told::Called(seat, id, answer) => truth.called(seat, id, answer, now),
            Told::Counted(seat, counts) => truth.counted(seat, counts, now),
        });
        self.stir(&group, now);
    }

    fn called(
        &mut self,
        seat: Seat,
        id: CallId,
        answer: Result<Accepted, CallError>,
        now: Instant,
    ) {
        let around = self.around(seat);
        let Some((backend, wake)) = self.waker(seat) else { return };
        if let Err(error) = &answer {
            tracing::warn!(event = "resume_call_failed", %backend, %error, "the resume driver failed");
        }
        wake.answered(id, answer, around, now);
    }

    fn counted(&mut self, seat: Seat, counts: Result<Counts, String>, now: Instant) {
        let (around, terms) = (self.around(seat), self.terms(seat));
        let Some(record) = self.records.get_mut(&seat) else { return };
        let Some(wake) = &mut record.wake else { return };
        wake.workers(counts.as_ref().ok().map(|counts| counts.workers), terms, now);
        let queries = counts.map(|counts| counts.queries);
        if record.idle.counted(&queries, now)
            && let Err(words) = &queries
        {
            tracing::warn!(
                event = "suspend_blocked", backend = %record.planned.name,
                routing_group = %record.group, error = %words,
                "Trino's own counts cannot be read, so it is not suspended"
            );
            let words = format!("not put to sleep, as its own counts cannot be read: {words}");
            let event = Event::warning(EventName::SuspendBlocked, &words);
            self.events.tell(event.of(record.group.as_str(), record.planned.name.as_str()));
        }
        wake.counted(queries, around, now);
    }

    /// Does what the machines of a group put down, wakes one of it if it is wanted, and does what follows from that.
    pub(super) fn stir(&mut self, group: &GroupName, now: Instant) {
        let of_group = |(seat, record): (&Seat, &Record)| (record.group == *group).then_some(*seat);
        let seats: Vec<Seat> = self.records.iter().filter_map(of_group).collect();
        self.act(&seats, now);
        if self.waking.get(group).is_some_and(|waking| waking.want != Want::No) {
            let want = self.pursue(group, now);
            self.waking.entry(group.clone()).or_default().want = want;
        }
        self.act(&seats, now);
        self.retune(&seats);
    }

    /// The same for every group: after a reload.
    pub(super) fn stir_all(&mut self, now: Instant) {
        let groups: BTreeSet<GroupName> =
            self.records.values().map(|record| record.group.clone()).collect();
        groups.iter().for_each(|group| self.stir(group, now));
    }

    /// Wakes the first that can be woken, unless one takes statements or is on its way.
    fn pursue(&mut self, group: &GroupName, now: Instant) -> Want {
        let waking = self.waking.get(group);
        let want = waking.map(|waking| waking.want).unwrap_or_default();
        let by_hand = self.by_hand(group, now);
        let seats = self.candidates(group);
        if seats.iter().any(|seat| self.records.get(seat).is_some_and(|it| self.takes(it))) {
            return Want::No;
        }
        let standing = |truth: &mut Self, which| {
            let stands = |seat: &&Seat| {
                truth.waker(**seat).is_some_and(|(_, wake)| {
                    wake.standing() == which
                        && (which != Standing::Ready || wake.shown() == WakeState::Draining)
                })
            };
            seats.iter().find(stands).copied()
        };
        // One that was about to go to sleep is the nearest.
        if let Some(seat) = standing(self, Standing::Ready) {
            self.wake(seat, by_hand, now);
            return Want::No;
        }
        if standing(self, Standing::Coming).is_some() {
            return Want::Served;
        }
        if standing(self, Standing::Unknown).is_some() {
            return want;
        }
        let idle = want == Want::Served && by_hand.is_none() && self.demand.demand(group) == 0;
        match standing(self, Standing::Can).filter(|_| !idle) {
            Some(seat) => {
                self.wake(seat, by_hand, now);
                Want::Served
            }
            None => Want::No,
        }
    }

    fn wake(&mut self, seat: Seat, by_hand: Option<Instant>, now: Instant) {
        let terms = self.terms(seat);
        if let Some((_, wake)) = self.waker(seat) {
            wake.wanted(by_hand, terms, now);
            self.changed = true;
        }
    }

    /// Those of a group that may be woken for a statement, in the order of the file.
    fn candidates(&self, group: &GroupName) -> Vec<Seat> {
        let Some(group) = self.planned(group) else { return Vec::new() };
        let may = |record: &&Record| {
            record.planned.weight > 0 && self.mark_of(record.name()) == Mark::Active
        };
        self.members(group).filter(may).map(Record::seat).collect()
    }

    pub(super) fn planned(&self, group: &GroupName) -> Option<&PlannedGroup> {
        self.plan.group(group)
    }

    pub(super) fn around(&self, seat: Seat) -> Around {
        let Some(record) = self.records.get(&seat) else { return Around::default() };
        let demand = self.demand.demand(&record.group) > 0;
        Around { demand, load: record.live.load.get() }
    }

    pub(super) fn terms(&self, seat: Seat) -> Terms {
        let record = self.records.get(&seat);
        let resume = record.and_then(|record| record.planned.resume.as_ref());
        let group = record.and_then(|record| self.planned(&record.group));
        Terms {
            deadline: resume.map_or(Duration::ZERO, |resume| resume.deadline.get()),
            min_workers: group.map_or(0, |group| group.cold_start.min_workers),
        }
    }

    pub(super) fn by_hand(&self, group: &GroupName, now: Instant) -> Option<Instant> {
        self.waking.get(group)?.by_hand.filter(|until| now < *until)
    }

    pub(super) fn waker(&mut self, seat: Seat) -> Option<(&BackendName, &mut Wake)> {
        let record = self.records.get_mut(&seat)?;
        Some((&record.planned.name, record.wake.as_mut()?))
    }
}
