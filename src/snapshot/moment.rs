//! A time of day that moves while the snapshot stands: for people, so that milliseconds do.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Never, until it is set. Its value is that of the clock on the wall and orders nothing.
#[derive(Debug, Default)]
pub struct Moment(AtomicU64);

impl Moment {
    /// Moves it.
    pub fn set(&self, at: SystemTime) {
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        self.0.store(millis, Ordering::Relaxed);
    }

    /// Where it stands.
    pub fn get(&self) -> Option<SystemTime> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            millis => UNIX_EPOCH.checked_add(Duration::from_millis(millis)),
        }
    }

    /// One that stands where this one does.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self(AtomicU64::new(self.0.load(Ordering::Relaxed)))
    }
}
