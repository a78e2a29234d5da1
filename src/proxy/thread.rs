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
    runtime::{Builder, Handle, Runtime},
    sync::mpsc,
};
use tokio_util::task::TaskTracker;

use crate::proxy::{
    Shared, connection,
    core::{Core, Stops},
    port::{Accepted, Seat},
    routes,
    upstream::Upstream,
};

/// Threads for the resolver's blocking look-ups, for each data thread.
const RESOLVERS: usize = 4;

/// A running data thread.
#[derive(Debug)]
pub(crate) struct DataThread {
    /// Where the acceptor puts its connections.
    pub(crate) seat: Seat,
    /// Ends when its last connection has ended.
    pub(crate) thread: JoinHandle<()>,
    /// What its runtime says of itself.
    pub(crate) runtime: Handle,
}

/// Starts a data thread.
pub(crate) fn start(number: usize, shared: Arc<Shared>, stops: Stops) -> io::Result<DataThread> {
    let (queue, connections) = mpsc::unbounded_channel();
    let runtime =
        Builder::new_current_thread().enable_all().max_blocking_threads(RESOLVERS).build()?;
    let handle = runtime.handle().clone();
    let thread = std::thread::Builder::new()
        .name(format!("data-{number}"))
        .spawn(move || serve(&runtime, shared, connections, &stops))?;
    let seat = Seat { queue, open: Arc::new(AtomicUsize::new(0)) };
    Ok(DataThread { seat, thread, runtime: handle })
}

fn serve(
    runtime: &Runtime,
    shared: Arc<Shared>,
    mut connections: mpsc::UnboundedReceiver<Accepted>,
    stops: &Stops,
) {
    runtime.block_on(async move {
        let upstream = Upstream::new(&shared.current.load().config.upstream, &shared.metrics);
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
                tasks.clone(),
            ));
        }
        tasks.close();
        tasks.wait().await;
    });
}
