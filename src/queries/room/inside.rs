//! What a waiting room's lock guards: who sits there, in which order they go, and how fast backends take them.
//!
//! Nothing is told, counted or dropped under the lock: that is put on a list of errands, to be run outside of it.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
};

use sluice_routing::Queue;
use tokio::{sync::oneshot, time::Instant};

use super::{
    Pass, Waiting,
    ending::{GaveUp, Outcome, Why},
    pass::Attempt,
    ramps::Ramps,
};
use crate::{
    config::units::Span,
    metrics::Unavailable,
    queries::{Lease, ledger::Awaiting},
    snapshot::{Backend, Group},
};

/// A statement that has failed so often gives up its turn each time it fails again: the others go first.
const PATIENT: u32 = 3;

/// What a request is told that waits for a statement's turn.
#[derive(Debug)]
pub(super) enum Word {
    /// Its turn.
    Go(Box<Pass>),
    /// A newer request waits in its place.
    Later,
    /// The process is leaving: answer with a page, and the client goes on elsewhere.
    Leave,
    /// The statement waits no more.
    Over,
}

/// One statement's place.
#[derive(Debug)]
pub(super) struct Chair {
    pub(super) waiting: Arc<Waiting>,
    /// The request that waits for its turn, and which one of all it is.
    pub(super) parked: Option<(u64, oneshot::Sender<Word>)>,
    pub(super) is_dispatching: bool,
    pub(super) _awaits_place: Awaiting,
}

/// What is done once the lock is open again.
#[derive(Debug, Default)]
#[must_use = "clients wait for it"]
pub(super) struct Errands {
    ended: Vec<Arc<Waiting>>,
    told: Vec<(oneshot::Sender<Word>, Word)>,
}

#[derive(Debug, Default)]
pub(super) struct Inside {
    pub(super) queue: Queue<u64>,
    pub(super) chairs: BTreeMap<u64, Chair>,
    pub(super) ramps: Ramps,
    pub(super) bytes: u64,
    requests: u64,
}

impl Errands {
    /// Counts are right before anybody is told.
    pub(super) fn run(self) {
        self.ended.iter().for_each(|waiting| waiting.settle());
        for (tell, word) in self.told {
            if let Err(Word::Go(pass)) = tell.send(word) {
                pass.returned(None);
            }
        }
    }
}

impl Inside {
    pub(super) fn sit_down(&mut self, waiting: &Arc<Waiting>, user: &str, awaits_place: Awaiting) {
        self.queue.enter(user, waiting.ticket);
        self.bytes = self.bytes.saturating_add(waiting.bytes);
        let chair = Chair {
            waiting: Arc::clone(waiting),
            parked: None,
            is_dispatching: false,
            _awaits_place: awaits_place,
        };
        self.chairs.insert(waiting.ticket, chair);
    }

    /// A request waits for a statement's turn, in the place of an older one; `None` if the statement waits no more.
    pub(super) fn park(
        &mut self,
        ticket: u64,
        tell: oneshot::Sender<Word>,
        errands: &mut Errands,
    ) -> Option<u64> {
        let chair = self.chairs.get_mut(&ticket)?;
        self.requests += 1;
        if let Some((_, older)) = chair.parked.replace((self.requests, tell)) {
            errands.told.push((older, Word::Later));
        }
        chair.waiting.with_lease(Lease::client_here);
        self.queue.arrive(ticket);
        Some(self.requests)
    }

    /// A request waits no more.
    pub(super) fn unpark(&mut self, ticket: u64, number: u64, now: Instant) {
        let Some(chair) = self.chairs.get_mut(&ticket) else { return };
        if chair.parked.take_if(|(parked, _)| *parked == number).is_some() {
            chair.waiting.see(now);
            chair.waiting.with_lease(|lease| lease.client_away(now));
            self.queue.depart(ticket);
        }
    }

