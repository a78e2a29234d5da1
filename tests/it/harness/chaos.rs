//! A TCP proxy that breaks the network on demand, and mends it.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::interval;

/// What the network does at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weather {
    /// Bytes pass.
    Fair,
    /// Connections are closed, new ones too, as soon as they are accepted.
    Cut,
    /// The same with a reset.
    Reset,
    /// Connections stay open and nothing passes.
    Stall,
    /// So many bytes pass at a time, with a pause after each, towards the client.
    Dribble(usize, Duration),
    /// Each connection is reset after so many bytes towards the client.
    ResetAfter(u64),
}

/// A proxy before one address.
pub(crate) struct Chaos {
    addr: SocketAddr,
    weather: watch::Sender<Weather>,
    counts: Arc<Counts>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct Counts {
    connections: AtomicU64,
    open: AtomicU64,
    bytes: AtomicU64,
}

impl Chaos {
    /// Listens on a free port and passes everything on to `upstream`.
    pub(crate) async fn before(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (weather, seen) = watch::channel(Weather::Fair);
        let counts = Arc::new(Counts::default());
        let accepting = tokio::spawn(accept(listener, upstream, seen, Arc::clone(&counts)));
        Self { addr, weather, counts, accepting }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Changes what the network does, also to connections that are open.
    pub(crate) fn turn(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }

    /// Bytes pass again; connections that were cut stay cut.
    pub(crate) fn restore(&self) {
        self.turn(Weather::Fair);
    }

    /// Stops listening: connections are refused from now on, and open ones are cut.
    pub(crate) fn close(&self) {
        self.accepting.abort();
        self.turn(Weather::Cut);
    }

    /// Connections accepted so far.
    pub(crate) fn connections(&self) -> u64 {
        self.counts.connections.load(Ordering::Relaxed)
    }

    /// Connections open now.
    pub(crate) fn open(&self) -> u64 {
        self.counts.open.load(Ordering::Relaxed)
    }

    /// Bytes that went towards clients.
    pub(crate) fn bytes(&self) -> u64 {
        self.counts.bytes.load(Ordering::Relaxed)
    }
}

impl Drop for Chaos {
    fn drop(&mut self) {
        self.close();
    }
}

async fn accept(
    listener: TcpListener,
    upstream: SocketAddr,
    weather: watch::Receiver<Weather>,
    counts: Arc<Counts>,
) {
    while let Ok((client, _)) = listener.accept().await {
        counts.connections.fetch_add(1, Ordering::Relaxed);
        let (weather, counts) = (weather.clone(), Arc::clone(&counts));
        tokio::spawn(async move {
            counts.open.fetch_add(1, Ordering::Relaxed);
            pass(client, upstream, weather, &counts).await;
            counts.open.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

async fn pass(
    client: TcpStream,
    upstream: SocketAddr,
    mut weather: watch::Receiver<Weather>,
    counts: &Counts,
) {
    let mut is_reset = *weather.borrow() == Weather::Reset;
    if !is_broken(*weather.borrow()) {
        let Ok(server) = TcpStream::connect(upstream).await else { return };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let (mut client, mut server) = (client.into_split(), server.into_split());
        let up = copy(&mut client.0, &mut server.1, weather.clone(), None);
        let down = copy(&mut server.0, &mut client.1, weather.clone(), Some(counts));
        tokio::select! {
            // A client that has said all it has to say still wants its answer.
            () = async { tokio::join!(up, pending::<()>()); } => {}
            () = down => {}
            broken = weather.wait_for(|weather| is_broken(*weather)) => {
                is_reset = broken.is_ok_and(|weather| *weather == Weather::Reset);
            }
        }
        is_reset |= matches!(*weather.borrow(), Weather::ResetAfter(_));
        if let Ok(client) = client.0.reunite(client.1) {
            end(client, is_reset);
        }
        return;
    }
    end(client, is_reset);
}

fn end(client: TcpStream, is_reset: bool) {
    if is_reset {
        let _ = client.set_zero_linger();
    }
    drop(client);
}

fn is_broken(weather: Weather) -> bool {
    matches!(weather, Weather::Cut | Weather::Reset)
}

/// Copies until the end, an error, or the byte after which the weather breaks.
async fn copy(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    mut weather: watch::Receiver<Weather>,
    downwards: Option<&Counts>,
) {
    let (mut buffer, mut total) = (vec![0; 64 * 1024], 0);
    loop {
        let read = from.read(&mut buffer).await.unwrap_or(0);
        if read == 0 {
            let _ = to.shutdown().await;
            return;
        }
        if weather.wait_for(|weather| *weather != Weather::Stall).await.is_err() {
            return;
        }
        let now = *weather.borrow();
        let mut chunk = &buffer[..read];
        if let (Weather::ResetAfter(most), Some(_)) = (now, downwards) {
            let left = usize::try_from(most.saturating_sub(total)).unwrap_or(usize::MAX);
            chunk = &chunk[..left.min(read)];
        }
        let written = match (now, downwards) {
            (Weather::Dribble(bytes, pause), Some(_)) => dribble(to, chunk, bytes, pause).await,
            _ => to.write_all(chunk).await,
        };
        total += chunk.len() as u64;
        if let Some(counts) = downwards {
            counts.bytes.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        }
        if written.is_err() || chunk.len() < read {
            return;
        }
    }
}

async fn dribble(
    to: &mut OwnedWriteHalf,
    chunk: &[u8],
    bytes: usize,
    pause: Duration,
) -> std::io::Result<()> {
    let mut ticks = interval(pause);
    for piece in chunk.chunks(bytes.max(1)) {
        ticks.tick().await;
        to.write_all(piece).await?;
    }
    Ok(())
}
