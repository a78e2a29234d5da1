//! Takes over another configuration while everything runs, or says why not; the old one goes on then.
//!
//! Reloads come from the watched file, from SIGHUP and from the admin API, and are carried out one after another.
//! What needs a restart is refused by name, so that the file and the process never disagree silently.

use std::{path::PathBuf, sync::Arc};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    admin::{ConfigStatus, Reload},
    backends::Control,
    config::{self, Loaded, model::Config, reload::needs_restart},
    telemetry::logs::Logs,
};

/// Everything that a reload touches.
pub(crate) struct Reloading {
    /// The file; without one there is nothing to read again.
    pub(crate) path: Option<PathBuf>,
    /// The configuration at work.
    pub(crate) config: Arc<Config>,
    pub(crate) control: Control,
    pub(crate) status: ConfigStatus,
    pub(crate) logs: Logs,
}

impl Reloading {
    /// Carries out wishes until it is cancelled.
    pub(crate) async fn run(mut self, mut wishes: mpsc::Receiver<Reload>, stop: CancellationToken) {
        let mut watched =
            self.path.clone().map(|path| config::watch::Watcher::start(path, stop.clone()));
        loop {
            let wish = tokio::select! {
                () = stop.cancelled() => return,
                wish = wishes.recv() => wish,
                () = changed(&mut watched) => None,
            };
            let outcome = self.reload().await;
            if let Some(wish) = wish {
                let _ = wish.answer.send(outcome);
            }
        }
    }

    async fn reload(&mut self) -> Result<Arc<str>, String> {
        let outcome = self.take_over().await;
        if let Err(problem) = &outcome {
            self.status.refused(problem);
        }
        outcome
    }

    async fn take_over(&mut self) -> Result<Arc<str>, String> {
        let path = self.path.clone().ok_or("this gateway was started without a file")?;
        let read = tokio::task::spawn_blocking(move || config::load(&path)).await;
        let Loaded { config, hash } =
            read.map_err(|error| error.to_string())?.map_err(|problems| problems.to_string())?;
        let stuck = needs_restart(&self.config, &config);
        if !stuck.is_empty() {
            return Err(format!("needs a restart: {}", stuck.join(", ")));
        }
        let config = Arc::new(config);
        let hash: Arc<str> = hash.into();
        self.control
            .apply(Arc::clone(&config), Arc::clone(&hash))
            .await
            .map_err(|error| error.to_string())?;
        if let Err(error) = self.logs.configured(&config.log.level) {
            tracing::warn!(event = "log_level_rejected", %error, "log level stays as it was");
        }
        self.status.accepted(Arc::clone(&hash), config.routing_groups.len());
        self.config = config;
        Ok(hash)
    }
}

async fn changed(watched: &mut Option<config::watch::Watcher>) {
    match watched {
        Some(watcher) => watcher.changed().await,
        None => std::future::pending().await,
    }
}
