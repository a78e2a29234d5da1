//! What operators and machines ask the gateway about itself: the page of metrics, health, status, and commands.
//!
//! Four listeners, four routers, one table of routes (`routes`). Metrics, health and profiles (off unless enabled) are
//! open and read only; commands
//! need the bearer token, or, where none is configured, a request that cannot have come from afar. All of it runs on
//! the control runtime, so nothing here ever delays a page of a query.

mod answer;
mod auth;
pub mod client;
mod config;
mod demand;
mod events;
mod health;
pub mod listener;
mod operate;
mod profiles;
mod queries;
mod routes;
mod scrape;
mod status;

use std::sync::Arc;

use tokio::{sync::mpsc, time::Instant};

pub use self::{
    auth::Peer,
    config::{ConfigStatus, Reload},
    routes::{ROUTES, Route, commands, health, metrics, profiling},
};
use crate::{
    backends::Control,
    events::Events,
    lifecycle::Lifecycle,
    metrics::{Living, Metrics},
    queries::{Chronicle, Rooms, Table},
    snapshot::Current,
    telemetry::logs::Logs,
};

/// What the open listeners read.
#[derive(Clone)]
pub struct Seen {
    /// Everything that is counted.
    pub metrics: Arc<Metrics>,
    /// Queries and backends as they live.
    pub living: Arc<dyn Living>,
    /// Where the process stands.
    pub lifecycle: Lifecycle,
    /// Groups and backends.
    pub current: Current,
    /// What became of the last load of the file.
    pub config: ConfigStatus,
    /// When the process started.
    pub started: Instant,
    /// The name of this replica.
    pub instance: Arc<str>,
}

/// What commands act on.
#[derive(Clone)]
pub struct Operated {
    /// Counts the commands.
    pub metrics: Arc<Metrics>,
    /// Says which token is wanted now.
    pub current: Current,
    /// Marks backends.
    pub control: Control,
    /// The level of the log.
    pub logs: Logs,
    /// Queries by id.
    pub table: Arc<Table>,
    /// Statements that wait.
    pub rooms: Arc<Rooms>,
    /// Queries that ended lately.
    pub chronicle: Arc<Chronicle>,
    /// What happened lately.
    pub events: Events,
    /// Where reloads are asked for.
    pub reload: mpsc::Sender<Reload>,
}
