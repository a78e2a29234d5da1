//! The reading side of a connection with one request after another.
//!
//! hyper's `header_read_timeout` would also end idle keep-alive connections, which clients' pools hold for 5
//! minutes; so it stays off, and this wrapper tells the two apart: *idle* (no byte of a next request), *head*
//! (the first byte came, the request is not complete) and *busy* (a request is being answered: no deadline).

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Alarm, BROKEN, HEAD, IDLE, Limits, Reset, Stage};
use crate::proxy::pipe::{Pipe, Piped};

/// A connection that ends itself when its client is too slow to ask, and with a reset when its answer broke off: to a
/// client of HTTP/1.0 the end of the connection is the end of the page.
#[derive(Debug)]
pub(crate) struct Guarded<S: Reset> {
    socket: S,
    limits: Limits,
    stage: Arc<Stage>,
    reading: Alarm,
    reading_for: u8,
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
        Self { socket, limits, stage, reading: Alarm::default(), reading_for: IDLE }
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
                    this.stage.began();
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

impl<S: Piped + Reset + Unpin> Piped for Guarded<S> {
    fn poll_begin(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        words: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().socket).poll_begin(cx, words)
    }

    fn poll_pass(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pipe: &mut Pipe,
        more: bool,
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().socket).poll_pass(cx, pipe, more)
    }
}

impl<S: AsyncWrite + Reset + Unpin> AsyncWrite for Guarded<S> {
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
        let this = self.get_mut();
        if this.stage.get() == BROKEN {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut this.socket).poll_shutdown(cx)
    }
}
