//! A data thread: one current-thread runtime with its own connections, routes and way to the coordinators.
//!
//! Nothing moves between data threads. When the port closes, idle connections are closed, open exchanges finish,
//! and what is still open at the deadline is cut.

use std::{
    io,
    sync::{Arc, atomic::AtomicUsize},
    thread::JoinHandle,
};

use axum::Router;
use tokio::{
    runtime::{Builder, Runtime},
    sync::mpsc,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::proxy::{
    Shared, connection,
    port::{Accepted, Seat},
    routes,
    upstream::Upstream,
};

/// Threads for the resolver's blocking look-ups, for each data thread.
const RESOLVERS: usize = 4;

/// What the requests of one data thread work with.
#[derive(Debug)]
pub(crate) struct Core {
    /// What all data threads share.
    pub(crate) shared: Arc<Shared>,
    /// This thread's connections to the coordinators.
    pub(crate) upstream: Upstream,
}

/// The stops of the data plane.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stops {
    /// The port is closed: finish what is open.
    pub(crate) finish: CancellationToken,
    /// Time is up: cut what is still open.
    pub(crate) cut: CancellationToken,
}

/// A running data thread.
#[derive(Debug)]
pub(crate) struct DataThread {
    /// Where the acceptor puts its connections.
    pub(crate) seat: Seat,
    /// Ends when its last connection has ended.
    pub(crate) thread: JoinHandle<()>,
}

/// Starts a data thread.
pub(crate) fn start(number: usize, shared: Arc<Shared>, stops: Stops) -> io::Result<DataThread> {
    let (queue, connections) = mpsc::unbounded_channel();
    let runtime =
        Builder::new_current_thread().enable_all().max_blocking_threads(RESOLVERS).build()?;
    let thread = std::thread::Builder::new()
        .name(format!("data-{number}"))
        .spawn(move || serve(&runtime, shared, connections, &stops))?;
    Ok(DataThread { seat: Seat { queue, open: Arc::new(AtomicUsize::new(0)) }, thread })
}

fn serve(
    runtime: &Runtime,
    shared: Arc<Shared>,
    mut connections: mpsc::UnboundedReceiver<Accepted>,
    stops: &Stops,
) {
    runtime.block_on(async move {
        let upstream = Upstream::new(&shared.current.load().config.upstream);
        let core = Arc::new(Core { shared, upstream });
        let routes: Router = routes::router(&core);
        let tasks = TaskTracker::new();
        // The queue closes with the port.
        while let Some(accepted) = connections.recv().await {
            tasks.spawn(connection::serve(
                Arc::clone(&core),
                routes.clone(),
                accepted,
                stops.clone(),
            ));
        }
        tasks.close();
        tasks.wait().await;
    });
}
