//! What the log hears of faults: the first, then how many there were since, so that a lost store does not fill it.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::store::{Fault, Kind};

/// Between two lines about faults.
const FAULTS: Duration = Duration::from_secs(10);
/// Between two lines about values that are not ours: nothing is lost by them.
const FOREIGN: Duration = Duration::from_secs(60);

/// Tells now and then.
#[derive(Debug, Default)]
pub(super) struct Telling {
    faults: Mutex<Since>,
    foreign: Mutex<Since>,
}

/// What was not told yet.
#[derive(Debug, Default)]
struct Since {
    told: Option<Instant>,
    count: u64,
}

impl Since {
    /// One more; how many there were since the last line, if it is time for another.
    fn due(&mut self, pause: Duration, now: Instant) -> Option<u64> {
        self.count += 1;
        if self.told.is_some_and(|told| now < told + pause) {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.count))
    }
}

impl Telling {
    pub(super) fn fault(&self, fault: &Fault) {
        if let Some(count) = due(&self.faults, FAULTS) {
            tracing::error!(event = "store_error", count, problem = %fault, "the store failed");
        }
    }

    pub(super) fn foreign(&self, kind: Kind) {
        if let Some(count) = due(&self.foreign, FOREIGN) {
            let kind = kind.as_str();
            tracing::error!(
                event = "store_foreign",
                kind,
                count,
                "somebody else's values stand under our keys; they are ignored"
            );
        }
    }
}

fn due(since: &Mutex<Since>, pause: Duration) -> Option<u64> {
    since.lock().unwrap_or_else(PoisonError::into_inner).due(pause, Instant::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_and_then_how_many_there_were() {
        let (mut since, now) = (Since::default(), Instant::now());
        assert_eq!(since.due(FAULTS, now), Some(1));
        assert_eq!(since.due(FAULTS, now), None);
        assert_eq!(since.due(FAULTS, now + FAULTS), Some(2));
    }
}
