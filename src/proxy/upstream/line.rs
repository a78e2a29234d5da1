//! One connection to a coordinator, read and written by the request that has it, without a task of its own.
//!
//! It serves what statements and polls are: a request that is there as a whole, and an answer that streams. `asked` writes
//! the one, `head` and [`crate::proxy::chunks`] read the other, `body` hands it on, `idle` keeps lines that are between two requests.
//! hyper's client passes each request and each piece of an answer through channels to a task of its own; here whoever
//! waits reads the socket. Requests whose body streams take hyper's way.

mod asked;
mod body;
mod head;
mod idle;
mod spent;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod tests;

use std::{
    future::poll_fn,
    io, mem,
    net::SocketAddr,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use http::Method;
use thiserror::Error;
use tokio::io::{AsyncRead as _, AsyncReadExt as _, AsyncWrite as _, ReadBuf};

pub(super) use self::{
    asked::asked,
    body::LineBody,
    head::{Answered, MOST_HEADERS},
    idle::{Home, Idle},
};
use super::wire::Wire;
use crate::proxy::{chunks::NoChunk, turn};

/// A read of a line that has not seen a large page: most pages, and the heads of all, are smaller.
const SMALL_READ: usize = 8 * 1024;

/// The largest read; pages stream through it, so it bounds what a page costs. Larger ones are no faster, and every slow
/// reader of a large page holds some of them.
pub(super) const LARGE_READ: usize = 128 * 1024;

/// The largest read that an answer gets to by itself, and of one whose client takes it more slowly than it comes: a page that
/// begins may be one of a hundred that do, and holds what was read of it. Where a page came in several reads, the next one
/// on its line may come in one.
const MODEST_READ: usize = 32 * 1024;

/// An answer for which a pipe is worth its system calls: one of 64 KiB is cheaper read at once.
const LARGE_ANSWER: usize = 256 * 1024;

/// What is not worth a system call of its own.
const LEAST_READ: usize = 1024;

/// What stands between the data of two chunks of Jetty's, of 4 to 64 KiB: an end of line, four digits, another.
const FEW: usize = 8;

/// More than any Trino sends: Jetty's default is 8 KiB for all response headers, and settings raise it.
const LONGEST_HEAD: usize = 128 * 1024;

/// What went wrong on an open line.
#[derive(Debug, Error)]
pub(crate) enum Broken {
    /// The coordinator closed it before the answer had come whole.
    #[error("connection closed before the answer had come whole")]
    Ended,
    /// What came is no HTTP/1.1.
    #[error("the answer is no HTTP: {0}")]
    NoHttp(&'static str),
    /// The socket's own words.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<NoChunk> for Broken {
    fn from(NoChunk(why): NoChunk) -> Self {
        Self::NoHttp(why)
    }
}

impl Broken {
    /// Whether something came that no coordinator says.
    pub(super) fn is_no_http(&self) -> bool {
        matches!(self, Self::NoHttp(_))
    }
}

/// An open connection on which nothing is under way.
#[derive(Debug)]
pub(super) struct Line {
    wire: Wire,
    /// What has come and was not handed on.
    came: BytesMut,
    /// How much the next read asks for.
    read: usize,
    /// The most that one read brought since the last answer.
    most: usize,
    /// Nobody looks at the rest of this answer, and it may go through a pipe.
    wants_pipe: bool,
    /// Its client takes it more slowly than it comes.
    is_slow: bool,
    /// So much of this answer has come, read or not.
    total: usize,
    /// Whether the last answer was large and wanted one.
    was_large: bool,
    peer: Option<SocketAddr>,
}

impl Line {
    pub(super) fn new(wire: Wire) -> Self {
        let peer = wire.peer();
        Self {
            wire,
            came: BytesMut::new(),
            read: SMALL_READ,
            most: 0,
            wants_pipe: false,
            is_slow: false,
            total: 0,
            was_large: false,
            peer,
        }
    }

    /// Who is at its other end.
    pub(super) fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// Sends a request, and reads the head of its answer, which may come before all is sent. Dropped before its end, the
    /// line is no good.
    pub(super) async fn ask(
        &mut self,
        head: Bytes,
        body: Bytes,
        method: &Method,
    ) -> Result<Answered, Broken> {
        let mut words = head.chain(body);
        let mut failed = None;
        turn::given().await;
        poll_fn(|cx| {
            if failed.is_none()
                && let Poll::Ready(Err(error)) = self.poll_say(cx, &mut words)
            {
                // Who is refused in the middle of a sentence may yet be told why.
                failed = Some(error);
            }
            loop {
                if let Some(mut answered) = head::read(&mut self.came, method)? {
                    answered.stays &= failed.is_none() && !words.has_remaining();
                    return Poll::Ready(Ok(answered));
                }
                if self.came.len() > LONGEST_HEAD {
                    return Poll::Ready(Err(Broken::NoHttp("its head is too long")));
                }
                match ready!(self.poll_more(cx)) {
                    Ok(0) => {
                        return Poll::Ready(Err(failed.take().map_or(Broken::Ended, Broken::Io)));
                    }
                    Ok(_) => {}
                    Err(error) => return Poll::Ready(Err(error.into())),
                }
            }
        })
        .await
    }

    /// Writes what is left to be said.
    fn poll_say(&mut self, cx: &mut Context<'_>, words: &mut impl Buf) -> Poll<io::Result<()>> {
        while words.has_remaining() {
            let mut slices = [io::IoSlice::new(&[]); 2];
            let count = words.chunks_vectored(&mut slices);
            let wire = Pin::new(&mut self.wire);
            let said = ready!(match slices.get(..count).unwrap_or_default() {
                // What every poll is: one slice is a little cheaper to the kernel by itself.
                [slice] => wire.poll_write(cx, slice),
                slices => wire.poll_write_vectored(cx, slices),
            })?;
            if said == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            words.advance(said);
        }
        Pin::new(&mut self.wire).poll_flush(cx)
    }

    /// Reads what is there; 0 is the end.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.came.capacity() - self.came.len() < LEAST_READ {
            self.make_room();
        }
        let room = self.came.capacity() - self.came.len();
        // Keeps nothing between two polls.
        let count = ready!(pin!(self.wire.read_buf(&mut self.came)).poll(cx))?;
        self.most = self.most.max(count);
        self.total += count;
        if count == room {
            self.read = (self.read * 2).min(MODEST_READ).max(self.read);
        }
        Poll::Ready(Ok(count))
    }

    /// The client does not take what it was given: from here on little is read at once, or nothing where a pipe will do.
    fn held_up(&mut self) {
        self.is_slow = true;
        if self.read > MODEST_READ {
            self.read = MODEST_READ;
            // A large buffer serves others meanwhile.
            let mut modest = BytesMut::with_capacity(self.came.len() + MODEST_READ);
            modest.extend_from_slice(&self.came);
            spent::give(mem::replace(&mut self.came, modest));
        }
    }

    /// Reads at most so many bytes, and nothing behind them; 0 is the end.
    fn poll_few(&mut self, cx: &mut Context<'_>, most: usize) -> Poll<io::Result<usize>> {
        let mut room = [0; FEW];
        let mut room = ReadBuf::new(room.get_mut(..most).unwrap_or_default());
        ready!(Pin::new(&mut self.wire).poll_read(cx, &mut room))?;
        self.came.extend_from_slice(room.filled());
        Poll::Ready(Ok(room.filled().len()))
    }

    fn make_room(&mut self) {
        if self.is_small() || self.is_slow || self.came.try_reclaim(self.read) {
            return self.came.reserve(self.read);
        }
        // What has come and belongs to nobody yet, such as half of a chunk's size, moves on.
        let mut roomy = spent::take(self.came.len() + self.read);
        roomy.extend_from_slice(&self.came);
        spent::give(mem::replace(&mut self.came, roomy));
    }

    /// Whether it reads no more at once than any line may keep.
    fn is_small(&self) -> bool {
        self.read <= SMALL_READ
    }

    /// Whether a pipe may be used, and is worth its system calls.
    fn may_pass(&self) -> bool {
        let is_large = self.was_large || self.is_slow || self.total >= LARGE_ANSWER;
        is_large && self.wants_pipe && self.came.is_empty() && self.wire.bare().is_some()
    }

    /// Gives back what reads need, while the rest of an answer goes through a pipe: a slow client has that for minutes.
    fn lighten(&mut self) {
        if !self.is_small() || self.came.capacity() > SMALL_READ {
            spent::give(mem::replace(&mut self.came, BytesMut::with_capacity(LEAST_READ)));
            self.read = SMALL_READ;
        }
    }

    /// Whether nothing of an answer has come.
    pub(super) fn is_silent(&self) -> bool {
        self.most == 0
    }

    /// Whether another request may be sent on it: nothing has come unasked, and the coordinator has not closed it.
    fn is_quiet(&self) -> bool {
        self.came.is_empty() && self.wire.is_quiet()
    }

    /// Makes it ready to wait: what a large page needed is given back.
    fn rest(&mut self) {
        if !self.is_small() || self.came.capacity() > SMALL_READ {
            spent::give(mem::take(&mut self.came));
        }
        self.was_large = self.wants_pipe && self.total >= LARGE_ANSWER;
        if self.was_large {
            // Of the next page only its head is read.
            self.read = SMALL_READ;
        } else if self.most < self.read / 2 {
            self.read = (self.read / 2).max(SMALL_READ);
        } else if self.total > self.read {
            self.read = (self.read * 2).min(LARGE_READ);
        }
        self.most = 0;
        self.total = 0;
        self.wants_pipe = false;
        self.is_slow = false;
    }
}
