//! One client connection: its preface, TLS, its protocol, and its end.
//!
//! Which of the two protocols it speaks says ALPN; without TLS it is HTTP/1.1. What a request is, once it is read, is
//! the same for both (`answer`).

use std::{error::Error, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_util::task::TaskTracker;

use crate::{
    config::model::Data,
    proxy::{
        core::{Core, Stops},
        deadlines::{Limits, Pushed},
        port::Accepted,
        preface, tls,
    },
};

mod answer;
mod as_one_by_one;
mod one_by_one;
mod streams;

/// Trino's clients send some tens; 1,000 must pass (trino-protocol.md 1.5).
const MOST_HEADERS: usize = 1_100;

/// 1 MiB of headers must pass; the request line and what frames each header come on top.
const LONGEST_HEAD: u32 = (1 << 20) + (64 << 10);

/// When the port has closed, a request may already be on its way on a connection that looks idle, or has just been
/// accepted: closing that one would fail its client.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// So long after that a connection may still introduce itself: a few round trips of a slow client that connected in time.
const LAST_HANDSHAKE: Duration = Duration::from_secs(3);

/// What a connection needs to serve requests; made anew for each of them.
#[derive(Clone)]
struct Service {
    core: Arc<Core>,
    routes: Router,
    client: Client,
}

/// Who is at the other end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    /// As the PROXY header says, or as the socket does.
    pub(crate) address: SocketAddr,
    /// Whether the connection has TLS.
    pub(crate) tls: bool,
}

/// Serves a connection until it ends.
pub(crate) async fn serve(
    core: Arc<Core>,
    routes: Router,
    accepted: Accepted,
    stops: Stops,
    tasks: TaskTracker,
) {
    let Accepted { socket, peer, permit: _permit, place: _place } = accepted;
    let _open = core.shared.metrics.connection();
    let data = core.shared.current.load().config.data.clone();
    let Ok(mut socket) = TcpStream::from_std(socket) else { return };
    let introduced = unless_leaving(&stops, introduced(&mut socket, &data, peer));
    let Some(address) = introduced.await else { return };
    let limits = Limits {
        idle: data.idle_timeout.get(),
        head: data.header_timeout.get(),
        write: data.write_timeout.get(),
    };
    let secured = core.shared.tls.present();
    let client = Client { address, tls: secured.is_some() };
    let service = Service { core, routes, client };
    let outcome: Result<(), Box<dyn Error + Send + Sync>> = match secured {
        None => {
            let socket = Pushed::new(socket, limits.write);
            one_by_one::serve(socket, service, limits, stops).await.map_err(Into::into)
        }
        // Boxed: what has no TLS shall not take its room.
        Some(config) => {
            let handshake =
                Box::pin(tls::accept(config, socket, peer, (limits.head, limits.write)));
            match unless_leaving(&stops, handshake).await {
                None => return,
                Some(stream) if tls::is_h2(&stream) => {
                    let served = streams::serve(stream, service, limits, stops, tasks);
                    Box::pin(served).await.map_err(Into::into)
                }
                Some(stream) => {
                    let served = one_by_one::serve(stream, service, limits, stops);
                    Box::pin(served).await.map_err(Into::into)
                }
            }
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(event = "connection_ended", %peer, %error, "client connection ended early");
    }
}

/// What a connection does before its first request, unless the gateway is gone by then.
async fn unless_leaving<T>(stops: &Stops, first: impl Future<Output = Option<T>>) -> Option<T> {
    let too_late = async {
        stops.finish.cancelled().await;
        sleep(LAST_HANDSHAKE).await;
    };
    tokio::select! {
        biased;
        () = stops.cut.cancelled() => None,
        first = first => first,
        () = too_late => None,
    }
}

/// Who the client is; nothing where a PROXY header must be and is not, or is somebody's who may not write one.
async fn introduced(socket: &mut TcpStream, data: &Data, peer: SocketAddr) -> Option<SocketAddr> {
    let client = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    if !data.proxy_protocol {
        return Some(client);
    }
    let named: io::Result<_> =
        timeout(data.header_timeout.get(), preface::read(socket)).await.ok()?;
    match named {
        // Anybody else could name a trusted proxy as himself.
        Ok(named) if vouches(data, client) => Some(named.unwrap_or(client)),
        Ok(_) => {
            tracing::debug!(event = "connection_refused", %peer, "not a trusted proxy");
            None
        }
        Err(error) => {
            tracing::debug!(event = "connection_refused", %peer, %error, "no PROXY header");
            None
        }
    }
}

/// Whether a PROXY header of that peer is believed: any, unless trusted proxies are named.
fn vouches(data: &Data, peer: SocketAddr) -> bool {
    data.trusted_proxies.is_empty()
        || data.trusted_proxies.iter().any(|net| net.contains(&peer.ip()))
}
