//! Takes over another configuration while everything runs, or says why not; the old one goes on then.
//!
//! Reloads come from the watched file, from SIGHUP and from the admin API, and are carried out one after another.
//! What needs a restart is refused by name, so that the file and the process never disagree silently.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    admin::{ConfigStatus, Reload},
    backends::Control,
    config::{
        Loaded,
        model::Config,
        reload::needs_restart,
        watch::{Poke, Reading, Watcher},
    },
    proxy::tls::{self, Tls},
    telemetry::logs::Logs,
};

/// Everything that a reload touches.
pub(crate) struct Reloading {
    /// The configuration at work.
    pub(crate) config: Arc<Config>,
    /// The digest of the certificates at work.
    pub(crate) files: String,
    pub(crate) control: Control,
    pub(crate) status: ConfigStatus,
    pub(crate) logs: Logs,
    pub(crate) tls: Arc<Tls>,
}

impl Reloading {
    /// Carries out what the watcher reads until it is cancelled; the watcher lives as long.
    pub(crate) async fn run(
        mut self,
        watcher: Option<Watcher>,
        mut readings: mpsc::Receiver<Reading>,
        stop: CancellationToken,
    ) {
        loop {
            let reading = tokio::select! {
                () = stop.cancelled() => break,
                reading = readings.recv() => reading,
            };
            let Some(Reading { outcome, asked_by }) = reading else { break };
            let verdict = match outcome {
                Ok(loaded) => self.take_over(*loaded).await,
                Err(problems) => Err(problems.to_string()),
            };
            if let Err(problem) = &verdict {
                self.status.refused(problem);
            }
            if let Some(reply) = asked_by {
                reply.send(verdict);
            }
        }
        drop(watcher);
    }

    async fn take_over(&mut self, loaded: Loaded) -> Result<String, String> {
        let Loaded { config, hash, files, .. } = loaded;
        let stuck = needs_restart(&self.config, &config);
        if !stuck.is_empty() {
            return Err(format!("needs a restart: {}", stuck.join(", ")));
        }
        // Before anything changes: the files may have changed again since they were checked.
        let ready = tls::Ready::read(&config)?;
        let config = Arc::new(config);
        self.control
            .apply(Arc::clone(&config), hash.as_str())
            .await
            .map_err(|error| error.to_string())?;
        self.tls.replace(ready);
        if files != self.files {
            tracing::info!(
                event = "certificates_reloaded",
                "new connections get the certificates as they are now"
            );
            self.files = files;
        }
        if let Err(error) = self.logs.configured(&config.log.level) {
            tracing::warn!(event = "log_level_rejected", %error, "log level stays as it was");
        }
        self.status.accepted(hash.as_str().into(), config.routing_groups.len());
        self.config = config;
        Ok(hash)
    }
}

/// Hands the admin API's wishes to the watcher, one after another, until it is cancelled.
pub(crate) async fn wishes(
    mut wishes: mpsc::Receiver<Reload>,
    poke: Option<Poke>,
    stop: CancellationToken,
) {
    loop {
        let wish = tokio::select! {
            () = stop.cancelled() => return,
            wish = wishes.recv() => wish,
        };
        let Some(Reload { answer }) = wish else { return };
        let verdict = match &poke {
            Some(poke) => poke.reload_and_wait().await,
            None => Err("this gateway was started without a file".to_owned()),
        };
        let _ = answer.send(verdict.map(Arc::from));
    }
}
