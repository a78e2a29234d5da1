//! A coordinator that speaks Trino's protocol without being one: for the demo, the tests and the benchmarks.
//!
//! A [`Simulator`] has its own listener and many can live in one process. What a query plays is written in the
//! statement's own text ([`script`] has the grammar), so any client can drive it. It is held to the real Trino by
//! one conformance suite that runs against both (`tests/it/conformance.rs`).
//!
//! In reading order: [`options`] (what it is like), `listener` (connections that can be cut at any byte), `route`
//! (all paths), `statement` and `chain` (the protocol's rules), `query` (what comes next), `plan` and `script` (what
//! a statement means), `page`, `rows` and `body` (how it is written). `inspect`, `ui`, `login` and `spooling` are the
//! other resources of a coordinator; `command` and [`detached`] are its process.
//!
//! It deliberately has no SQL engine, no workers, no HTTP/2, no TLS, no brotli and no lz4, and it writes its JSON by
//! hand: a page of 16 MB costs it a few copies of a prebuilt block.

mod answer;
mod base;
mod body;
mod chain;
pub mod command;
mod coordinator;
pub mod detached;
mod dress;
mod failure;
mod hostile;
mod inspect;
mod listener;
mod literal;
mod login;
pub mod options;
mod page;
mod plan;
mod query;
mod route;
mod rows;
pub mod script;
mod seen;
mod slug;
mod spooling;
mod sql;
mod statement;
mod ui;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use command::{Args, run};
pub use options::{Forwarded, Login, Options, Version};
pub use seen::{Counts, Seen};

use coordinator::{Coordinator, locked};
use listener::Shared;
use seen::Record;

/// A simulated coordinator on a listener of its own; it stops when it is dropped.
#[derive(Debug)]
pub struct Simulator {
    options: Arc<Options>,
    addr: SocketAddr,
    record: Arc<Record>,
    current: Mutex<Shared>,
}

impl Simulator {
    /// Binds and serves, on the current tokio runtime.
    pub async fn start(options: Options) -> std::io::Result<Self> {
        let listener = TcpListener::bind(options.bind).await?;
        let addr = listener.local_addr()?;
        let (options, record) = (Arc::new(options), Arc::default());
        let id = options.coordinator_id.clone();
        let current = Mutex::new(spawn(listener, &options, &record, addr, id));
        Ok(Self { options, addr, record, current })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its base URL, `http://127.0.0.1:34567`, or `https` where it speaks TLS.
    pub fn url(&self) -> String {
        format!("{}://{}", self.options.scheme(), self.addr)
    }

    /// The suffix of its query ids, new after each restart.
    pub fn coordinator_id(&self) -> String {
        self.coordinator().id.clone()
    }

    /// The requests it was sent, the oldest first; restarts do not clear them.
    pub fn seen(&self) -> Vec<Seen> {
        self.record.seen()
    }

    /// Forgets the requests seen so far.
    pub fn forget(&self) {
        self.record.forget();
    }

    /// How much it has done.
    pub fn counts(&self) -> Counts {
        let coordinator = self.coordinator();
        let living = coordinator.queries().iter().filter(|query| query.is_living()).count();
        Counts {
            living: living as u64,
            transactions: coordinator.transactions() as u64,
            segments: coordinator.segments.len() as u64,
            ..self.record.counts()
        }
    }

    /// Makes it say `starting: true`, and fail its queries accordingly, until told otherwise.
    pub fn set_starting(&self, is_starting: bool) {
        self.coordinator().set_starting(is_starting);
    }

    /// The state of a query in Trino's words, if it knows that id.
    pub fn state_of(&self, query_id: &str) -> Option<&'static str> {
        self.coordinator().query(query_id).map(|query| query.state())
    }

    /// Stops listening and cuts every connection, as the end of the process would.
    pub async fn stop(&self) {
        let (cancel, tracker) = {
            let current = locked(&self.current);
            (current.cancel.clone(), current.tracker.clone())
        };
        cancel.cancel();
        tracker.close();
        tracker.wait().await;
    }

    /// Ends this life and begins another on the same address: new coordinator id, no queries.
    pub async fn restart(&self) -> std::io::Result<()> {
        self.stop().await;
        let listener = TcpListener::bind(self.addr).await?;
        let next = spawn(listener, &self.options, &self.record, self.addr, None);
        *locked(&self.current) = next;
        Ok(())
    }

    fn coordinator(&self) -> Arc<Coordinator> {
        Arc::clone(&locked(&self.current).coordinator)
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        locked(&self.current).cancel.cancel();
    }
}

fn spawn(
    listener: TcpListener,
    options: &Arc<Options>,
    record: &Arc<Record>,
    addr: SocketAddr,
    id: Option<String>,
) -> Shared {
    let coordinator = Arc::new(Coordinator::new(Arc::clone(options), addr.to_string(), id));
    let shared = Shared {
        coordinator: Arc::clone(&coordinator),
        record: Arc::clone(record),
        cancel: CancellationToken::new(),
        tracker: TaskTracker::new(),
    };
    shared.tracker.spawn(listener::run(listener, shared.clone()));
    shared.tracker.spawn(sweep(coordinator, shared.cancel.clone()));
    shared
}

/// Gives up queries that nobody polls.
async fn sweep(coordinator: Arc<Coordinator>, cancel: CancellationToken) {
    let pause = (coordinator.options.abandon_after / 4).max(Duration::from_millis(10));
    let mut ticks = tokio::time::interval(pause);
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            _ = ticks.tick() => coordinator.give_up_abandoned(),
        }
    }
}
