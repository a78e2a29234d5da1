//! Serves a router on a bound socket. `axum::serve` sets no timer, so that a client that dribbles its headers would
//! hold a task for ever; here every connection has its deadlines and there is a cap on their number.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body, http::Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::admin::auth::Peer;

/// What one listener bears.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at the same time; above it new ones wait in the kernel's queue.
    pub connections: usize,
    /// For the first byte of a connection, for each head, and between two requests of one connection (hyper has one
    /// knob for both).
    pub head: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        // Scrapers, probes and a few operators; and above the usual scrape intervals of 15 to 60 s, so that the
        // connections of scrapers live.
        Self { connections: 256, head: Duration::from_secs(75) }
    }
}

impl Limits {
    /// For a listener that one person at a time asks.
    pub fn few() -> Self {
        Self { connections: 8, ..Self::default() }
    }
}

/// After an accept failed for want of files, trying again at once would only burn a core.
const BREATH: Duration = Duration::from_millis(100);

/// Serves until cancelled; then every connection is dropped.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    cancel: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    loop {
        let (stream, peer, place) = tokio::select! {
            () = cancel.cancelled() => return,
            accepted = accept(&listener, &places) => accepted,
        };
        while connections.try_join_next().is_some() {}
        connections.spawn(connection(stream, peer, router.clone(), (limits.head, place)));
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, Option<OwnedSemaphorePermit>) {
    // The semaphore is never closed, so there always is a place in the end.
    let place = Arc::clone(places).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, place),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(BREATH).await;
            }
        }
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    (head, _place): (Duration, Option<OwnedSemaphorePermit>),
) {
    // hyper's deadline begins with the first byte, so that one needs its own.
    let first = timeout(head, stream.peek(&mut [0])).await;
    if !matches!(first, Ok(Ok(1..))) {
        return;
    }
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        router.clone().oneshot(request.map(Body::new))
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, %peer, "connection ended early");
    }
}