    /// A statement waits no more. Says whether it did until now.
    pub(super) fn end(&mut self, ticket: u64, outcome: Outcome, errands: &mut Errands) -> bool {
        let Some(chair) = self.chairs.remove(&ticket) else { return false };
        self.queue.leave(ticket);
        self.bytes = self.bytes.saturating_sub(chair.waiting.bytes);
        chair.waiting.end(outcome);
        errands.told.extend(chair.parked.map(|(_, tell)| (tell, Word::Over)));
        errands.ended.push(chair.waiting);
        true
    }

    /// Everybody but those that are being sent: whether these go on is not the room's to say.
    pub(super) fn end_all(&mut self, gave_up: &GaveUp, errands: &mut Errands) {
        for ticket in self.not_dispatching(|_| true) {
            self.end(ticket, Outcome::GaveUp(gave_up.clone()), errands);
        }
    }

    /// The process is leaving. Those that other replicas can take over, or can once a page is given out, stay; the
    /// requests that wait for their turn are told.
    pub(super) fn leave_all(&mut self, gave_up: &GaveUp, may_page: bool, errands: &mut Errands) {
        let ends = |chair: &Chair| {
            let waiting = &chair.waiting;
            !waiting.is_stored() && (waiting.has_page() || !may_page)
        };
        for ticket in self.not_dispatching(ends) {
            self.end(ticket, Outcome::GaveUp(gave_up.clone()), errands);
        }
        for chair in self.chairs.values_mut().filter(|chair| !chair.is_dispatching) {
            if let Some((_, tell)) = chair.parked.take() {
                self.queue.depart(chair.waiting.ticket);
                errands.told.push((tell, Word::Leave));
            }
        }
    }

    /// Another replica has it, unless it is being sent from here.
    pub(super) fn let_go(&mut self, ticket: u64, errands: &mut Errands) -> bool {
        if self.chairs.get(&ticket).is_none_or(|chair| chair.is_dispatching) {
            return false;
        }
        let Some(chair) = self.chairs.remove(&ticket) else { return false };
        self.queue.leave(ticket);
        self.bytes = self.bytes.saturating_sub(chair.waiting.bytes);
        errands.told.extend(chair.parked.map(|(_, tell)| (tell, Word::Later)));
        true
    }

    /// Those that have waited too long. Tickets grow, so the oldest come first.
    pub(super) fn end_overdue(&mut self, group: &Group, now: Instant, errands: &mut Errands) {
        let deadline = group.cold_start.deadline.get();
        let is_overdue =
            |chair: &Chair| now.saturating_duration_since(chair.waiting.entered) >= deadline;
        let overdue: Vec<u64> = self
            .waiting()
            .take_while(|chair| is_overdue(chair))
            .map(|chair| chair.waiting.ticket)
            .collect();
        for ticket in overdue {
            let outcome = Outcome::GaveUp(self.too_late(group));
            self.end(ticket, outcome, errands);
        }
    }

    /// Those whose clients have not been heard of for so long.
    pub(super) fn end_silent(&mut self, now: Instant, within: Span, errands: &mut Errands) {
        let is_silent =
            |chair: &Chair| chair.parked.is_none() && chair.waiting.silence(now) >= within.get();
        for ticket in self.not_dispatching(is_silent) {
            let gave_up = GaveUp::new(Why::Expired, format!("nobody asked for it for {within}"));
            self.end(ticket, Outcome::GaveUp(gave_up), errands);
        }
    }

    /// As many as may go now, in their order.
    pub(super) fn release(
        &mut self,
        group: &Group,
        fleet: &sluice_routing::Group,
        now: Instant,
        errands: &mut Errands,
    ) {
        while self.queue.is_anybody_there() && !is_full(group, fleet) {
            let held_back = self.ramps.held_back(&group.members, now);
            let free = |(at, member): (usize, &sluice_routing::Member)| {
                member.is_selectable() && !held_back.contains(&at)
            };
            if !fleet.members.iter().enumerate().any(free) {
                return;
            }
            let Some(ticket) = self.queue.serve() else { return };
            if !self.dispatch(ticket, group, fleet, held_back, errands) {
                self.queue.give_back(ticket);
                self.queue.arrive(ticket);
                return;
            }
        }
    }

