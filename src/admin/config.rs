//! What became of the last load of the configuration: told once, in the log, in the
//! metrics, among the events and on the status page.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tokio::sync::oneshot;

use crate::{
    events::{Event, Events},
    metrics::{EventName, Metrics},
};

/// A wish to read the configuration again; the answer is its hash, or what is wrong with it.
#[derive(Debug)]
pub struct Reload {
    /// Where the answer goes; the asker may have left.
    pub answer: oneshot::Sender<Result<Arc<str>, String>>,
}

/// The configuration at work, and the last one that was refused since.
#[derive(Clone, Debug)]
pub struct ConfigStatus {
    metrics: Arc<Metrics>,
    events: Events,
    last: Arc<Mutex<Last>>,
}

/// The part of the status page.
#[derive(Clone, Debug)]
pub(super) struct Last {
    /// `sha256:…` of the configuration at work.
    pub(super) hash: Arc<str>,
    /// When it was taken over.
    pub(super) loaded_at: Timestamp,
    /// Why a later one was refused.
    pub(super) error: Option<Arc<str>>,
}

impl ConfigStatus {
    /// The first configuration was taken over.
    pub fn new(metrics: Arc<Metrics>, events: Events, hash: Arc<str>) -> Self {
        let last = Last { hash, loaded_at: Timestamp::now(), error: None };
        Self { metrics, events, last: Arc::new(Mutex::new(last)) }
    }

    /// A reload was taken over.
    pub fn accepted(&self, hash: Arc<str>, groups: usize) {
        self.metrics.config_reload(true);
        let words = format!("{hash}, {groups} routing groups");
        self.events.tell(Event::normal(EventName::ConfigReloaded, &words));
        tracing::info!(
            event = "config_reloaded",
            config_hash = &*hash,
            groups,
            "configuration reloaded"
        );
        self.change(|last| *last = Last { hash, loaded_at: Timestamp::now(), error: None });
    }

    /// A reload was refused; the old configuration goes on.
    pub fn refused(&self, error: &str) {
        self.metrics.config_reload(false);
        self.events.tell(Event::warning(EventName::ConfigRejected, error));
        self.change(|last| {
            let config_hash = &*last.hash;
            tracing::error!(
                event = "config_reload_rejected",
                config_hash,
                error,
                "configuration refused, the old one goes on"
            );
            last.error = Some(error.into());
        });
    }

    pub(super) fn last(&self) -> Last {
        self.change(|last| last.clone())
    }

    fn change<T>(&self, with: impl FnOnce(&mut Last) -> T) -> T {
        with(&mut self.last.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
