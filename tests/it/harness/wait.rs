//! Waiting for a state, with a deadline.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, timeout};

/// How often a state is looked at.
const LOOK: Duration = Duration::from_millis(5);
/// Long enough for a machine that compiles beside the tests, and for a store that it lets answer late again and again.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `is_so`; panics with `what` after [`PATIENCE`].
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    until_async(what, async || is_so()).await;
}

/// The same for a question that has to be awaited.
pub(crate) async fn until_async(what: &str, is_so: impl AsyncFnMut() -> bool) {
    assert!(comes_true(is_so).await, "waited {PATIENCE:?} in vain for: {what}");
}

/// Whether `is_so` comes true within [`PATIENCE`].
pub(crate) async fn comes_true(mut is_so: impl AsyncFnMut() -> bool) -> bool {
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let waiting = async {
        loop {
            looks.tick().await;
            if is_so().await {
                return;
            }
        }
    };
    timeout(PATIENCE, waiting).await.is_ok()
}

/// Lets that much time pass: for a test that shows that something does *not* happen.
pub(crate) async fn pass(time: Duration) {
    let mut tick = interval(time);
    tick.tick().await;
    tick.tick().await;
}