    /// A pass came back unused, or its attempt failed.
    pub(super) fn take_back(
        &mut self,
        ticket: u64,
        backend: &Backend,
        lease: Lease,
        attempt: Attempt,
        now: Instant,
    ) -> Option<Lease> {
        self.ramps.came_to(backend.live.seat, attempt, now);
        let Some(chair) = self.chairs.get_mut(&ticket).filter(|chair| chair.is_dispatching) else {
            return Some(lease);
        };
        chair.is_dispatching = false;
        match attempt {
            Attempt::Answered => lease.shut_out(),
            Attempt::Failed | Attempt::NotMade => lease.client_away(now),
        }
        chair.waiting.see(now);
        chair.waiting.keep_lease(lease);
        if attempt == Attempt::Failed && chair.waiting.has_failed_at(backend) >= PATIENT {
            self.queue.forfeit(ticket);
        } else {
            self.queue.give_back(ticket);
        }
        if chair.parked.is_some() {
            chair.waiting.with_lease(Lease::client_here);
            self.queue.arrive(ticket);
        }
        None
    }

    /// When the next one is overdue, or a backend that failed may be tried again.
    pub(super) fn next_look(&self, group: &Group, now: Instant) -> Option<Instant> {
        let oldest = self.waiting().next()?;
        let overdue = oldest.waiting.entered + group.cold_start.deadline.get();
        Some(self.ramps.next_retry(now).map_or(overdue, |retry| retry.min(overdue)))
    }

    fn dispatch(
        &mut self,
        ticket: u64,
        group: &Group,
        fleet: &sluice_routing::Group,
        held_back: Vec<usize>,
        errands: &mut Errands,
    ) -> bool {
        let Some(chair) = self.chairs.get_mut(&ticket) else { return false };
        let failed_at = chair.waiting.failed_at.load(Ordering::Relaxed);
        let user = chair.waiting.user();
        let Some((backend, load)) =
            super::choice::take(group, fleet, user.as_deref(), held_back, failed_at)
        else {
            return false;
        };
        let Some(statement) = chair.waiting.statement().map(Arc::new) else { return false };
        let Some((_, tell)) = chair.parked.take() else { return false };
        chair.is_dispatching = true;
        self.ramps.released(backend.live.seat);
        let pass = Pass::new(backend, Arc::clone(&chair.waiting), statement, load);
        errands.told.push((tell, Word::Go(Box::new(pass))));
        true
    }

    fn waiting(&self) -> impl Iterator<Item = &Chair> {
        self.chairs.values().filter(|chair| !chair.is_dispatching)
    }

    fn not_dispatching(&self, which: impl Fn(&Chair) -> bool) -> Vec<u64> {
        self.waiting().filter(|chair| which(chair)).map(|chair| chair.waiting.ticket).collect()
    }

    fn too_late(&self, group: &Group) -> GaveUp {
        let deadline = group.cold_start.deadline;
        if group.wake.has_driver && !self.ramps.is_any_ready() {
            let words = format!("no coordinator became ready within {deadline}");
            return GaveUp::new(Why::Unavailable(Unavailable::ResumeTimeout), words);
        }
        let words = format!("no place became free within {deadline}");
        GaveUp::new(Why::Unavailable(Unavailable::QueueTimeout), words)
    }
}

fn is_full(group: &Group, fleet: &sluice_routing::Group) -> bool {
    group.cold_start.max_running.is_some_and(|most| {
        fleet.members.iter().map(|member| member.load.get()).sum::<u64>() >= most
    })
}
