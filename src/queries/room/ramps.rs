//! How fast each backend of a group takes waiting statements: its slow start, and a pause after a failure.
//!
//! A backend that was ready when the room first looked is at work and has no slow start; one that becomes ready later
//! has just woken. A failure pauses it for a moment, since its state is known only after the next probe.

use std::{sync::Arc, time::Duration};

use ahash::AHashMap;
use sluice_routing::Ramp;
use tokio::time::Instant;

use super::pass::Attempt;
use crate::snapshot::{Backend, Seat};

/// After the first failure in a row; doubled with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

#[derive(Debug, Default)]
pub(super) struct Ramps {
    seats: AHashMap<Seat, Taking>,
    has_looked: bool,
}

#[derive(Debug)]
struct Taking {
    ramp: Ramp,
    is_ready: bool,
    failures: u32,
    paused_until: Option<Instant>,
}

impl Ramps {
    /// Sees who is ready now.
    pub(super) fn look(&mut self, members: &[Arc<Backend>], fleet: &sluice_routing::Group) {
        let is_first = !std::mem::replace(&mut self.has_looked, true);
        for (backend, member) in members.iter().zip(&fleet.members) {
            let is_ready = member.is_selectable();
            let taking = self.seats.entry(backend.live.seat).or_insert_with(|| Taking {
                ramp: if is_first && is_ready { Ramp::open() } else { Ramp::new() },
                is_ready,
                failures: 0,
                paused_until: None,
            });
            if is_ready && !taking.is_ready {
                taking.ramp.begin_again();
                taking.failures = 0;
                taking.paused_until = None;
            }
            taking.is_ready = is_ready;
        }
        if self.seats.len() > members.len() {
            let is_member = |seat: &Seat| members.iter().any(|member| member.live.seat == *seat);
            self.seats.retain(|seat, taking| is_member(seat) || taking.ramp.outstanding() > 0);
        }
    }

    /// The places in the group of those that get nothing now.
    pub(super) fn held_back(&self, members: &[Arc<Backend>], now: Instant) -> Vec<usize> {
        let takes = |backend: &Arc<Backend>| {
            self.seats.get(&backend.live.seat).is_some_and(|taking| taking.takes(now))
        };
        let places = members.iter().enumerate();
        places.filter(|(_, backend)| !takes(backend)).map(|(at, _)| at).collect()
    }

    pub(super) fn released(&mut self, seat: Seat) {
        if let Some(taking) = self.seats.get_mut(&seat) {
            taking.ramp.released();
        }
    }

    pub(super) fn came_to(&mut self, seat: Seat, attempt: Attempt, now: Instant) {
        let Some(taking) = self.seats.get_mut(&seat) else { return };
        match attempt {
            Attempt::Answered => {
                taking.ramp.answered();
                taking.failures = 0;
                taking.paused_until = None;
            }
            Attempt::Failed => {
                taking.ramp.failed();
                let pause = FIRST_PAUSE.saturating_mul(1 << taking.failures.min(8));
                taking.paused_until = Some(now + pause.min(LONGEST_PAUSE));
                taking.failures = taking.failures.saturating_add(1);
            }
            Attempt::NotMade => taking.ramp.returned(),
        }
    }

    pub(super) fn is_any_ready(&self) -> bool {
        self.seats.values().any(|taking| taking.is_ready)
    }

    /// When a ready backend that is paused now may be tried again.
    pub(super) fn next_retry(&self, now: Instant) -> Option<Instant> {
        let ready = self.seats.values().filter(|taking| taking.is_ready);
        ready.filter_map(|taking| taking.paused_until).filter(|until| *until > now).min()
    }
}

impl Taking {
    fn takes(&self, now: Instant) -> bool {
        self.ramp.may_release() && self.paused_until.is_none_or(|until| until <= now)
    }
}
