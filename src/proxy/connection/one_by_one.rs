//! HTTP/1.1: one request after another on a connection, read and written by its own task.
//!
//! `heard` reads the head of a request, `incoming` its body, which `brought` hands to whoever answers; `told` writes the head
//! of an answer, `telling` its body; all that is written leaves by `pen`.
//! While an answer is made the connection is listened to, since a client that leaves wants it no more. hyper's server does
//! all this, too, and for each request fills two tables with room for as many headers as may come, which cost more than
//! finding the query's coordinator (decision 0007). HTTP/2 is still hyper's (`streams`). No upgrade, no trailers.

mod brought;
mod heard;
mod incoming;
mod pen;
mod telling;
mod told;

use std::{
    future::poll_fn,
    io, mem,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf as _, BytesMut};
use http::{Method, Response, StatusCode};
use http_body::Body as _;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    time::{sleep, timeout},
};

use self::{
    heard::Heard,
    incoming::Incoming,
    pen::Pen,
    telling::Telling,
    told::{Asker, Framing},
};
use super::{LAST_WORDS, LONGEST_HEAD, Service, answer::answer};
use crate::{
    moment,
    proxy::{
        answers,
        core::Stops,
        deadlines::{Guarded, Limits, Reset, Stage},
        exchange::Accounted,
        headers::spent,
        pipe::Piped,
        turn,
    },
};

/// The first read of a request: the heads of nearly all fit, and so much is kept by a connection that waits.
const SMALL_READ: usize = 4 * 1024;

/// The largest read, of statements as long as Trino takes them.
const LARGE_READ: usize = 64 * 1024;

/// What is not worth a system call of its own.
const LEAST_READ: usize = 512;

/// What a client has sent and nobody will read is taken from it for so long: a connection that is closed over unread bytes
/// is reset, and the answer lost with it.
const FAREWELL: Duration = Duration::from_secs(1);

