//! The simulator's own accept loop: every connection can be cut at any byte.
//!
//! There are no deadlines here: a simulator waits as long as its client does. [`Wire`] lies between hyper and the
//! socket, so that a script can end a connection in the middle of an answer's head.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll};

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::answer::{self, Answer};
use super::coordinator::Coordinator;
use super::route::{self, Request};
use super::seen::{Record, Seen};
use super::statement::{Outcome, STALL};

/// What every connection shares.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) coordinator: Arc<Coordinator>,
    pub(super) record: Arc<Record>,
    pub(super) cancel: CancellationToken,
    pub(super) tracker: TaskTracker,
}

/// Header lines of a request; hyper's own limit is 100, proxies are tested with more.
const MOST_HEADERS: usize = 8192;
/// The buffer for a request's head, in bytes: above what any test sends, so that the 431 below is ours.
const HEAD_BUFFER: usize = 4 * 1024 * 1024;
/// Bytes of an answer's head that leave before the script cuts it.
const HEAD_PART: i64 = 40;

/// Accepts until cancelled.
pub(super) async fn run(listener: TcpListener, shared: Shared) {
    loop {
        let accepted = tokio::select! {
            () = shared.cancel.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        // Out of descriptors or a client that is gone already: the next one may be luckier.
        let Ok((stream, _)) = accepted else {
            tokio::task::yield_now().await;
            continue;
        };
        let number = shared.record.connections.fetch_add(1, Ordering::Relaxed) + 1;
        shared.tracker.spawn(serve(stream, number, shared.clone()));
    }
}

async fn serve(stream: TcpStream, number: u64, shared: Shared) {
    // Without it every page waits for the acknowledgement of the last.
    let _ = stream.set_nodelay(true);
    shared.record.open.fetch_add(1, Ordering::Relaxed);
    let cut = Arc::new(Cut::default());
    let wire = Wire { stream, cut: Arc::clone(&cut) };
    let conversation = async {
        match shared.coordinator.options.tls.clone() {
            None => converse(wire, number, &shared, &cut).await,
            // Whoever does not come through the handshake is not talked to.
            Some(tls) => {
                if let Ok(stream) = TlsAcceptor::from(tls).accept(wire).await {
                    converse(stream, number, &shared, &cut).await;
                }
            }
        }
    };
    tokio::select! {
        () = shared.cancel.cancelled() => {}
        () = conversation => {}
    }
    shared.record.open.fetch_sub(1, Ordering::Relaxed);
}

/// Answers requests until the connection ends; how it ends is the client's business, or the script's.
async fn converse(
    io: impl AsyncRead + AsyncWrite + Unpin,
    number: u64,
    shared: &Shared,
    cut: &Cut,
) {
    let service = service_fn(|request| respond(request, number, shared, cut));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_headers(MOST_HEADERS)
        .max_buf_size(HEAD_BUFFER)
        .serve_connection(TokioIo::new(io), service);
    let _ = connection.await;
}

/// The connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the script ends this connection")]
struct Dead;

async fn respond(
    request: hyper::Request<Incoming>,
    connection: u64,
    shared: &Shared,
    cut: &Cut,
) -> Result<Answer, Dead> {
    let (head, body) = request.into_parts();
    let options = &shared.coordinator.options;
    shared.record.count(&head.method, &head.uri);
    let size: usize =
        head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if size > options.max_header_bytes {
        let status = http::StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        return Ok(answer::text(status, "Request Header Fields Too Large"));
    }
    let body = body.collect().await.map_err(|_| Dead)?.to_bytes();
    if options.remember > 0 {
        let seen = Seen {
            method: head.method.clone(),
            path: head.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
            headers: head.headers.clone(),
            body: body.clone(),
            connection,
        };
        shared.record.keep(seen, options.remember);
    }
    let request = Request { method: head.method, uri: head.uri, headers: head.headers, body };
    match route::answer(&shared.coordinator, request).await {
        Outcome::Answer(answer) => Ok(answer),
        Outcome::Die => {
            cut.after(0);
            Err(Dead)
        }
        Outcome::DieInHead(answer) => {
            cut.after(HEAD_PART);
            Ok(answer)
        }
        Outcome::DieInPage(answer) => {
            cut.reset.store(true, Ordering::Release);
            Ok(answer)
        }
        Outcome::Stall => {
            tokio::time::sleep(STALL).await;
            Err(Dead)
        }
    }
}

/// When a connection is to be cut.
#[derive(Debug)]
struct Cut {
    /// Bytes that may still be written.
    left: AtomicI64,
    /// Whether it ends with a reset.
    reset: std::sync::atomic::AtomicBool,
}

impl Default for Cut {
    fn default() -> Self {
        Self { left: AtomicI64::new(i64::MAX), reset: false.into() }
    }
}

impl Cut {
    fn after(&self, bytes: i64) {
        self.left.store(bytes, Ordering::Release);
        self.reset.store(true, Ordering::Release);
    }
}

/// A socket that writes no more than its [`Cut`] allows.
#[derive(Debug)]
struct Wire {
    stream: TcpStream,
    cut: Arc<Cut>,
}

impl Wire {
    /// How many of so many bytes may be written; an error once none may.
    fn allowed(&self, wanted: usize) -> io::Result<usize> {
        let left = self.cut.left.load(Ordering::Acquire);
        match usize::try_from(left).unwrap_or(0).min(wanted) {
            0 if wanted > 0 => Err(io::ErrorKind::ConnectionAborted.into()),
            allowed => Ok(allowed),
        }
    }

    fn wrote(&self, bytes: usize) {
        if self.cut.left.load(Ordering::Acquire) < i64::MAX {
            let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
            self.cut.left.fetch_sub(bytes, Ordering::AcqRel);
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.cut.reset.load(Ordering::Acquire) {
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let allowed = self.allowed(buf.len())?;
        let part = buf.get(..allowed).unwrap_or_default();
        let written = std::task::ready!(Pin::new(&mut self.stream).poll_write(cx, part))?;
        self.wrote(written);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.cut.left.load(Ordering::Acquire) == i64::MAX {
            return Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        }
        let first = bufs.iter().find(|buf| !buf.is_empty()).map_or(&[][..], |buf| buf);
        self.poll_write(cx, first)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.cut.reset.load(Ordering::Acquire) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
