//! The way out: Serving → Draining (`wait`) → Stopping (at most `deadline`) → Stopped.
//!
//! Clients fail on a reset idle connection, so the process goes on accepting for a while and only asks them to leave.
//! Queries live on in Trino. A second signal skips whatever is left.

use std::{future::Future, pin::pin, time::Duration};

use tokio::time::{Instant, sleep};

use crate::lifecycle::{Lifecycle, Phase, Signal, Signals};

/// How long the steps of a drain may take.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Still accepting, so that load balancers notice.
    pub wait: Duration,
    /// For open exchanges after that.
    pub deadline: Duration,
}

impl Lifecycle {
    /// Waits for the first stop signal and leads the process out; `reload` is called at each SIGHUP until then.
    ///
    /// `timing` is asked when the drain begins, so that it follows a reload; `finished` ends when the data plane has no
    /// open exchange left after [`Phase::Stopping`]. Returns in [`Phase::Stopped`], when the rest must be cut.
    pub async fn run(
        &self,
        mut signals: Signals,
        mut reload: impl FnMut(),
        timing: impl FnOnce() -> Timing,
        finished: impl Future<Output = ()>,
    ) {
        while signals.next().await == Signal::Reload {
            reload();
        }
        let begun = Instant::now();
        let hurried = self.drain(timing(), finished, stop(&mut signals)).await;
        self.advance(Phase::Stopped);
        let drain_seconds = begun.elapsed().as_secs_f64();
        tracing::info!(event = "gateway_stopped", drain_seconds, hurried, "stopped");
    }

    /// Whether a second signal cut it short.
    async fn drain(
        &self,
        timing: Timing,
        finished: impl Future<Output = ()>,
        second: impl Future<Output = ()>,
    ) -> bool {
        let mut second = pin!(second);
        self.advance(Phase::Draining);
        let drain_seconds = timing.wait.as_secs_f64() + timing.deadline.as_secs_f64();
        tracing::info!(event = "gateway_draining", drain_seconds, "draining");
        tokio::select! {
            () = sleep(timing.wait) => {}
            () = &mut second => return true,
        }
        self.advance(Phase::Stopping);
        tokio::select! {
            () = finished => false,
            () = sleep(timing.deadline) => {
                tracing::warn!("open exchanges are cut: they did not finish within the drain's deadline");
                false
            }
            () = second => true,
        }
    }
}

/// Waits for a stop signal; a reload no longer matters.
async fn stop(signals: &mut Signals) {
    while signals.next().await != Signal::Stop {}
}
