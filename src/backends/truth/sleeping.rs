//! Who goes to sleep: backends that are idle, and groups that an operator suspends.

use sluice_routing::{Availability, BackendName, GroupName};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

use crate::{
    backends::{
        plan::PlannedGroup,
        record::Record,
        resume::{
            idle::{Follows, Idle},
            wake::Wake,
        },
        truth::{Effect, Truth, waking::Want},
    },
    metrics::Unavailable,
    snapshot::{GroupWake, Mark, Seat, WakeState},
};

/// What an operator said by hand is not undone by itself for so long.
const BY_HAND: Duration = Duration::from_secs(60);

/// A backend of a group that an operator resumed or suspended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Steered {
    /// Its name.
    pub backend: BackendName,
    /// Where it stands now.
    pub state: WakeState,
}

/// Why a group was neither resumed nor suspended.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotSteered {
    /// The configuration names no such group.
    #[error("no routing group is called `{0}`")]
    UnknownGroup(String),
    /// Nothing wakes its backends.
    #[error("no backend of the routing group `{0}` has a resume driver")]
    NoDriver(String),
    /// The gateway is stopping.
    #[error("the gateway is stopping")]
    Stopping,
}

impl Truth {
    /// An operator wakes a group: it is no longer held down, and for a while needs no demand.
    pub(crate) fn resume(&mut self, group: &str, now: Instant) -> Result<Vec<Steered>, NotSteered> {
        let (group, seats) = self.steered(group)?;
        let waking = self.waking.entry(group.clone()).or_default();
        (waking.held, waking.by_hand, waking.want) = (false, Some(now + BY_HAND), Want::Fresh);
        for seat in &seats {
            let Some(record) = self.records.get_mut(seat) else { continue };
            record.idle.busy();
            let verdict = record.health.verdict();
            if let Some(wake) = &mut record.wake {
                wake.free(verdict, now);
            }
            self.effects.push(Effect::Poke(*seat));
        }
        self.stir(&group, now);
        Ok(self.stand(&seats))
    }

    /// An operator puts a group to sleep; it stays so until an operator resumes it.
    ///
    /// It takes no new statement from now on; those that it has run to their end before a driver is called.
    pub(crate) fn suspend(
        &mut self,
        group: &str,
        now: Instant,
    ) -> Result<Vec<Steered>, NotSteered> {
        let (group, seats) = self.steered(group)?;
        let waking = self.waking.entry(group.clone()).or_default();
        (waking.held, waking.by_hand, waking.want) = (true, None, Want::No);
        for seat in &seats {
            if let Some((_, wake)) = self.waker(*seat) {
                wake.hold(now);
            }
        }
        self.stir(&group, now);
        Ok(self.stand(&seats))
    }

    /// The same was said at another replica: what sleeps here stays so, and no driver is called for it.
    pub(crate) fn keep_down(
        &mut self,
        group: &str,
        now: Instant,
    ) -> Result<Vec<Steered>, NotSteered> {
        let (_, seats) = self.steered(group)?;
        for seat in &seats {
            if let Some((_, wake)) = self.waker(*seat) {
                wake.keep_down();
            }
        }
        self.suspend(group, now)
    }

    fn steered(&self, group: &str) -> Result<(GroupName, Vec<Seat>), NotSteered> {
        let planned = GroupName::parse(group).and_then(|name| self.planned(&name));
        let Some(planned) = planned else {
            return Err(NotSteered::UnknownGroup(group.to_owned()));
        };
        let driven = self.members(planned).filter(|record| record.wake.is_some());
        let seats: Vec<Seat> = driven.map(Record::seat).collect();
        if seats.is_empty() {
            return Err(NotSteered::NoDriver(group.to_owned()));
        }
        Ok((planned.name.clone(), seats))
    }

    fn stand(&mut self, seats: &[Seat]) -> Vec<Steered> {
        self.changed = true;
        let records = seats.iter().filter_map(|seat| self.records.get(seat));
        records
            .filter_map(|record| {
                let state = record.wake.as_ref()?.shown();
                Some(Steered { backend: record.name().clone(), state })
            })
            .collect()
    }

    /// The machines hear that time has passed, and backends that are idle for long enough go to sleep.
    pub(super) fn rest(&mut self, now: Instant) {
        let seats: Vec<(Seat, GroupName)> =
            self.records.iter().map(|(seat, record)| (*seat, record.group.clone())).collect();
        for (seat, group) in seats {
            // Demand is counted only when it matters: that walks over all queries.
            let due = self.waker(seat).and_then(|(_, wake)| wake.due());
            if due.is_some_and(|due| due <= now) {
                self.watch(seat, |truth| truth.tick_one(seat, now));
                self.stir(&group, now);
            }
            if self.rest_one(seat, now) {
                self.stir(&group, now);
            }
        }
    }

    fn tick_one(&mut self, seat: Seat, now: Instant) {
        let around = self.around(seat);
        self.waker(seat).into_iter().for_each(|(_, wake)| wake.tick(around, now));
    }

