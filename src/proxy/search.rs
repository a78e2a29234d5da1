//! The bounded search for the owner of an id that nothing points at: few backends, few times a second, one at a
//! time for each coordinator id, and misses are remembered (peers G14: bogus ids must not be amplified).
//!
//! A miss concerns the very path that was asked: a wrong slug or a forgotten query says nothing of the other queries
//! of the same coordinator.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use dashmap::DashMap;
use sluice_routing::{BackendName, CoordinatorId, GroupName};
use tokio::{sync::OwnedMutexGuard, time::Instant};

/// How many backends one request may be tried on.
pub(crate) const MOST_BACKENDS: usize = 4;

/// How many searches a group bears in a second.
const PER_SECOND: u32 = 10;

/// How long a backend's 404 is believed.
const MISS: Duration = Duration::from_secs(30);

/// Bogus ids come in any number; above this many the old ones go first.
const MOST_REMEMBERED: usize = 10_000;

/// A path by its hash, so that no slug is kept.
type Fingerprint = u64;

/// What is known of searches under way and of those that found nothing.
#[derive(Debug, Default)]
pub(crate) struct Search {
    misses: DashMap<(BackendName, Fingerprint), Instant, ahash::RandomState>,
    hasher: ahash::RandomState,
    flights: DashMap<CoordinatorId, Arc<tokio::sync::Mutex<()>>, ahash::RandomState>,
    budgets: DashMap<GroupName, Mutex<Budget>, ahash::RandomState>,
}

#[derive(Debug)]
struct Budget {
    second: Instant,
    spent: u32,
}

impl Search {
    /// Whether that backend has just said that it knows nothing of that path.
    pub(crate) fn has_missed(&self, backend: &BackendName, path: &str) -> bool {
        let asked = (backend.clone(), self.hasher.hash_one(path));
        self.misses.get(&asked).is_some_and(|at| at.elapsed() < MISS)
    }

    /// Remembers such an answer.
    pub(crate) fn missed(&self, backend: &BackendName, path: &str) {
        if self.misses.len() >= MOST_REMEMBERED {
            self.misses.retain(|_, at| at.elapsed() < MISS);
        }
        if self.misses.len() < MOST_REMEMBERED {
            let asked = (backend.clone(), self.hasher.hash_one(path));
            self.misses.insert(asked, Instant::now());
        }
    }

    /// Waits until no other request searches for the same coordinator id.
    pub(crate) async fn alone(&self, id: CoordinatorId) -> OwnedMutexGuard<()> {
        if self.flights.len() >= MOST_REMEMBERED {
            self.flights.retain(|_, flight| Arc::strong_count(flight) > 1);
        }
        let flight = Arc::clone(&self.flights.entry(id).or_default());
        flight.lock_owned().await
    }

    /// Whether the group may be searched once more in this second.
    pub(crate) fn may_ask(&self, group: &GroupName) -> bool {
        let fresh = || Mutex::new(Budget { second: Instant::now(), spent: 0 });
        let budget = self.budgets.entry(group.clone()).or_insert_with(fresh);
        let Ok(mut budget) = budget.lock() else { return false };
        if budget.second.elapsed() >= Duration::from_secs(1) {
            *budget = Budget { second: Instant::now(), spent: 0 };
        }
        budget.spent += 1;
        budget.spent <= PER_SECOND
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn peers_g14_searches_are_rationed_and_misses_believed_for_a_while() {
        let search = Search::default();
        let group = GroupName::parse("g").unwrap();
        assert_eq!((0..30).filter(|_| search.may_ask(&group)).count(), 10);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(search.may_ask(&group));
        let backend = BackendName::parse("a").unwrap();
        search.missed(&backend, "/v1/query/q1");
        assert!(search.has_missed(&backend, "/v1/query/q1"));
        assert!(!search.has_missed(&backend, "/v1/query/q2"));
        tokio::time::advance(MISS).await;
        assert!(!search.has_missed(&backend, "/v1/query/q1"));
    }
}