/// Serves a connection until it ends.
pub(super) async fn serve<S>(
    socket: S,
    service: Service,
    limits: Limits,
    stops: Stops,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Piped + Reset + Unpin + Send + 'static,
{
    let stage = Arc::new(Stage::default());
    let socket = Guarded::new(socket, limits, Arc::clone(&stage));
    let mut talk = Talk {
        socket,
        stage,
        came: BytesMut::new(),
        read: SMALL_READ,
        pen: Pen::default(),
        answers: false,
    };
    let finish = async {
        stops.finish.cancelled().await;
        sleep(LAST_WORDS).await;
    };
    tokio::select! {
        biased;
        () = stops.cut.cancelled() => {
            if talk.answers {
                // What is cut off must not look whole.
                talk.stage.broken();
            }
            Ok(())
        }
        outcome = talk.go_on(service, finish) => outcome,
    }
}

/// A connection and what is under way on it.
#[derive(Debug)]
struct Talk<S: Reset> {
    socket: Guarded<S>,
    stage: Arc<Stage>,
    /// What has come and was not read yet.
    came: BytesMut,
    /// How much the next read asks for.
    read: usize,
    pen: Pen,
    /// An answer is under way.
    answers: bool,
}

/// What was heard while an answer is made.
enum Listened {
    /// Another piece of the body.
    Brought,
    /// The client has left.
    Left,
}

impl<S: AsyncRead + AsyncWrite + Piped + Reset + Unpin> Talk<S> {
    /// Answers requests until the client or the gateway leaves.
    async fn go_on(
        &mut self,
        service: Service,
        finish: impl Future<Output = ()>,
    ) -> io::Result<()> {
        let mut finish = pin!(finish);
        loop {
            let heard = match self.hear(finish.as_mut()).await? {
                None => return self.socket.shutdown().await,
                Some(Ok(heard)) => heard,
                Some(Err(status)) => return self.refuse(status).await,
            };
            self.answers = true;
            let goes_on = self.serve(&service, heard).await?;
            self.answers = false;
            if !goes_on {
                return self.farewell().await;
            }
        }
    }

    /// The next request, or the status with which what came is refused; `None` when there will be none.
    async fn hear(
        &mut self,
        mut finish: Pin<&mut impl Future<Output = ()>>,
    ) -> io::Result<Option<Result<Heard, StatusCode>>> {
        // Of a large buffer, what is left of its room may look like a small one.
        let is_large = self.read > SMALL_READ || self.came.capacity() > SMALL_READ;
        if self.came.is_empty() && is_large {
            // What a long request needed is given back.
            self.came = BytesMut::new();
        }
        self.read = SMALL_READ;
        let mut seen = 0;
        poll_fn(|cx| {
            let _stretch = moment::begin();
            loop {
                pass_empty_lines(&mut self.came);
                if may_be_whole(&self.came, seen) {
                    match heard::read(&mut self.came) {
                        Ok(None) => {}
                        heard => return Poll::Ready(Ok(heard.transpose())),
                    }
                }
                if self.came.len() > LONGEST_HEAD as usize {
                    let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
                    return Poll::Ready(Ok(Some(Err(status))));
                }
                seen = self.came.len();
                match self.poll_more(cx)? {
                    Poll::Ready(0) => return Poll::Ready(Ok(None)),
                    Poll::Ready(_) => {}
                    Poll::Pending if seen > 0 => return Poll::Pending,
                    // Between two requests it may be closed without harm.
                    Poll::Pending => return finish.as_mut().poll(cx).map(|()| Ok(None)),
                }
            }
        })
        .await
    }

    /// Answers a request; whether another may follow.
    async fn serve(&mut self, service: &Service, heard: Heard) -> io::Result<bool> {
        let is_head = *heard.request.method() == Method::HEAD;
        let asker = Asker { is_head, is_old: heard.is_old(), stays: heard.stays };
        let (mut incoming, body) = Incoming::of(heard.length, heard.waits);
        let answer = {
            let mut request = heard.request.map(|()| body);
            let stage = Arc::clone(&self.stage);
            let answering = answer(service, &stage, &mut request);
            self.answered(pin!(answering), &mut incoming).await
        };
        let Some(answer) = answer else {
            return Err(io::ErrorKind::ConnectionAborted.into());
        };
        self.tell(answer, asker, incoming).await
    }

    /// The answer, as soon as it is there; `None` when the client has left.
    async fn answered<A: Future<Output = Response<Accounted>>>(
        &mut self,
        mut answering: Pin<&mut A>,
        incoming: &mut Option<Incoming>,
    ) -> Option<Response<Accounted>> {
        poll_fn(|cx| {
            let _stretch = moment::begin();
            loop {
                if let Poll::Ready(answer) = answering.as_mut().poll(cx) {
                    return Poll::Ready(Some(answer));
                }
                match ready!(self.poll_listen(cx, incoming)) {
                    Listened::Brought => {}
                    Listened::Left => return Poll::Ready(None),
                }
            }
        })
        .await
    }

    /// Writes an answer; whether another request may follow.
    async fn tell(
        &mut self,
        answer: Response<Accounted>,
        asker: Asker,
        mut incoming: Option<Incoming>,
    ) -> io::Result<bool> {
        let whole = incoming.as_mut().is_none_or(|it| it.has_come(&mut self.came));
        let asker = Asker { stays: asker.stays && whole, ..asker };
        let (stays, framing, body) = self.tell_head(answer, asker);
        let mut telling = Telling::new(body, framing, &mut self.pen);
        turn::given().await;
        poll_fn(|cx| {
            let _stretch = moment::begin();
            loop {
                let filled = telling.poll_fill(cx, &mut self.pen);
                // What was put down before it broke off is still told.
                let Poll::Ready(written) = self.pen.poll_write(cx, Pin::new(&mut self.socket))
                else {
                    telling.held_up();
                    return Poll::Pending;
                };
                written?;
                if let Some(ended) = telling.ended() {
                    return Poll::Ready(ended);
                }
                if filled.is_pending() {
                    match ready!(self.poll_listen(cx, &mut incoming)) {
                        Listened::Brought => {}
                        Listened::Left => {
                            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
                        }
                    }
                }
            }
        })
        .await
        .inspect_err(|_| self.stage.broken())?;
        Ok(stays)
    }

    /// Writes down the head of an answer; whether another may follow, and what is still to be written, and how.
    fn tell_head(
        &mut self,
        answer: Response<Accounted>,
        asker: Asker,
    ) -> (bool, Framing, Accounted) {
        let (parts, body) = answer.into_parts();
        let exact = body.size_hint().exact();
        let (stays, framing) = told::write(&parts, exact, asker, &mut self.pen.text);
        spent::give(parts.headers);
        (stays, framing, body)
    }

    /// Listens to the client while its answer is made: for the rest of its body, or for its leaving.
    fn poll_listen(
        &mut self,
        cx: &mut Context<'_>,
        incoming: &mut Option<Incoming>,
    ) -> Poll<Listened> {
        match incoming {
            Some(incoming) if incoming.cut => Poll::Pending,
            Some(incoming) if !incoming.over => self.poll_bring(cx, incoming),
            // The next request: it has its turn when this one is answered.
            _ if !self.came.is_empty() => Poll::Pending,
            _ => match self.poll_more(cx) {
                Poll::Ready(Ok(0) | Err(_)) => Poll::Ready(Listened::Left),
                Poll::Ready(Ok(_)) | Poll::Pending => Poll::Pending,
            },
        }
    }

    fn poll_bring(&mut self, cx: &mut Context<'_>, incoming: &mut Incoming) -> Poll<Listened> {
        if incoming.bringing.poll_wanted(cx).is_pending() {
            return if incoming.bringing.is_unwanted() {
                self.poll_left(cx)
            } else {
                Poll::Pending
            };
        }
        if mem::take(&mut incoming.waits) && self.came.is_empty() {
            self.pen.text.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        if ready!(self.pen.poll_write(cx, Pin::new(&mut self.socket))).is_err() {
            return Poll::Ready(Listened::Left);
        }
        while !incoming.bring(&mut self.came) {
            if matches!(ready!(self.poll_more(cx)), Ok(0) | Err(_)) {
                return Poll::Ready(Listened::Left);
            }
        }
        Poll::Ready(Listened::Brought)
    }

    /// A body that nobody reads stays where it is; whether its client leaves is still looked for, as far as one buffer holds.
    fn poll_left(&mut self, cx: &mut Context<'_>) -> Poll<Listened> {
        while self.came.len() < LARGE_READ {
            if matches!(ready!(self.poll_more(cx)), Ok(0) | Err(_)) {
                return Poll::Ready(Listened::Left);
            }
        }
        Poll::Pending
    }

    /// Reads what is there; 0 is the end.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.came.capacity() - self.came.len() < LEAST_READ {
            self.came.reserve(self.read);
        }
        let room = self.came.capacity() - self.came.len();
        // Keeps nothing between two polls.
        let count = ready!(pin!(self.socket.read_buf(&mut self.came)).poll(cx))?;
        if count == room {
            self.read = (self.read * 2).min(LARGE_READ);
        }
        Poll::Ready(Ok(count))
    }

    /// What came cannot be read.
    async fn refuse(&mut self, status: StatusCode) -> io::Result<()> {
        let reason = status.canonical_reason().unwrap_or_default();
        let answer = answers::text(status, &format!("HTTP {} {reason}", status.as_str()));
        let asker = Asker { is_head: false, is_old: false, stays: false };
        let answer = answer.map(|body| Accounted::alone(body, Arc::clone(&self.stage)));
        self.tell(answer, asker, None).await?;
        self.farewell().await
    }

    /// Ends the connection so that its client can read the answer to its end, whatever it is still sending.
    async fn farewell(&mut self) -> io::Result<()> {
        self.socket.shutdown().await?;
        let silence = async {
            while self.socket.read_buf(&mut self.came).await.is_ok_and(|count| count > 0) {
                self.came.clear();
            }
        };
        // Who goes on for longer has been told often enough.
        let _ = timeout(FAREWELL, silence).await;
        Ok(())
    }
}

/// Empty lines before a request are no part of it (RFC 9112 section 2.2), and no request is under way after them.
fn pass_empty_lines(came: &mut BytesMut) {
    while let Some(length) =
        [&b"\r\n"[..], b"\n"].iter().find(|end| came.starts_with(end)).map(|end| end.len())
    {
        came.advance(length);
    }
}

/// Whether a head may end in what has come since `seen` bytes were looked at: long heads come in many pieces, and each
/// look at one begins at its first byte.
fn may_be_whole(came: &[u8], seen: usize) -> bool {
    let news = came.get(seen.saturating_sub(3)..).unwrap_or_default();
    if seen == 0 {
        return !came.is_empty();
    }
    memchr::memmem::find(news, b"\n\r\n").is_some() || memchr::memmem::find(news, b"\n\n").is_some()
}
