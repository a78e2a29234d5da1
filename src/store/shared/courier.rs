//! The one task behind a store: it makes the queued writes, and asks after a store that is lost.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::SharedStore;
use crate::{
    metrics::{StoreOperation, StoreStatus},
    store::Fault,
};

/// Between two probes of a store that does not answer: soon enough to be noticed, rarely enough to cost nothing.
const PAUSE: Duration = Duration::from_secs(1);

impl SharedStore {
    /// Writes what is queued until `stop`, then once more.
    pub(super) async fn carry(self, stop: CancellationToken) {
        let carrying = async {
            loop {
                tokio::select! {
                    () = self.0.gate.shuts() => self.until_it_answers().await,
                    () = self.0.queue.filled() => self.write_batch().await,
                }
            }
        };
        stop.run_until_cancelled(carrying).await;
        self.write_batch().await;
    }

    /// One batch; what got no answer waits for the next.
    async fn write_batch(&self) {
        if !self.is_up() {
            return;
        }
        let batch = self.0.queue.take();
        if batch.is_empty() {
            return;
        }
        match self.written(batch.clone()).await {
            Err(Fault::Unavailable) => {
                for _ in 0..self.0.queue.put_back(batch) {
                    self.count(StoreOperation::Write, StoreStatus::Error);
                }
            }
            // What is refused now is not wanted later: newer writes follow it.
            Ok(()) | Err(Fault::Refused(_) | Fault::Foreign) => {}
        }
    }

    /// Probes until one is answered, and opens the gate.
    async fn until_it_answers(&self) {
        loop {
            // Spread, so that replicas do not knock together.
            tokio::time::sleep(PAUSE.mul_f64(0.8 + fastrand::f64() * 0.4)).await;
            let asked = tokio::time::timeout(self.0.terms.timeout, self.0.store.ping());
            if matches!(asked.await, Ok(Ok(()) | Err(Fault::Refused(_) | Fault::Foreign))) {
                break;
            }
        }
        self.0.gate.open();
        self.0.metrics.store_is_up(true);
        tracing::info!(event = "store_back", "the store answers again");
    }
}
