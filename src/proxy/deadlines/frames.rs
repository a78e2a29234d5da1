//! The reading side of an HTTP/2 connection: the head of a request must come in time, however it is cut into frames.
//!
//! Only the nine bytes before each frame are read (RFC 9113 section 4.1), to know whether a head has begun that has
//! not ended; frames themselves are judged by hyper. How long a connection may be without a stream is not known here.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Alarm;

/// What a client of HTTP/2 says first (RFC 9113 section 3.4).
const PREFACE: usize = 24;

/// Length (3 bytes), type, flags, stream (4 bytes).
const FRAME_HEAD: usize = 9;

const HEADERS: u8 = 0x1;
const CONTINUATION: u8 = 0x9;
const END_HEADERS: u8 = 0x4;

/// A connection that ends itself when the head of a request takes too long.
#[derive(Debug)]
pub(crate) struct Framed<S> {
    socket: S,
    limit: Duration,
    frames: Frames,
    reading: Alarm,
    reading_for: Option<u32>,
}

impl<S> Framed<S> {
    pub(crate) fn new(socket: S, limit: Duration) -> Self {
        let frames = Frames::default();
        Self { socket, limit, frames, reading: Alarm::default(), reading_for: None }
    }

    /// Called when there is nothing to read: is a head under way for too long?
    fn read_deadline(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let head = self.frames.open_head();
        if head != self.reading_for {
            self.reading.clear();
            self.reading_for = head;
        }
        if head.is_none() {
            return Poll::Pending;
        }
        let limit = self.limit;
        ready!(self.reading.poll(cx, limit));
        Poll::Ready(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("request head timed out after {limit:?}"),
        ))
    }
}

/// Where in the client's frames the next byte is.
#[derive(Debug)]
struct Frames {
    /// Bytes of the present frame, or of the preface, that are still to come.
    rest: usize,
    /// The beginning of the next frame, as far as it has come.
    next: [u8; FRAME_HEAD],
    have: usize,
    /// Whether the present frame is part of a request's head.
    in_head: bool,
    /// Whether that head goes on in another frame.
    goes_on: bool,
    /// Heads that have begun.
    begun: u32,
}

impl Default for Frames {
    fn default() -> Self {
        let next = [0; FRAME_HEAD];
        Self { rest: PREFACE, next, have: 0, in_head: false, goes_on: false, begun: 0 }
    }
}

impl Frames {
    fn follow(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let taken = if self.rest > 0 { self.skip(bytes) } else { self.collect(bytes) };
            bytes = bytes.get(taken..).unwrap_or_default();
        }
    }

    /// Passes over the present frame.
    fn skip(&mut self, bytes: &[u8]) -> usize {
        let taken = self.rest.min(bytes.len());
        self.rest -= taken;
        taken
    }

    /// Takes what is missing of the next frame's beginning.
    fn collect(&mut self, bytes: &[u8]) -> usize {
        let missing = self.next.iter_mut().skip(self.have).zip(bytes);
        let taken = missing.map(|(at, byte)| *at = *byte).count();
        self.have += taken;
        if self.have == FRAME_HEAD {
            self.have = 0;
            self.begin();
        }
        taken
    }

    fn begin(&mut self) {
        let [high, middle, low, kind, flags, ..] = self.next;
        self.rest = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        self.in_head = matches!(kind, HEADERS | CONTINUATION);
        if kind == HEADERS {
            self.begun = self.begun.wrapping_add(1);
        }
        if self.in_head {
            self.goes_on = flags & END_HEADERS == 0;
        }
    }

    /// The number of the head that has begun and not ended.
    fn open_head(&self) -> Option<u32> {
        let is_open = self.goes_on || self.have > 0 || (self.in_head && self.rest > 0);
        is_open.then_some(self.begun)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Framed<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut this.socket).poll_read(cx, buffer);
        if outcome.is_pending() {
            return this.read_deadline(cx).map(Err);
        }
        this.frames.follow(buffer.filled().get(before..).unwrap_or_default());
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Framed<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().socket).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().socket).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}
