//! The writing side of a connection: a client that takes no byte for too long is cut off.
//!
//! It stands below TLS, which takes bytes into a buffer of its own whether the client does or not.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Alarm, Reset};
use crate::proxy::pipe::{Pipe, Piped};

/// A socket into which writing fails when its client has taken nothing for a while.
#[derive(Debug)]
pub(crate) struct Pushed<S> {
    socket: S,
    limit: Duration,
    writing: Alarm,
}

impl<S> Pushed<S> {
    pub(crate) fn new(socket: S, limit: Duration) -> Self {
        Self { socket, limit, writing: Alarm::default() }
    }

    fn written<T>(
        &mut self,
        cx: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.writing.clear();
            return outcome;
        }
        let limit = self.limit;
        ready!(self.writing.poll(cx, limit));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("client took no byte for {limit:?}"),
        )))
    }
}

impl<S: Reset> Reset for Pushed<S> {
    fn reset(&self) {
        self.socket.reset();
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Pushed<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_read(cx, buffer)
    }
}

impl<S: Piped + Unpin> Piped for Pushed<S> {
    fn poll_begin(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        words: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.socket).poll_begin(cx, words);
        this.written(cx, outcome)
    }

    fn poll_pass(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pipe: &mut Pipe,
        more: bool,
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.socket).poll_pass(cx, pipe, more);
        this.written(cx, outcome)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Pushed<S> {
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
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}
