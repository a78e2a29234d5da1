//! The scaler's port: HTTP/2 with deadlines, PINGs and a cap on connections, the gRPC service and its health.
//!
//! When the process leaves, every stream ends with status OK first, then connections are told to go (GOAWAY), and what
//! does not go is cut. KEDA waits 2 s after a clean end, and longer each time after another one.

use std::{io, pin::pin, sync::Arc, time::Duration};

use hyper::server::conn::http2;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic_health::{
    ServingStatus,
    server::{HealthReporter, health_reporter},
};

use super::{
    Ground,
    service::Scaler,
    tls::Tls,
    wire::external_scaler_server::{ExternalScalerServer, SERVICE_NAME},
};
use crate::lifecycle::Phase;

mod prompt;

use self::prompt::Prompt;

/// KEDA keeps one for each of its pods.
const CONNECTIONS: usize = 64;

/// Each ScaledObject has a stream on KEDA's one connection, and a call that has to wait for its turn blocks it.
const STREAMS: u32 = 4096;

/// KEDA sends no PINGs, so a connection that is gone would not be noticed by either side.
const PING: Duration = Duration::from_secs(20);

/// For a PING's answer.
const PONG: Duration = Duration::from_secs(10);

/// For the handshake, and for the first bytes after it.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// A trigger's metadata are far smaller.
const QUESTION: usize = 64 * 1024;

/// For the last frame of each stream to be taken, then for connections to close.
const LEAVE: Duration = Duration::from_secs(2);

/// After an accept failed for want of files, trying again at once would only burn a core.
const BREATH: Duration = Duration::from_millis(100);

/// Serves until the process leaves; returns when no connection is left.
pub async fn serve(
    listener: TcpListener,
    ground: Ground,
    tls: Option<Arc<Tls>>,
    cancel: CancellationToken,
) {
    let (health, routes) = routes(&ground).await;
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let (mut connections, leave) = (JoinSet::new(), CancellationToken::new());
    loop {
        let (stream, place) = tokio::select! {
            () = ground.lifecycle.reached(Phase::Draining) => break,
            () = cancel.cancelled() => break,
            accepted = accept(&listener, &places) => accepted,
        };
        while connections.try_join_next().is_some() {}
        let (routes, tls, leave) = (routes.clone(), tls.clone(), leave.clone());
        connections.spawn(connection(stream, routes, tls, leave, place));
    }
    drop(listener);
    for service in ["", SERVICE_NAME] {
        health.set_service_status(service, ServingStatus::NotServing).await;
    }
    ground.streams.close();
    let _ = timeout(LEAVE, ground.streams.wait()).await;
    leave.cancel();
    let _ = timeout(LEAVE, async { while connections.join_next().await.is_some() {} }).await;
}

async fn routes(ground: &Ground) -> (HealthReporter, Routes) {
    let (reporter, health) = health_reporter();
    reporter.set_service_status(SERVICE_NAME, ServingStatus::Serving).await;
    let scaler = ExternalScalerServer::new(Scaler(ground.clone()));
    let scaler = scaler.max_decoding_message_size(QUESTION);
    (reporter, Routes::new(scaler).add_service(health).prepare())
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, Option<OwnedSemaphorePermit>) {
    // The semaphore is never closed, so there always is a place in the end.
    let place = Arc::clone(places).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, place),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(BREATH).await;
            }
        }
    }
}

async fn connection(
    stream: TcpStream,
    routes: Routes,
    tls: Option<Arc<Tls>>,
    leave: CancellationToken,
    _place: Option<OwnedSemaphorePermit>,
) {
    let _ = stream.set_nodelay(true);
    let served = match tls {
        None => answer(stream, routes, leave).await,
        Some(tls) => match secured(stream, &tls).await {
            Ok(stream) => answer(stream, routes, leave).await,
            Err(error) => {
                tracing::warn!(%error, "no TLS with a client of the scaler");
                return;
            }
        },
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection of the scaler ended early");
    }
}

async fn secured(
    stream: TcpStream,
    tls: &Arc<Tls>,
) -> io::Result<tokio_rustls::server::TlsStream<TcpStream>> {
    // Its files may lie on a disk that hangs.
    timeout(HANDSHAKE, async { tls.acceptor().await.accept(stream).await }).await?
}

async fn answer<I>(stream: I, routes: Routes, leave: CancellationToken) -> hyper::Result<()>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let io = TokioIo::new(Prompt::new(stream, HANDSHAKE));
    let mut served = pin!(
        http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(PING)
            .keep_alive_timeout(PONG)
            .max_concurrent_streams(STREAMS)
            .serve_connection(io, TowerToHyperService::new(routes))
    );
    tokio::select! {
        served = served.as_mut() => return served,
        () = leave.cancelled() => served.as_mut().graceful_shutdown(),
    }
    served.await
}

#[cfg(test)]
mod tests;
