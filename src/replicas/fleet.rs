//! The sum over all replicas, from what each said last. Pure: reports and time are arguments.
//!
//! A replica that is not heard of any more keeps its last value, since its queries live on in Trino: until others have
//! taken them over or five minutes have passed (rules L10 and L11). What moves from one to another is told by both, one
//! after the other and in either order; so each pair is settled here: who let go adds until the other's word
//! is known, who took over subtracts. The sum is never below the truth for longer than one report is under way.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use super::report::{Incarnation, Moved, Report, Share, moved};
use crate::queries::ledger::Demand;

#[cfg(test)]
mod tests;

/// Who says nothing new for so long, while the store can be read, is lost: fifteen reports.
const LOST_AFTER: Duration = Duration::from_secs(3);

/// The queries of a lost replica are counted for so long unless somebody takes them over: by then Trino has given up
/// what nobody asks for.
pub(super) const KEPT_FOR: Duration = Duration::from_secs(300);

/// How a replica is, as far as its reports tell.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Standing {
    /// It serves, and tells of itself.
    Living,
    /// It is on its way out: its queries may be taken over.
    Leaving,
    /// It has not been heard of for a while.
    Lost,
    /// Never heard of, or so long ago that it is forgotten.
    Unknown,
}

/// What is known of the other replicas.
#[derive(Debug, Default)]
pub(super) struct Peers {
    known: BTreeMap<Incarnation, Peer>,
    /// When reports were last read; everything is measured against that, since who cannot read hears of nobody.
    read_at: Option<Instant>,
    /// Those that were forgotten, for as long as others may speak of them: when, and their last report's number.
    forgotten: BTreeMap<Incarnation, (Instant, u64)>,
}

#[derive(Debug)]
struct Peer {
    report: Report,
    /// When its last report came.
    heard: Instant,
    /// Whether it has been heard of more than once: whoever has not may have been lost long ago.
    is_proven: bool,
}

impl Peers {
    /// Takes in all reports that there are; the own one is not among them.
    pub(super) fn read(&mut self, reports: Vec<Report>, now: Instant) {
        self.read_at = Some(now);
        let present: Vec<Incarnation> = reports.iter().map(|report| report.incarnation).collect();
        for report in reports {
            self.hear(report, now);
        }
        let forgotten = &mut self.forgotten;
        self.known.retain(|incarnation, peer| {
            let age = now.saturating_duration_since(peer.heard);
            // Of one that never spoke again only its value was found: it is known as long as that lasts.
            let stays = age < KEPT_FOR && (peer.is_proven || present.contains(incarnation));
            if !stays {
                forgotten.insert(*incarnation, (now, peer.report.sequence));
            }
            stays
        });
        forgotten.retain(|_, (at, _)| now.saturating_duration_since(*at) < 2 * KEPT_FOR);
    }

    fn hear(&mut self, report: Report, now: Instant) {
        // Its value may outlive it in the store: it stays forgotten unless it says something new.
        let is_old = self.was_forgotten_with(&report);
        match self.known.get_mut(&report.incarnation) {
            Some(peer) if report.sequence > peer.report.sequence => {
                *peer = Peer { report, heard: now, is_proven: true };
            }
            Some(_) => {}
            None if is_old => {}
            None => {
                let incarnation = report.incarnation;
                self.forgotten.remove(&incarnation);
                self.known.insert(incarnation, Peer { report, heard: now, is_proven: false });
            }
        }
    }

    fn was_forgotten_with(&self, report: &Report) -> bool {
        let told = self.forgotten.get(&report.incarnation);
        told.is_some_and(|(_, sequence)| report.sequence <= *sequence)
    }

    /// Whether what is known is no older than a lost replica's value may be.
    pub(super) fn is_known(&self, now: Instant) -> bool {
        self.read_at.is_some_and(|at| now.saturating_duration_since(at) < KEPT_FOR)
    }

    /// How a replica is.
    pub(super) fn standing(&self, incarnation: Incarnation) -> Standing {
        let Some(peer) = self.known.get(&incarnation) else { return Standing::Unknown };
        let silent =
            self.read_at.map_or(Duration::ZERO, |at| at.saturating_duration_since(peer.heard));
        match peer.report.leaving {
            _ if silent > LOST_AFTER => Standing::Lost,
            true => Standing::Leaving,
            false => Standing::Living,
        }
    }

    /// How many serve.
    pub(super) fn living(&self) -> usize {
        let lives = |incarnation: &&Incarnation| self.standing(**incarnation) == Standing::Living;
        self.known.keys().filter(lives).count()
    }

