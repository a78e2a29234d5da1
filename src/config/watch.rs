//! Sees when `sluice.yaml` or a certificate that it names changes, reads it again, and tells what came of it.
//!
//! The folder is watched, not the file: a ConfigMap swaps the symlink `..data`, editors rename a new file over the old
//! one. As a watch can be lost (network folders, a folder made anew), the file is also read every few seconds; and what
//! could not be read is tried again until it can. Nothing is applied here: whoever receives a [`Reading`] does that, and
//! the configuration that runs stays until then.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use notify::{
    Event, EventKind, RecursiveMode, Watcher as _,
    event::{AccessKind, AccessMode},
};
use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::{Instant, timeout_at},
};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::Instrument as _;

use crate::config::{self, Loaded, Problems, model::Config, named};

/// How long the folder has to be quiet before the file is read: an editor writes in several steps.
const QUIET: Duration = Duration::from_millis(100);

/// At most this long is waited for quiet: something else may write into the folder all the time.
const PATIENCE: Duration = Duration::from_secs(2);

/// Between two readings without an event.
const INTERVAL: Duration = Duration::from_secs(5);

/// Between two readings after one that failed.
const RETRY: Duration = Duration::from_millis(500);

/// What came of one reading.
#[derive(Debug)]
pub struct Reading {
    /// The configuration, or why there is none; the old one keeps running then.
    pub outcome: Result<Box<Loaded>, Problems>,
    /// Who waits to hear what became of it, if somebody asked for this reading.
    pub asked_by: Option<Reply>,
}

/// Tells the one who asked for a reload what became of it.
#[derive(Debug)]
pub struct Reply(oneshot::Sender<Verdict>);

/// The hash of what runs now, or in words why the new configuration does not.
pub type Verdict = Result<String, String>;

impl Reply {
    /// Answers; nothing happens if nobody waits any more.
    pub fn send(self, verdict: Verdict) {
        let _ = self.0.send(verdict);
    }
}

/// Owns the task that watches; it ends when this is dropped.
#[derive(Debug)]
pub struct Watcher {
    poke: Poke,
    _ends_with_this: DropGuard,
}

impl Watcher {
    /// Watches `path`, which runs as `running` (see [`Loaded::state`]), and sends every reading that tells something new
    /// or was asked for.
    pub fn start(
        path: PathBuf,
        running: String,
        readings: mpsc::Sender<Reading>,
        cancel: &CancellationToken,
    ) -> Self {
        let cancel = cancel.child_token();
        let (asks, asked) = mpsc::channel(1);
        // Before the task runs, so that no change from here on is missed.
        let changed = Arc::new(Notify::new());
        let watch = watch(&path, &changed);
        let (told, watched) = (Told::State(running), HashSet::new());
        let task = Task { path, changed, told, failures: 0, readings, asked, watch, watched };
        let span = tracing::info_span!("config-watch");
        let ended = cancel.clone();
        tokio::spawn(
            async move { ended.run_until_cancelled(task.run()).await.unwrap_or_default() }
                .instrument(span),
        );
        Self { poke: Poke(asks), _ends_with_this: cancel.drop_guard() }
    }

    /// A handle to ask for a reading.
    pub fn poke(&self) -> Poke {
        self.poke.clone()
    }
}

/// Asks for a reading now: SIGHUP, `POST /admin/reload`.
#[derive(Clone, Debug)]
pub struct Poke(mpsc::Sender<Option<Reply>>);

impl Poke {
    /// Asks and does not wait for what comes of it; a reading that is asked for already serves both.
    pub fn reload(&self) {
        let _ = self.0.try_send(None);
    }

    /// Asks and waits until the configuration was applied or refused.
    pub async fn reload_and_wait(&self) -> Verdict {
        let gone = || "the gateway is stopping".to_owned();
        let (reply, verdict) = oneshot::channel();
        self.0.send(Some(Reply(reply))).await.map_err(|_| gone())?;
        verdict.await.map_err(|_| gone())?
    }
}

