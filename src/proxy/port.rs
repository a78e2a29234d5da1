//! The data port: binding it, accepting, and handing each connection to the least busy data thread.
//!
//! One acceptor serves all threads: a taken port is an error by name, and a few long-lived clients cannot pile up
//! on one thread while the other is idle (`docs/decisions/0001-one-acceptor.md`). With `data.sharePort` another
//! process may listen beside this one, for roll-outs on one host.

use std::{
    io,
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::{
    net::TcpListener,
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
};
use tokio_util::sync::CancellationToken;

/// Connections that wait for `accept`; the kernel caps it at `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// After a failed `accept` (out of file descriptors, mostly) nothing better can be done than to wait for some to go.
const PAUSE: Duration = Duration::from_millis(50);

/// Silence after which a peer is asked whether it lives; a quarter of a minute finds the dead within one.
pub(crate) const KEEPALIVE: Duration = Duration::from_secs(15);

/// Between two such questions.
pub(crate) const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// Questions without an answer after which the connection ends.
pub(crate) const KEEPALIVE_RETRIES: u32 = 3;

/// A client's connection on its way to a data thread.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) socket: std::net::TcpStream,
    pub(crate) peer: SocketAddr,
    /// Counts against `data.maxConnections`.
    pub(crate) permit: OwnedSemaphorePermit,
    /// Counts among the connections of its data thread.
    pub(crate) place: Place,
}

/// Where a data thread takes its connections from.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) queue: mpsc::UnboundedSender<Accepted>,
    pub(crate) open: Arc<AtomicUsize>,
}

/// A connection's place on its data thread.
#[derive(Debug)]
pub(crate) struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(open: &Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(open))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A peer that lost its power says nothing more: without probes its connection, and what it counts for, stay for ever.
pub(crate) fn keepalive() -> TcpKeepalive {
    TcpKeepalive::new()
        .with_time(KEEPALIVE)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_RETRIES)
}

/// Binds the data port; without `share` a port that is taken is an error, even by a socket that would share it.
pub(crate) fn bind(address: SocketAddr, share: bool) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if share {
        socket.set_reuse_port(true)?;
    }
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Accepts until it is told to stop, then empties the queue and closes the port.
pub(crate) async fn accept(
    listener: TcpListener,
    seats: Vec<Seat>,
    most: usize,
    stop: CancellationToken,
) {
    let permits = Arc::new(Semaphore::new(most));
    loop {
        let permit = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            permit = Arc::clone(&permits).acquire_owned() => permit,
        };
        let Ok(permit) = permit else { break };
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => seat(&seats, stream.into_std(), peer, permit),
            Err(error) => {
                tracing::warn!(event = "accept_failed", %error, "cannot accept a connection");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    empty(listener, &seats, &permits);
}

/// Takes what has already connected: closing the port on it would reset it. The system itself is asked, since tokio
/// may not have heard yet of those who came last.
fn empty(listener: TcpListener, seats: &[Seat], permits: &Arc<Semaphore>) {
    let Ok(listener) = listener.into_std() else { return };
    while let Ok(permit) = Arc::clone(permits).try_acquire_owned() {
        let Ok((stream, peer)) = listener.accept() else { return };
        seat(seats, stream.set_nonblocking(true).map(|()| stream), peer, permit);
    }
}

fn seat(
    seats: &[Seat],
    stream: io::Result<TcpStream>,
    peer: SocketAddr,
    permit: OwnedSemaphorePermit,
) {
    let Some(seat) = seats.iter().min_by_key(|seat| seat.open.load(Ordering::Relaxed)) else {
        return;
    };
    // Without it a page's last segment waits for the client's delayed acknowledgement: a third of the throughput.
    let ready = stream.and_then(|stream| {
        stream.set_nodelay(true)?;
        SockRef::from(&stream).set_tcp_keepalive(&keepalive())?;
        Ok(stream)
    });
    match ready {
        Ok(socket) => {
            let place = Place::take(&seat.open);
            let _ = seat.queue.send(Accepted { socket, peer, permit, place });
        }
        Err(error) => {
            tracing::debug!(event = "accept_failed", %error, "connection was gone before it was served")
        }
    }
}