    /// Whether it begins to go to sleep.
    fn rest_one(&mut self, seat: Seat, now: Instant) -> bool {
        let Some(after) = self.sleeps_after(seat) else { return false };
        let Some(record) = self.records.get(&seat) else { return false };
        let used = record.live.load.get() > 0
            || self.by_hand(&record.group, now).is_some()
            || self.demand.is_used(&record.group);
        let Some(record) = self.records.get_mut(&seat) else { return false };
        if used {
            record.idle.busy();
            return false;
        }
        let follows = record.idle.quiet(after, now);
        match follows {
            Follows::Nothing => {}
            Follows::Count => self.effects.push(Effect::Count(seat)),
            Follows::Sleep => {
                record.idle.busy();
                record.wake.iter_mut().for_each(|wake| wake.drain(now));
                self.changed = true;
            }
        }
        follows == Follows::Sleep
    }

    /// The idle time after which it is put to sleep, if it is ready and ever is.
    fn sleeps_after(&self, seat: Seat) -> Option<Duration> {
        let record = self.records.get(&seat).filter(|record| record.retired.is_none())?;
        let ready = record.wake.as_ref()?.shown() == WakeState::Ready;
        let active = self.mark_of(record.name()) == Mark::Active;
        let after = self.planned(&record.group)?.suspend.as_ref()?.after_idle;
        (ready && active).then_some(after.get())
    }

    /// When `rest` next has something to do.
    pub(super) fn next_rest(&self, now: Instant) -> Option<Instant> {
        let due = self.records.values().filter_map(|record| record.wake.as_ref()?.due());
        let idle = self.records.keys().filter_map(|seat| self.sleeps_after(*seat));
        due.chain(idle.map(|after| Idle::due(after, now))).min()
    }

    /// Its driver came, changed or went with a new configuration.
    pub(super) fn rewire(&mut self, seat: Seat, now: Instant) {
        let terms = self.terms(seat);
        let Some(record) = self.records.get_mut(&seat) else { return };
        let held = self.waking.get(&record.group).is_some_and(|waking| waking.held);
        let new = record.planned.resume.clone().filter(|_| record.retired.is_none());
        let old = std::mem::replace(&mut record.driven_by, new.clone());
        match (&mut record.wake, new) {
            (None, Some(_)) => {
                let mut wake = Wake::default();
                if held {
                    wake.keep_down();
                }
                record.wake = Some(wake);
                self.effects.push(Effect::Poke(seat));
            }
            (Some(wake), Some(_)) => {
                if old != record.driven_by {
                    wake.other_driver(terms, now);
                }
                // It may have come from another group.
                match (held, wake.is_held()) {
                    (true, false) => wake.hold(now),
                    (false, true) => wake.free(record.health.verdict(), now),
                    _ => {}
                }
            }
            (Some(wake), None) => {
                wake.give_up("its driver is no longer configured", now);
                self.act(&[seat], now);
                if let Some(record) = self.records.get_mut(&seat) {
                    record.wake = None;
                }
            }
            (None, None) => {}
        }
    }

    /// What requests see of a group between sleep and readiness.
    pub(super) fn group_wake(&self, group: &PlannedGroup) -> GroupWake {
        let waking = self.waking.get(&group.name);
        let wakes = || self.members(group).filter_map(|record| record.wake.as_ref());
        let awaited = wakes().filter(|wake| wake.is_awaited());
        GroupWake {
            has_driver: wakes().next().is_some(),
            resuming_since: awaited.filter_map(Wake::resuming_since).min(),
            usual: waking.and_then(|waking| waking.learned.p90()),
            hopeless: self.hopeless(group),
            last_outcome: waking.and_then(|waking| waking.last_outcome),
            last_success: waking.and_then(|waking| waking.last_success),
        }
    }

    fn hopeless(&self, group: &PlannedGroup) -> Option<(Unavailable, Arc<str>)> {
        let members = || self.members(group).filter(|record| record.planned.weight > 0);
        let all: Vec<Availability> =
            members().map(|it| it.availability(self.mark_of(it.name()))).collect();
        let may = [
            Availability::Ready,
            Availability::Asleep,
            Availability::Starting,
            Availability::CircuitOpen,
        ];
        if all.iter().any(|each| may.contains(each)) {
            return None;
        }
        if all.contains(&Availability::HeldDown) {
            let words = "an operator suspended it, and it stays so until an operator resumes it";
            return Some((Unavailable::HeldDown, words.into()));
        }
        let failed = members().filter_map(|record| record.wake.as_ref()?.failure()).next();
        let draining = || (Unavailable::Draining, "its backends are draining".into());
        let none = || (Unavailable::NoBackend, "none of its backends can be reached".into());
        let drains = all.contains(&Availability::Draining);
        Some(failed.unwrap_or_else(|| if drains { draining() } else { none() }))
    }
}