/// What was told last, so that it is not told again.
#[derive(Debug, Eq, PartialEq)]
enum Told {
    State(String),
    Problems(String),
}

struct Task {
    path: PathBuf,
    changed: Arc<Notify>,
    told: Told,
    failures: u32,
    readings: mpsc::Sender<Reading>,
    asked: mpsc::Receiver<Option<Reply>>,
    watch: Option<notify::RecommendedWatcher>,
    /// Folders of files that the configuration names.
    watched: HashSet<PathBuf>,
}

impl Task {
    async fn run(mut self) {
        loop {
            let pause = if self.failures > 0 { RETRY } else { INTERVAL };
            let (asked, reply) = tokio::select! {
                ask = self.asked.recv() => match ask {
                    Some(reply) => (true, reply),
                    None => return,
                },
                () = self.changed.notified() => {
                    quiet(&self.changed).await;
                    (false, None)
                }
                () = tokio::time::sleep(pause) => (false, None),
            };
            if self.read(asked, reply).await.is_err() {
                return;
            }
        }
    }

    /// Reads the file and tells what came of it, if that is new or was asked for. Fails when nobody listens any more.
    async fn read(&mut self, asked: bool, reply: Option<Reply>) -> Result<(), Closed> {
        let path = self.path.clone();
        let outcome = tokio::task::spawn_blocking(move || config::load(&path).map(Box::new));
        let outcome = outcome.await.map_err(|_| Closed)?;
        self.failures = if outcome.is_ok() { 0 } else { self.failures.saturating_add(1) };
        let told = match &outcome {
            Ok(loaded) => {
                self.watch_named(&loaded.config);
                Told::State(loaded.state())
            }
            Err(problems) => Told::Problems(problems.to_string()),
        };
        // Between an editor's two renames there is no file for a moment.
        let passing = self.failures == 1 && outcome.as_ref().is_err_and(Problems::is_unreadable);
        if !asked && (told == self.told || passing) {
            return Ok(());
        }
        self.told = told;
        self.readings.send(Reading { outcome, asked_by: reply }).await.map_err(|_| Closed)
    }
}

impl Task {
    /// Watches the folders of the certificates, too. One that cannot be had is made up for by the interval.
    fn watch_named(&mut self, config: &Config) {
        let Some(watch) = &mut self.watch else { return };
        for folder in named::files(config).map(folder) {
            if self.watched.insert(folder.clone()) {
                let _ = watch.watch(&folder, RecursiveMode::NonRecursive);
            }
        }
    }
}

/// Whoever received readings is gone.
struct Closed;

/// Waits until no event has come for a while.
async fn quiet(changed: &Notify) {
    let patience = Instant::now() + PATIENCE;
    loop {
        let until = (Instant::now() + QUIET).min(patience);
        if timeout_at(until, changed.notified()).await.is_err() {
            return;
        }
    }
}

/// The watch on the file's folder, and on the one where it really lies; without it the interval has to do.
fn watch(path: &Path, changed: &Arc<Notify>) -> Option<notify::RecommendedWatcher> {
    let signal = Arc::clone(changed);
    let on_event = move |event: notify::Result<Event>| {
        if event.as_ref().map_or(true, is_change) {
            signal.notify_one();
        }
    };
    let started = notify::recommended_watcher(on_event).and_then(|mut watcher| {
        watcher.watch(&folder(path), RecursiveMode::NonRecursive)?;
        // Where a link leads; a watch that cannot be had there is made up for by the interval.
        if let Ok(real) = path.canonicalize() {
            let _ = watcher.watch(&folder(&real), RecursiveMode::NonRecursive);
        }
        Ok(watcher)
    });
    started
        .inspect_err(|error| {
            tracing::warn!(%error, "the configuration cannot be watched; it is read every few seconds instead");
        })
        .ok()
}

fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Our own reading opens and closes the file, which must not count.
fn is_change(event: &Event) -> bool {
    match event.kind {
        EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}

#[cfg(test)]
mod tests;
