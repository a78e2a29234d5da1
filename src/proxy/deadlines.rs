//! The socket of a client connection, with the deadlines that hyper does not keep.
//!
//! hyper's `header_read_timeout` would also end idle keep-alive connections, which clients' pools hold for 5
//! minutes; so it stays off, and this wrapper tells the two apart: *idle* (no byte of a next request), *head*
//! (the first byte came, the request is not complete) and *busy* (a request is being answered: no read deadline).
//! Writing has a deadline of its own: a client that takes no byte is cut off. PROXY protocol and TLS are not
//! its business.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep_until},
};

const IDLE: u8 = 0;
const HEAD: u8 = 1;
const BUSY: u8 = 2;
const BROKEN: u8 = 3;

/// The limits of one connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) idle: Duration,
    pub(crate) head: Duration,
    pub(crate) write: Duration,
}

/// Where a connection stands; the service moves it, the socket reads it.
#[derive(Debug, Default)]
pub(crate) struct Stage(AtomicU8);

impl Stage {
    /// A request reached its service.
    pub(crate) fn busy(&self) {
        self.0.store(BUSY, Ordering::Relaxed);
    }

    /// Its answer has been given.
    pub(crate) fn idle(&self) {
        let _ = self.0.compare_exchange(BUSY, IDLE, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Its answer broke off: no end that looks like a clean one may follow.
    pub(crate) fn broken(&self) {
        self.0.store(BROKEN, Ordering::Relaxed);
    }

    fn get(&self) -> u8 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A connection that can end in a way that no client takes for a clean end.
pub(crate) trait Reset {
    /// Its end will be a reset.
    fn reset(&self);
}

impl Reset for TcpStream {
    fn reset(&self) {
        // Where it cannot be had, the framing of HTTP/1.1 still tells.
        let _ = self.set_zero_linger();
    }
}

/// A socket that ends itself when its client is too slow, and with a reset when its answer broke off: to a client of
/// HTTP/1.0 the end of the connection is the end of the page.
#[derive(Debug)]
pub(crate) struct Guarded<S: Reset> {
    socket: S,
    limits: Limits,
    stage: Arc<Stage>,
    reading: Alarm,
    reading_for: u8,
    writing: Alarm,
}

impl<S: Reset> Drop for Guarded<S> {
    fn drop(&mut self) {
        if self.stage.get() == BROKEN {
            self.socket.reset();
        }
    }
}

impl<S: Reset> Guarded<S> {
    pub(crate) fn new(socket: S, limits: Limits, stage: Arc<Stage>) -> Self {
        Self {
            socket,
            limits,
            stage,
            reading: Alarm::default(),
            reading_for: IDLE,
            writing: Alarm::default(),
        }
    }

    /// Called when there is nothing to read: has the client been silent for too long?
    fn read_deadline(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let stage = self.stage.get();
        if stage != self.reading_for {
            self.reading.clear();
            self.reading_for = stage;
        }
        let limit = match stage {
            IDLE => self.limits.idle,
            HEAD => self.limits.head,
            _ => return Poll::Pending,
        };
        ready!(self.reading.poll(cx, limit));
        let what = if stage == IDLE { "idle connection" } else { "request head" };
        Poll::Ready(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("{what} timed out after {limit:?}"),
        ))
    }
}

/// A deadline that starts when it is first waited for; its timer is armed anew only when it fires too early.
#[derive(Debug, Default)]
struct Alarm {
    since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    fn clear(&mut self) {
        self.since = None;
    }

    fn poll(&mut self, cx: &mut Context<'_>, limit: Duration) -> Poll<()> {
        let due = *self.since.get_or_insert_with(Instant::now) + limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        loop {
            if timer.deadline() > due {
                timer.as_mut().reset(due);
            }
            ready!(timer.as_mut().poll(cx));
            if Instant::now() >= due {
                return Poll::Ready(());
            }
            timer.as_mut().reset(due);
        }
    }
}

impl<S: AsyncRead + Reset + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        match Pin::new(&mut this.socket).poll_read(cx, buffer) {
            Poll::Pending => this.read_deadline(cx).map(Err),
            Poll::Ready(Ok(())) => {
                if buffer.filled().len() > before {
                    let _ = this.stage.0.compare_exchange(
                        IDLE,
                        HEAD,
                        Ordering::Relaxed,
                        Ordering::Relaxed,
                    );
                }
                if this.stage.get() != HEAD {
                    this.reading.clear();
                }
                Poll::Ready(Ok(()))
            }
            failed @ Poll::Ready(Err(_)) => failed,
        }
    }
}

impl<S: AsyncWrite + Reset + Unpin> Guarded<S> {
    fn written<T>(
        &mut self,
        cx: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.writing.clear();
            return outcome;
        }
        let limit = self.limits.write;
        ready!(self.writing.poll(cx, limit));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("client took no byte for {limit:?}"),
        )))
    }
}

impl<S: AsyncWrite + Reset + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.socket).poll_write(cx, bytes);
        this.written(cx, outcome)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.socket).poll_write_vectored(cx, slices);
        this.written(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.stage.get() == BROKEN {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut this.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    impl Reset for tokio::io::DuplexStream {
        fn reset(&self) {}
    }

    const LIMITS: Limits = Limits {
        idle: Duration::from_secs(360),
        head: Duration::from_secs(30),
        write: Duration::from_secs(300),
    };

    #[tokio::test(start_paused = true)]
    async fn a_silent_connection_ends_after_its_idle_time() {
        let (client, server) = duplex(1024);
        let mut guarded = Guarded::new(server, LIMITS, Arc::default());
        let started = Instant::now();
        let error = guarded.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(started.elapsed().as_secs(), 360);
        drop(client);
    }

    #[tokio::test(start_paused = true)]
    async fn a_dribbled_head_ends_after_its_time_however_steadily_it_comes() {
        let (mut client, server) = duplex(1024);
        let mut guarded = Guarded::new(server, LIMITS, Arc::default());
        let dribble = tokio::spawn(async move {
            let mut each_second = tokio::time::interval(Duration::from_secs(1));
            while client.write_all(b"x").await.is_ok() {
                each_second.tick().await;
            }
        });
        let started = Instant::now();
        let error = loop {
            if let Err(error) = guarded.read_u8().await {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!((30..=31).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
        drop(guarded);
        dribble.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_connection_may_be_silent_and_is_idle_anew_afterwards() {
        let (mut client, server) = duplex(1024);
        let stage = Arc::new(Stage::default());
        let mut guarded = Guarded::new(server, LIMITS, Arc::clone(&stage));
        client.write_all(b"x").await.unwrap();
        guarded.read_u8().await.unwrap();
        stage.busy();
        assert!(tokio::time::timeout(Duration::from_secs(3600), guarded.read_u8()).await.is_err());
        stage.idle();
        let started = Instant::now();
        guarded.read_u8().await.unwrap_err();
        assert_eq!(started.elapsed().as_secs(), 360);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_no_byte_is_cut_off() {
        let (client, server) = duplex(16);
        let mut guarded = Guarded::new(server, LIMITS, Arc::default());
        let started = Instant::now();
        let error = guarded.write_all(&[0; 64]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(started.elapsed().as_secs(), 300);
        drop(client);
    }
}
