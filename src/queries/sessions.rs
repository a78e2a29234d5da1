//! Who was active of late: distinct users, by source and client address, for one gauge.
//!
//! Only a hash of the three and the second of the last statement are kept, for a bounded time and a bounded number:
//! all three come from outside. Polls are not looked at; they would cost a look-up each and tell nothing new of most.

use std::{
    hash::Hash,
    net::IpAddr,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use dashmap::DashMap;
use tokio::time::Instant;

/// `gateway_active_sessions` counts who sent a statement within this time.
const ACTIVE: Duration = Duration::from_secs(15 * 60);

/// Above this many nobody new is counted until old ones have gone: a megabyte or two.
const MOST: usize = 100_000;

/// A full map is searched for old entries at most so often: the search costs a walk over all of it.
const SEARCH_SECONDS: u64 = 1;

/// Distinct users, by source and client address.
#[derive(Debug)]
pub struct Sessions {
    last: DashMap<u64, u64, ahash::RandomState>,
    hasher: ahash::RandomState,
    searched: AtomicU64,
    /// Moments are kept as seconds since then.
    began: Instant,
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            last: DashMap::default(),
            hasher: ahash::RandomState::new(),
            searched: AtomicU64::new(0),
            began: Instant::now(),
        }
    }
}

impl Sessions {
    /// A statement came.
    pub fn seen(&self, user: Option<&str>, source: Option<&str>, client: IpAddr, now: Instant) {
        let key = self.hash((user, source, client));
        let now = self.seconds(now);
        if let Some(mut last) = self.last.get_mut(&key) {
            *last = now;
            return;
        }
        if self.last.len() >= MOST {
            self.make_room(now);
        }
        if self.last.len() < MOST {
            self.last.insert(key, now);
        }
    }

    /// How many were active of late; who was not is forgotten.
    pub fn active(&self, now: Instant) -> u64 {
        self.forget_old(self.seconds(now));
        self.last.len() as u64
    }

    fn make_room(&self, now: u64) {
        let searched = self.searched.load(Relaxed);
        let may = now.saturating_sub(searched) >= SEARCH_SECONDS;
        if may && self.searched.compare_exchange(searched, now, Relaxed, Relaxed).is_ok() {
            self.forget_old(now);
        }
    }

    fn forget_old(&self, now: u64) {
        self.last.retain(|_, last| now.saturating_sub(*last) <= ACTIVE.as_secs());
    }

    fn hash(&self, session: impl Hash) -> u64 {
        self.hasher.hash_one(session)
    }

    fn seconds(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.began).as_secs()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[tokio::test(start_paused = true)]
    async fn obs_m4_sessions_are_distinct_users_sources_and_addresses() {
        let sessions = Sessions::default();
        let now = Instant::now();
        let elsewhere = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
        for _ in 0..3 {
            sessions.seen(Some("alice"), None, HOME, now);
            sessions.seen(Some("alice"), Some("dbt"), HOME, now);
            sessions.seen(Some("bob"), None, HOME, now);
            sessions.seen(Some("bob"), None, elsewhere, now);
        }
        assert_eq!(sessions.active(now), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_not_active_for_15_minutes_counts_no_more() {
        let sessions = Sessions::default();
        sessions.seen(Some("alice"), None, HOME, Instant::now());
        sessions.seen(Some("bob"), None, HOME, Instant::now());
        tokio::time::advance(ACTIVE).await;
        sessions.seen(Some("bob"), None, HOME, Instant::now());
        assert_eq!(sessions.active(Instant::now()), 2);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(sessions.active(Instant::now()), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn their_number_is_bounded_and_old_ones_make_room() {
        let sessions = Sessions::default();
        for user in 0..MOST + 10 {
            sessions.seen(Some(&user.to_string()), None, HOME, Instant::now());
        }
        assert_eq!(sessions.active(Instant::now()), MOST as u64);
        tokio::time::advance(ACTIVE + Duration::from_secs(2)).await;
        sessions.seen(Some("alice"), None, HOME, Instant::now());
        assert_eq!(sessions.active(Instant::now()), 1);
    }
}
