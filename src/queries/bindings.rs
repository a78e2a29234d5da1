//! What belongs to one coordinator without carrying a query id: transactions and OAuth2 exchanges.
//!
//! Transactions live in the memory of one coordinator; an OAuth2 exchange is polled where its 401 was made. Both
//! are kept for a bounded time and a bounded number: these ids come from outside.

use std::{sync::Mutex, time::Duration};

use dashmap::DashMap;
use sluice_routing::BackendName;
use tokio::time::Instant;

/// Above this many nothing new is bound until old ties have gone: anybody may ask for any number of challenges. Each
/// kind has a map of its own, so that challenges cannot keep transactions out.
const MOST: usize = 100_000;

/// A full map is searched for old ties at most so often: the search costs a walk over all of it.
const SEARCH: Duration = Duration::from_secs(1);

/// Trino ends an idle transaction after 5 minutes (`transaction.idle-timeout`) and an OAuth2 challenge after 15.
pub const KEPT: Duration = Duration::from_secs(15 * 60);

/// Opaque names that are tied to a backend.
#[derive(Debug, Default)]
pub struct Bindings {
    names: DashMap<String, Bound, ahash::RandomState>,
    searched: Mutex<Option<Instant>>,
}

#[derive(Clone, Debug)]
struct Bound {
    backend: BackendName,
    used: Instant,
}

impl Bindings {
    /// Ties a name to a backend, or renews the tie.
    pub fn bind(&self, name: &str, backend: &BackendName) {
        if self.names.len() >= MOST {
            self.make_room(Instant::now());
        }
        if self.names.len() < MOST {
            self.names
                .insert(name.to_owned(), Bound { backend: backend.clone(), used: Instant::now() });
        }
    }

    fn make_room(&self, now: Instant) {
        let Ok(mut searched) = self.searched.try_lock() else { return };
        if searched.is_none_or(|last| now.saturating_duration_since(last) >= SEARCH) {
            *searched = Some(now);
            self.forget_old(now);
        }
    }

    /// The backend of a name; asking renews the tie.
    pub fn owner(&self, name: &str) -> Option<BackendName> {
        let mut bound = self.names.get_mut(name)?;
        bound.used = Instant::now();
        Some(bound.backend.clone())
    }

    /// Drops what nobody asked for.
    pub fn forget_old(&self, now: Instant) {
        self.names.retain(|_, bound| now.saturating_duration_since(bound.used) < KEPT);
    }

    /// How many ties there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_tie_lives_as_long_as_it_is_asked_for() {
        let bindings = Bindings::default();
        let a = BackendName::parse("a").unwrap();
        bindings.bind("tx", &a);
        tokio::time::advance(Duration::from_secs(14 * 60)).await;
        assert_eq!(bindings.owner("tx"), Some(a));
        tokio::time::advance(Duration::from_secs(14 * 60)).await;
        bindings.forget_old(Instant::now());
        assert_eq!(bindings.len(), 1);
        tokio::time::advance(Duration::from_secs(2 * 60)).await;
        bindings.forget_old(Instant::now());
        assert!(bindings.is_empty());
    }
}