    /// The number of a replica's last report.
    pub(super) fn sequence(&self, incarnation: Incarnation) -> Option<u64> {
        self.known.get(&incarnation).map(|peer| peer.report.sequence)
    }

    /// What each said last.
    pub(super) fn said(&self) -> impl Iterator<Item = &Report> {
        self.known.values().map(|peer| &peer.report)
    }

    /// What the others want, without what changes by itself.
    pub(super) fn wants(&self) -> Vec<(Incarnation, Box<str>, u64, bool)> {
        let mut all = Vec::new();
        for report in self.said() {
            all.extend(report.groups.iter().map(|(group, share)| {
                (report.incarnation, group.clone(), share.living, share.unmet > 0)
            }));
        }
        all
    }

    /// Whether nobody counts its last value any more, not even who came late.
    pub(super) fn is_long_gone(&self, incarnation: Incarnation) -> bool {
        let at = self.forgotten.get(&incarnation).zip(self.read_at);
        at.is_some_and(|((at, _), now)| now.saturating_duration_since(*at) > KEPT_FOR)
    }

    /// Whether it was known once, and its last value counts no more.
    pub(super) fn is_forgotten(&self, incarnation: Incarnation) -> bool {
        self.forgotten.contains_key(&incarnation)
    }

    /// Whether any of the others had a query of the group at work at that moment or later.
    pub(super) fn has_run_since(&self, group: &str, then: Instant) -> bool {
        self.known.values().any(|peer| {
            let ran = peer.report.groups.get(group).and_then(|share| share.ran);
            let ran = ran.and_then(|ago| peer.heard.checked_sub(Duration::from_millis(ago)));
            ran.is_some_and(|at| at >= then)
        })
    }

    /// The numbers of a group over all replicas; `own` is what this one would say now.
    pub(super) fn sum(&self, own: &Report, group: &str, now: Instant) -> Demand {
        let mut sum = Sum::default();
        sum.add(self.settled(own, own, group), Duration::ZERO);
        for peer in self.known.values() {
            let age = now.saturating_duration_since(peer.heard);
            sum.add(self.settled(&peer.report, own, group), age);
        }
        sum.total()
    }

    /// The share of one replica, those taken out that others have taken over.
    fn settled(&self, of: &Report, own: &Report, group: &str) -> Share {
        let share = of.groups.get(group).copied().unwrap_or_default();
        let (mut came, mut went) = (Moved::default(), Moved::default());
        for (to, groups) in &of.let_go {
            if !self.is_forgotten(*to) {
                came = plus(came, groups.get(group).copied().unwrap_or_default());
            }
        }
        let others = self.known.values().map(|peer| &peer.report).chain([own]);
        for other in others.filter(|other| other.incarnation != of.incarnation) {
            went = plus(went, moved(&other.adopted, of.incarnation, group));
        }
        share.with(came, went)
    }
}

impl Share {
    fn with(self, came: Moved, went: Moved) -> Self {
        let resuming = (self.resuming + came.waiting).saturating_sub(went.waiting);
        let all = (self.running + self.queued + came.queries).saturating_sub(went.queries);
        // Nobody says in which state they moved: those that queue are the last to be taken out.
        let queued = self.queued.min(all);
        let running = all - queued;
        Self {
            resuming,
            queued,
            running,
            at_work: self.at_work.min(running),
            living: (self.living + came.waiting + came.queries)
                .saturating_sub(went.waiting + went.queries),
            ..self
        }
    }
}

fn plus(one: Moved, other: Moved) -> Moved {
    Moved { queries: one.queries + other.queries, waiting: one.waiting + other.waiting }
}

#[derive(Debug, Default)]
struct Sum {
    demand: Demand,
    is_unmet: bool,
    lingers: bool,
}

impl Sum {
    /// A share that is so old.
    fn add(&mut self, share: Share, age: Duration) {
        let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        let Self { demand, is_unmet, lingers } = self;
        demand.resuming += share.resuming;
        demand.queued += share.queued;
        demand.running += share.running;
        demand.at_work += share.at_work;
        demand.demand += share.living;
        *is_unmet |= share.unmet > age;
        *lingers |= share.linger > age;
    }

    /// One for all that were refused, and one in all that lingers: who waits at two replicas wants one coordinator.
    fn total(self) -> Demand {
        let mut demand = self.demand;
        demand.in_flight = demand.resuming + demand.queued + demand.running;
        demand.is_unmet = self.is_unmet;
        demand.demand += u64::from(self.is_unmet);
        demand.lingers = demand.demand == 0 && self.lingers;
        demand.demand += u64::from(demand.lingers);
        demand
    }
}
