//! Which coordinator process lives, or lived, behind which backend: the suffix of its query ids.
//!
//! A suffix of a dead process is kept for an hour, so that its ids still get that backend's own 404. Suffixes are
//! drawn at random and may clash: one that two backends claim is used for neither. A backend whose address changed
//! and that still shows the old suffix is the same process: the newer address has it.

use std::time::Duration;

use ahash::AHashMap;
use sluice_routing::{BackendName, CoordinatorId};
use tokio::time::Instant;

use crate::snapshot::Seat;

/// How long the suffix of a dead process is kept.
pub(crate) const KEEP_PAST: Duration = Duration::from_secs(3600);

/// All claims to suffixes.
#[derive(Debug, Default)]
pub(crate) struct Coordinators(AHashMap<CoordinatorId, Vec<Claim>>);

/// One backend showed that suffix; in the order of showing.
#[derive(Debug)]
struct Claim {
    seat: Seat,
    name: BackendName,
    past: Option<Instant>,
}

impl Coordinators {
    /// The process with that suffix answers behind that backend.
    pub(crate) fn lives(&mut self, id: CoordinatorId, seat: Seat, name: &BackendName) {
        let claims = self.0.entry(id).or_default();
        claims.retain(|claim| claim.seat != seat);
        claims.push(Claim { seat, name: name.clone(), past: None });
        if claims.iter().any(|claim| claim.name != *name) {
            tracing::warn!(backend = %name, coordinator = %id, "two backends show one coordinator id: it routes nothing");
        }
    }

    /// That process no longer answers there.
    pub(crate) fn died(&mut self, id: CoordinatorId, seat: Seat, now: Instant) {
        let claims = self.0.get_mut(&id).into_iter().flatten();
        for claim in claims.filter(|claim| claim.seat == seat) {
            claim.past = Some(now);
        }
    }

    /// Whether that process was seen to have died behind that backend.
    pub(crate) fn is_past(&self, id: CoordinatorId, seat: Seat) -> bool {
        let mut claims = self.0.get(&id).into_iter().flatten();
        claims.any(|claim| claim.seat == seat && claim.past.is_some())
    }

    /// The backend is gone, and all its processes with it.
    pub(crate) fn forget(&mut self, seat: Seat) {
        self.keep(|claim| claim.seat != seat);
    }

    /// Drops processes that are dead for an hour; says whether there were any.
    pub(crate) fn expire(&mut self, now: Instant) -> bool {
        self.keep(|claim| claim.past.is_none_or(|past| past + KEEP_PAST > now))
    }

    /// When `expire` next has something to do.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        self.0.values().flatten().filter_map(|claim| claim.past).min().map(|past| past + KEEP_PAST)
    }

    /// Every suffix that belongs to one backend only.
    pub(crate) fn owners(&self) -> impl Iterator<Item = (CoordinatorId, Seat)> {
        self.0.iter().filter_map(|(id, claims)| {
            let last = claims.last()?;
            let agreed = claims.iter().all(|claim| claim.name == last.name);
            agreed.then_some((*id, last.seat))
        })
    }

    fn keep(&mut self, wanted: impl Fn(&Claim) -> bool) -> bool {
        let before = self.0.values().flatten().count();
        self.0.retain(|_, claims| {
            claims.retain(&wanted);
            !claims.is_empty()
        });
        before != self.0.values().flatten().count()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn id(text: &str) -> CoordinatorId {
        CoordinatorId::parse(text).unwrap()
    }

    fn name(text: &str) -> BackendName {
        BackendName::parse(text).unwrap()
    }

    fn owner(coordinators: &Coordinators, of: &str) -> Option<Seat> {
        coordinators.owners().find(|(each, _)| *each == id(of)).map(|(_, seat)| seat)
    }

    #[test]
    fn a_suffix_of_two_backends_routes_nothing_until_one_is_forgotten() {
        let mut all = Coordinators::default();
        all.lives(id("abcde"), Seat(1), &name("a"));
        assert_eq!(owner(&all, "abcde"), Some(Seat(1)));
        all.lives(id("abcde"), Seat(2), &name("b"));
        assert_eq!(owner(&all, "abcde"), None);
        all.forget(Seat(1));
        assert_eq!(owner(&all, "abcde"), Some(Seat(2)));
    }

    #[test]
    fn the_newer_address_of_a_name_has_the_process_that_both_showed() {
        let mut all = Coordinators::default();
        all.lives(id("abcde"), Seat(1), &name("a"));
        all.lives(id("abcde"), Seat(2), &name("a"));
        assert_eq!(owner(&all, "abcde"), Some(Seat(2)));
    }

    #[test]
    fn a_dead_process_is_known_for_an_hour() {
        let start = Instant::now();
        let mut all = Coordinators::default();
        all.lives(id("abcde"), Seat(1), &name("a"));
        assert_eq!(all.next_expiry(), None);
        all.died(id("abcde"), Seat(1), start);
        let end = start + KEEP_PAST;
        assert_eq!(all.next_expiry(), Some(end));
        assert!(!all.expire(end - Duration::from_secs(1)));
        assert_eq!(owner(&all, "abcde"), Some(Seat(1)));
        assert!(all.expire(end));
        assert_eq!(owner(&all, "abcde"), None);
    }
}
