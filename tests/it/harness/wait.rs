//! Waiting for a state, with a deadline.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, timeout};

/// How often a state is looked at.
const LOOK: Duration = Duration::from_millis(5);
/// Long enough for a machine that compiles beside the tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until `is_so`; panics with `what` after [`PATIENCE`].
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    until_async(what, async || is_so()).await;
}

/// The same for a question that has to be awaited.
pub(crate) async fn until_async(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
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
    assert!(timeout(PATIENCE, waiting).await.is_ok(), "waited {PATIENCE:?} in vain for: {what}");
}

/// Lets that much time pass: for a test that shows that something does *not* happen.
pub(crate) async fn pass(time: Duration) {
    let mut tick = interval(time);
    tick.tick().await;
    tick.tick().await;
}
