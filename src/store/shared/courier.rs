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

/// So long the first readiness waits for a store that does not answer.
const FIRST: Duration = Duration::from_secs(10);

/// Between two questions until then.
const BETWEEN_FIRST: Duration = Duration::from_millis(50);

impl SharedStore {
    /// Writes what is queued until `stop`, then once more.
    pub(super) async fn carry(self, stop: CancellationToken) {
        let carrying = async {
            self.first_answer().await;
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

    /// A replica is ready when the store has been heard, or waited for in vain.
    async fn first_answer(&self) {
        let heard = async {
            while !self.answers().await {
                tokio::time::sleep(BETWEEN_FIRST).await;
            }
        };
        let is_up = tokio::time::timeout(FIRST, heard).await.is_ok();
        if is_up {
            self.0.gate.open();
        } else {
            self.0.gate.shut();
            tracing::error!(event = "store_lost", "the store does not answer: starting without it");
        }
        self.show(is_up);
    }

    async fn answers(&self) -> bool {
        let asked = tokio::time::timeout(self.0.terms.timeout, self.0.store.ping());
        matches!(asked.await, Ok(Ok(()) | Err(Fault::Refused(_) | Fault::Foreign)))
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
            if self.answers().await {
                break;
            }
        }
        self.0.gate.open();
        self.show(true);
        tracing::info!(event = "store_back", "the store answers again");
    }
}
