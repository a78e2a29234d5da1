//! The breaker: while the store does not answer nobody asks it, so that nobody waits.
//!
//! After three calls in a row without an answer the gate shuts. Only one probe opens it again, made by the task that
//! owns it (`queue`) after a pause: never a request. An answer that refuses is an answer.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tokio::sync::Notify;

/// Calls without an answer, one after the other, that shut the gate.
const PATIENCE: u32 = 3;

/// Whether the store may be asked.
#[derive(Debug, Default)]
pub(super) struct Gate {
    /// Calls in a row without an answer.
    silent: AtomicU32,
    shut: AtomicBool,
    turned: Notify,
}

impl Gate {
    /// Whether the store may be asked.
    pub(super) fn is_open(&self) -> bool {
        !self.shut.load(Ordering::Relaxed)
    }

    /// The store answered a call.
    pub(super) fn answered(&self) {
        self.silent.store(0, Ordering::Relaxed);
    }

    /// It did not; `true` if this shut the gate.
    pub(super) fn silent(&self) -> bool {
        let silent = self.silent.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let shuts = silent >= PATIENCE && !self.shut.swap(true, Ordering::Relaxed);
        if shuts {
            self.turned.notify_one();
        }
        shuts
    }

    /// The probe was answered.
    pub(super) fn open(&self) {
        self.answered();
        self.shut.store(false, Ordering::Relaxed);
    }

    /// Returns once the gate is shut; for its one owner.
    pub(super) async fn shuts(&self) {
        while self.is_open() {
            self.turned.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_in_a_row_shut_it_and_only_the_probe_opens_it() {
        let gate = Gate::default();
        assert!(!gate.silent() && !gate.silent() && gate.is_open());
        gate.answered();
        assert!(!gate.silent() && !gate.silent() && gate.is_open(), "an answer begins anew");
        assert!(gate.silent(), "the third says that it shut the gate");
        assert!(!gate.silent() && !gate.is_open(), "only once");
        gate.answered();
        assert!(!gate.is_open(), "an answer that was on its way opens nothing");
        gate.open();
        assert!(gate.is_open() && !gate.silent());
    }
}
