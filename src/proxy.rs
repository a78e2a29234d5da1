//! The data plane, in the order of a request: port, connection, exchange, then a new statement or a followed query,
//! forward, page.
//!
//! Each data thread owns its connections, its routes and its way to the coordinators (`core`); what they share is
//! in [`Shared`], and none of it waits: no lock is held over an await, no store and no control plane is asked.

use std::sync::Arc;

use crate::{
    lifecycle::Lifecycle,
    metrics::{Metrics, Scrape},
    queries::{Bindings, Chronicle, Keeping, Ledger, ReplicaMark, Rooms, Sessions, Table},
    replicas::Replicas,
    snapshot::Current,
    telemetry::traces::Traces,
};

pub(crate) mod answers;
pub(crate) mod chunks;
pub(crate) mod connection;
pub(crate) mod core;
pub(crate) mod deadlines;
pub(crate) mod exchange;
pub(crate) mod followed;
pub(crate) mod forward;
pub(crate) mod handed;
pub(crate) mod headers;
pub(crate) mod oauth2;
pub(crate) mod one_way;
pub(crate) mod owner;
pub(crate) mod page;
pub(crate) mod pipe;
pub mod plane;
pub mod port;
pub(crate) mod preface;
pub(crate) mod resend;
pub(crate) mod routes;
pub(crate) mod search;
pub(crate) mod spans;
pub(crate) mod spooled;
pub(crate) mod statement;
pub(crate) mod thread;
pub mod tls;
pub(crate) mod turn;
pub(crate) mod ui;
pub(crate) mod unavailable;
pub(crate) mod upstream;
pub(crate) mod waiting;
pub(crate) mod watch;
pub(crate) mod whole;

/// What all data threads share.
#[derive(Debug)]
pub struct Shared {
    /// Where things stand.
    pub current: Current,
    /// Queries by id.
    pub table: Arc<Table>,
    /// Queries that count.
    pub ledger: Arc<Ledger>,
    /// Transactions.
    pub bindings: Arc<Bindings>,
    /// OAuth2 exchanges, apart: their number is up to strangers.
    pub challenged: Arc<Bindings>,
    /// The room for statements that may be sent again.
    pub(crate) keeping: Arc<Keeping>,
    /// Whose spooled segments went out without a marker, since it was the only backend then.
    pub(crate) unmarked: std::sync::OnceLock<sluice_routing::BackendName>,
    /// Ids that a backend has just denied.
    pub(crate) search: search::Search,
    /// Who served which asset of the web UI.
    pub(crate) assets: ui::Assets,
    /// Statements that wait for their turn.
    pub rooms: Arc<Rooms>,
    /// Who was active of late.
    pub sessions: Arc<Sessions>,
    /// CALLs that Sluice answers by itself.
    pub(crate) calls: waiting::kill::Calls,
    /// Stories of queries that ended.
    pub chronicle: Arc<Chronicle>,
    /// Makes the page of metrics, for who asks for it here; set once everything lives.
    pub(crate) scrape: std::sync::OnceLock<Scrape>,
    /// What new connections are secured with.
    pub tls: Arc<tls::Tls>,
    /// What is told.
    pub metrics: Arc<Metrics>,
    /// The other replicas.
    pub replicas: Arc<Replicas>,
    /// The way of spans to their collector; off unless the assembly says otherwise.
    pub traces: Traces,
    /// Whether the process is on its way out.
    pub lifecycle: Lifecycle,
    /// Ids made before this time (Unix seconds) may be queries of the process that this one replaces.
    pub(crate) adopts_until: i64,
    /// Set once every backend has been probed, or waited for in vain, since the start.
    pub(crate) heard: std::sync::OnceLock<()>,
    /// The name of this replica.
    pub(crate) instance: Arc<str>,
    /// When the process began, for `uptime`.
    pub(crate) started: tokio::time::Instant,
}

/// Rule L13: a rolling restart overlaps for about so long; queries made in it may be met by either process.
const OVERLAP_SECONDS: i64 = 60;

impl Shared {
    /// An empty table and ledger around the present snapshot.
    pub fn new(
        current: Current,
        ledger: Arc<Ledger>,
        metrics: Arc<Metrics>,
        replicas: Arc<Replicas>,
        lifecycle: Lifecycle,
    ) -> Self {
        let table = Arc::<Table>::default();
        let rooms = Rooms::new(current.clone(), Arc::clone(&ledger), ReplicaMark::draw());
        Self {
            current,
            rooms,
            sessions: Arc::default(),
            calls: waiting::kill::Calls::default(),
            table,
            ledger,
            bindings: Arc::default(),
            challenged: Arc::default(),
            keeping: Arc::default(),
            unmarked: std::sync::OnceLock::new(),
            search: search::Search::default(),
            assets: ui::Assets::default(),
            scrape: std::sync::OnceLock::new(),
            tls: Arc::default(),
            metrics,
            replicas,
            traces: Traces::default(),
            lifecycle,
            adopts_until: jiff::Timestamp::now().as_second() + OVERLAP_SECONDS,
            heard: std::sync::OnceLock::new(),
            chronicle: Arc::default(),
            instance: instance(),
            started: tokio::time::Instant::now(),
        }
    }
}

/// The pod's name where there is one.
fn instance() -> Arc<str> {
    std::env::var("HOSTNAME")
        .ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "sluice".to_owned())
        .into()
}
