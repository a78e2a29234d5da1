//! The data plane as a whole: the port, its acceptor, the data threads, and how all of it leaves.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    num::NonZero,
    sync::Arc,
    thread::JoinHandle,
};

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;

use crate::{
    lifecycle::{Lifecycle, Phase},
    proxy::{Shared, core::Stops, port, thread},
};

/// The running data plane.
#[derive(Debug)]
pub struct Plane {
    /// Where clients connect.
    pub address: SocketAddr,
    /// The runtimes of its threads, to be asked how they are.
    pub runtimes: Vec<Handle>,
    acceptor: JoinHandle<()>,
    threads: Vec<JoinHandle<()>>,
    close: CancellationToken,
    stops: Stops,
}

/// Starts the data threads and accepts on a port that is already bound.
pub fn start(listener: TcpListener, shared: &Arc<Shared>) -> io::Result<Plane> {
    let address = listener.local_addr()?;
    let data = shared.current.load().config.data.clone();
    let stops = Stops::default();
    let close = CancellationToken::new();
    let mut seats = Vec::new();
    let mut threads = Vec::new();
    let mut runtimes = Vec::new();
    for number in 0..data.workers.unwrap_or_else(cores) {
        let started = thread::start(number, Arc::clone(shared), stops.clone())?;
        seats.push(started.seat);
        threads.push(started.thread);
        runtimes.push(started.runtime);
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtimes.push(runtime.handle().clone());
    let stop = close.clone();
    let acceptor = std::thread::Builder::new().name("accept".to_owned()).spawn(move || {
        runtime.block_on(async {
            match tokio::net::TcpListener::from_std(listener) {
                Ok(listener) => port::accept(listener, seats, data.max_connections, stop).await,
                Err(error) => tracing::error!(event = "accept_failed", %error, "cannot accept on the data port"),
            }
        });
    })?;
    Ok(Plane { address, runtimes, acceptor, threads, close, stops })
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

impl Plane {
    /// Follows the process out: closes the port when it stops, lets open exchanges finish, cuts what is left at the
    /// end. Returns when no connection is left.
    pub async fn leave(self, lifecycle: Lifecycle) {
        lifecycle.reached(Phase::Stopping).await;
        self.close.cancel();
        // The queue is emptied before anything is closed, so that who has just connected is still served.
        joined(vec![self.acceptor]).await;
        self.stops.finish.cancel();
        let mut finished = std::pin::pin!(joined(self.threads));
        tokio::select! {
            () = &mut finished => return,
            () = lifecycle.reached(Phase::Stopped) => self.stops.cut.cancel(),
        }
        finished.await;
    }
}

async fn joined(threads: Vec<JoinHandle<()>>) {
    let waiting = tokio::task::spawn_blocking(move || {
        threads.into_iter().for_each(|thread| drop(thread.join()))
    });
    let _ = waiting.await;
}
