//! From start to stop: which phase the process is in, who is still awaited, and in which order it leaves.
//!
//! The phase only ever moves forward. Requests read it with one atomic load; tasks wait for a phase. Readiness is the
//! sum of named [`Part`]s: the gateway serves as soon as every part has reported. What a phase means for connections is
//! the data plane's business: this module holds no socket.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
};

use tokio::sync::watch;

mod drain;
mod readiness;
mod signals;
#[cfg(test)]
mod tests;

use self::readiness::Parts;
pub use self::{
    drain::Timing,
    readiness::{Check, Part, Readiness},
    signals::{Signal, Signals},
};

/// Where the process stands; the order is that of time.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub enum Phase {
    /// Some part is still awaited.
    Starting,
    /// At work.
    Serving,
    /// Still accepting, but every answer asks the client to go elsewhere.
    Draining,
    /// Listeners and idle connections are closed, open exchanges may finish.
    Stopping,
    /// Whatever is still open is cut.
    Stopped,
}

/// The life of the process, shared by all its parts.
#[derive(Clone)]
pub struct Lifecycle(Arc<Inner>);

struct Inner {
    /// The same as in `changes`, for readers that cannot wait for a lock.
    phase: AtomicU8,
    changes: watch::Sender<Phase>,
    parts: Mutex<Parts>,
}

impl Lifecycle {
    /// Begins in [`Phase::Starting`].
    pub fn new() -> Self {
        Self(Arc::new(Inner {
            phase: AtomicU8::new(Phase::Starting as u8),
            changes: watch::Sender::new(Phase::Starting),
            parts: Mutex::default(),
        }))
    }

    /// The present phase; one atomic load.
    pub fn phase(&self) -> Phase {
        match self.0.phase.load(Ordering::Acquire) {
            0 => Phase::Starting,
            1 => Phase::Serving,
            2 => Phase::Draining,
            3 => Phase::Stopping,
            _ => Phase::Stopped,
        }
    }

    /// Whether clients should go elsewhere; one atomic load.
    pub fn is_draining(&self) -> bool {
        self.phase() >= Phase::Draining
    }

    /// Waits until that phase, or a later one, has begun. Works on any runtime.
    pub async fn reached(&self, phase: Phase) {
        // The sender lives as long as `self`, so this only ever ends with the phase.
        let _ = self.0.changes.subscribe().wait_for(|now| *now >= phase).await;
    }

    /// Adds a part that must report before the gateway serves. Take all of them before the first one reports.
    pub fn part(&self, check: Check, name: &str) -> Part {
        Part::new(self.clone(), check, name)
    }

    /// The parts that have not reported yet, by name.
    pub fn awaited(&self) -> Vec<String> {
        self.parts(|parts| parts.awaited())
    }

    /// What `/readyz` says.
    pub fn readiness(&self) -> Readiness {
        let phase = self.phase();
        self.parts(|parts| parts.readiness(phase))
    }

    /// Whether new traffic is welcome: serving, and nothing vital has failed.
    pub fn is_ready(&self) -> bool {
        self.readiness().is_ready()
    }

    /// Logs what was bound and what was read, once, when everything was started.
    pub fn started(&self, listeners: &str, config_hash: &str) {
        tracing::info!(event = "gateway_started", listeners, config_hash, "started");
    }

    /// Moves on to a later phase; `false` if it had begun already.
    fn advance(&self, to: Phase) -> bool {
        self.0.changes.send_if_modified(|now| {
            let moves = *now < to;
            if moves {
                *now = to;
                self.0.phase.store(to as u8, Ordering::Release);
            }
            moves
        })
    }

    fn parts<T>(&self, with: impl FnOnce(&mut Parts) -> T) -> T {
        with(&mut self.0.parts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A part reported: perhaps it was the last one.
    fn reported(&self) {
        let complete = self.parts(|parts| parts.complete());
        if complete && self.phase() == Phase::Starting && self.advance(Phase::Serving) {
            tracing::info!(event = "gateway_ready", "ready for clients");
        }
    }
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Lifecycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lifecycle").field(&self.phase()).finish()
    }
}
