//! The time, looked at once for what is done in one go.
//!
//! A request wants to know the time a dozen times between two waits: when its deadlines fall, when its query was asked for, when a line
//! went back to the idle ones. On a virtual machine each look costs some 40 ns, and none of them need be more exact than the
//! work in between takes. So whoever begins a stretch of work that waits for nothing says so ([`begin`]); within it
//! [`recent`] is the time of the last look, and outside always a look of its own. What is measured to be shown asks [`now`].
//! Nothing here waits, and no clock runs by itself.

use std::{cell::Cell, time::Duration};

use tokio::time::Instant;

/// Further away than anything that is waited for: 30 years, as tokio's own.
const FAR: Duration = Duration::from_secs(30 * 365 * 86_400);

#[derive(Clone, Copy)]
enum Known {
    /// Nobody has said that he waits for nothing.
    Outside,
    /// Somebody has, and has not looked at the clock yet.
    Begun,
    At(Instant),
}

thread_local! {
    static KNOWN: Cell<Known> = const { Cell::new(Known::Outside) };
}

/// A stretch of work that waits for nothing; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Stretch(());

/// Begins a stretch of work on this thread; its first look at the clock is a real one.
pub(crate) fn begin() -> Stretch {
    KNOWN.set(Known::Begun);
    Stretch(())
}

impl Drop for Stretch {
    fn drop(&mut self) {
        KNOWN.set(Known::Outside);
    }
}

/// The time exactly.
pub(crate) fn now() -> Instant {
    let now = Instant::now();
    if !matches!(KNOWN.get(), Known::Outside) {
        KNOWN.set(Known::At(now));
    }
    now
}

/// The time at the last look in this stretch of work.
pub(crate) fn recent() -> Instant {
    match KNOWN.get() {
        Known::At(known) => known,
        Known::Begun | Known::Outside => now(),
    }
}

/// How long ago that was, at the last look.
pub(crate) fn since(then: Instant) -> Duration {
    recent().saturating_duration_since(then)
}

/// So long after [`recent`].
pub(crate) fn after(time: Duration) -> Instant {
    let recent = recent();
    recent.checked_add(time).unwrap_or_else(|| recent + FAR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn within_a_stretch_time_stands_still_until_somebody_looks_closely() {
        let first = recent();
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(recent() - first, Duration::from_secs(1), "outside it does not");
        let stretch = begin();
        let begun = recent();
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(recent(), begun);
        assert_eq!(now() - begun, Duration::from_secs(1));
        assert_eq!(recent() - begun, Duration::from_secs(1), "that look is known to all");
        drop(stretch);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(recent() - begun, Duration::from_secs(2));
    }

    #[tokio::test(start_paused = true)]
    async fn each_stretch_looks_for_itself() {
        let first = begin();
        let then = recent();
        drop(first);
        tokio::time::advance(Duration::from_secs(1)).await;
        let _second = begin();
        assert_eq!(recent() - then, Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_too_far_is_only_far() {
        assert!(after(Duration::MAX) > Instant::now() + FAR / 2);
        assert_eq!(after(Duration::from_secs(3)) - Instant::now(), Duration::from_secs(3));
    }
}
