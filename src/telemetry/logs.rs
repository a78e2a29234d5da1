//! The log on standard output: one flat JSON object a line, or text for people, with a level that can change.
//!
//! Lines are queued and written by a thread of their own (`queue`).
//! `RUST_LOG` wins over the configuration; an operator's command wins over both until the process ends.

use std::{
    io::{self, IsTerminal},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tracing_subscriber::{
    EnvFilter, Registry, fmt, layer::SubscriberExt as _, registry::LookupSpan, reload,
};

mod json;
mod queue;

use queue::{Queue, Tail};

/// The shape of a line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// One flat JSON object.
    Json,
    /// For people.
    Text,
}

impl Format {
    /// Text on a terminal, else JSON.
    pub fn of_the_terminal() -> Self {
        if io::stdout().is_terminal() { Self::Text } else { Self::Json }
    }
}

/// Why the log could not be set up or changed.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    /// Not a level or a list of directives.
    #[error(
        "`{level}` is no log level; write for example `info`, `debug` or `sluice=debug,hyper=warn`"
    )]
    Level {
        /// What was asked for.
        level: String,
    },
    /// Another log was set up before.
    #[error("cannot set up the log")]
    Taken(#[from] tracing::subscriber::SetGlobalDefaultError),
    /// No thread for the log.
    #[error("cannot start the log's thread")]
    Thread(#[from] io::Error),
    /// The log has gone; only while the process ends.
    #[error("cannot change the log level")]
    Gone(#[from] reload::Error),
}

/// The live level of the log.
#[derive(Clone, Debug)]
pub struct Logs {
    filter: reload::Handle<EnvFilter, Registry>,
    /// Whether the environment said what is logged.
    fixed: bool,
    /// Whether an operator has.
    by_hand: Arc<AtomicBool>,
    /// What a detached level acts on; the log of the process is owned by the process.
    _own: Option<Arc<reload::Layer<EnvFilter, Registry>>>,
    /// With the last handle the process ends: the last lines are written then.
    _tail: Option<Arc<Tail>>,
}

/// Sets up the log of the process, once. `env` is what `/v1/info` calls the environment.
pub fn init(format: Format, level: &str, env: &str) -> Result<Logs, LogsError> {
    let from_env = std::env::var("RUST_LOG").ok().filter(|directives| !directives.is_empty());
    let filter = parse(from_env.as_deref().unwrap_or(level))?;
    let (filter, handle) = reload::Layer::new(filter);
    let registry = tracing_subscriber::registry().with(filter);
    let (queue, tail) = Queue::start(io::stdout())?;
    match format {
        Format::Json => {
            let json = json::Json::new(queue, &crate::telemetry::instance(), env);
            tracing::subscriber::set_global_default(registry.with(json))?;
        }
        Format::Text => tracing::subscriber::set_global_default(registry.with(text(queue)))?,
    }
    Ok(Logs {
        filter: handle,
        fixed: from_env.is_some(),
        by_hand: Arc::default(),
        _own: None,
        _tail: Some(Arc::new(tail)),
    })
}

fn text<S: tracing::Subscriber + for<'a> LookupSpan<'a>>(
    queue: Queue,
) -> impl tracing_subscriber::Layer<S> {
    fmt::layer().with_ansi(io::stdout().is_terminal()).with_writer(queue)
}

/// Whether each part names a level. The filter's own reader takes any word as the name of a module, so a slip would
/// mute the log.
pub fn reads(text: &str) -> bool {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let is_level = |word: &str| LEVELS.contains(&word.to_ascii_lowercase().as_str());
    let named = text.split(',').all(|part| match part.rsplit_once('=') {
        Some((target, level)) => {
            !target.is_empty() && !target.contains(char::is_whitespace) && is_level(level)
        }
        None => is_level(part),
    });
    named && EnvFilter::try_new(text).is_ok()
}

fn parse(level: &str) -> Result<EnvFilter, LogsError> {
    EnvFilter::try_new(level).map_err(|_| LogsError::Level { level: level.to_owned() })
}

impl Logs {
    /// An operator's command: changes what is logged from now on, whatever a reload says.
    pub fn set_level(&self, level: &str) -> Result<(), LogsError> {
        if !reads(level) {
            return Err(LogsError::Level { level: level.to_owned() });
        }
        self.filter.reload(parse(level)?)?;
        self.by_hand.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// A reload's word, which `RUST_LOG` and an operator overrule.
    pub fn configured(&self, level: &str) -> Result<(), LogsError> {
        if self.fixed || self.by_hand.load(Ordering::Relaxed) {
            return Ok(());
        }
        Ok(self.filter.reload(parse(level)?)?)
    }

    /// What is logged now, as directives.
    pub fn level(&self) -> String {
        self.filter.with_current(EnvFilter::to_string).unwrap_or_default()
    }

    /// A level that changes nothing, for gateways that run inside another program and leave its log alone.
    pub fn detached() -> Self {
        let (layer, filter) = reload::Layer::new(EnvFilter::new("info"));
        Self {
            filter,
            fixed: false,
            by_hand: Arc::default(),
            _own: Some(Arc::new(layer)),
            _tail: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_changes_live_and_a_wrong_one_changes_nothing() {
        let logs = Logs::detached();
        assert_eq!(logs.level(), "info");
        logs.set_level("sluice=debug,warn").unwrap();
        assert_eq!(logs.level(), "sluice=debug,warn");
        for slip in ["sluice=verbose", "wran", "sluice=debug, warn", ""] {
            let refused = logs.set_level(slip).unwrap_err();
            assert!(refused.to_string().contains(&format!("`{slip}` is no log level")));
        }
        assert_eq!(logs.level(), "sluice=debug,warn");
    }

    #[test]
    fn the_environment_wins_over_a_reload_but_not_over_an_operator() {
        let mut logs = Logs::detached();
        logs.fixed = true;
        logs.configured("trace").unwrap();
        assert_eq!(logs.level(), "info");
        logs.set_level("trace").unwrap();
        assert_eq!(logs.level(), "trace");
    }

    #[test]
    fn what_an_operator_says_stays_over_reloads() {
        let logs = Logs::detached();
        logs.configured("warn").unwrap();
        assert_eq!(logs.level(), "warn");
        logs.set_level("debug").unwrap();
        logs.configured("info").unwrap();
        assert_eq!(logs.level(), "debug");
    }
}
