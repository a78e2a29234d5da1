//! What is to be written to a client, and the writing of it: words and small pieces are gathered, large pieces leave
//! beside them as they are, all in as few system calls as there can be.

use std::{
    collections::VecDeque,
    fmt::Write as _,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::AsyncWrite;

use super::told::Framing;
use crate::proxy::pipe::{Pipe, Piped};

/// Pieces of so little are copied to the words before them: that is cheaper than what a slice of its own costs.
const SMALL: usize = 8 * 1024;

/// So much is gathered before it is written.
const ENOUGH: usize = 64 * 1024;

/// Slices of one system call; a piece of a page needs two.
const MOST_SLICES: usize = 16;

/// What is kept between two answers: the heads of all, and most pages, are smaller.
const KEPT: usize = 4 * 1024;

/// What was not written yet, in order: the queue, then the text, then what a pipe holds.
#[derive(Debug, Default)]
pub(super) struct Pen {
    queue: VecDeque<Bytes>,
    queued: usize,
    /// Words and small pieces.
    pub(super) text: BytesMut,
    /// What comes after the text, and the words behind it.
    pipe: Option<(Pipe, &'static [u8])>,
}

/// What ends a chunk, and what ends the last one and the body.
const CHUNK_END: &[u8] = b"\r\n";
const LAST_END: &[u8] = b"\r\n0\r\n\r\n";

/// A body that is longer or shorter than its head has said.
#[derive(Debug)]
pub(super) struct WrongLength;

impl Pen {
    /// Puts down a piece of a body.
    pub(super) fn piece(&mut self, piece: Bytes, framing: &mut Framing) -> Result<(), WrongLength> {
        if piece.is_empty() {
            return Ok(());
        }
        match framing {
            Framing::Nothing => return Ok(()),
            Framing::Rest => self.put(piece),
            Framing::Bytes(left) => {
                *left = left.checked_sub(piece.len() as u64).ok_or(WrongLength)?;
                self.put(piece);
            }
            Framing::Chunks => {
                // It grows as it is written to, and so takes everything.
                let _ = write!(self.text, "{:X}\r\n", piece.len());
                self.put(piece);
                self.text.extend_from_slice(b"\r\n");
            }
        }
        Ok(())
    }

    /// Puts down what a pipe holds of a body.
    pub(super) fn pipe(&mut self, pipe: Pipe, framing: &mut Framing) -> Result<(), WrongLength> {
        if pipe.holds() == 0 {
            return Ok(());
        }
        let mut end = &b""[..];
        match framing {
            Framing::Bytes(left) => {
                *left = left.checked_sub(pipe.holds() as u64).ok_or(WrongLength)?;
            }
            Framing::Chunks => {
                let _ = write!(self.text, "{:X}\r\n", pipe.holds());
                end = CHUNK_END;
            }
            Framing::Nothing | Framing::Rest => {}
        }
        self.pipe = Some((pipe, end));
        Ok(())
    }

    /// Puts down the end of a body.
    pub(super) fn end(&mut self, framing: Framing) -> Result<(), WrongLength> {
        if let (Framing::Chunks, Some((_, end))) = (framing, &mut self.pipe) {
            *end = LAST_END;
            return Ok(());
        }
        match framing {
            Framing::Bytes(left) if left > 0 => return Err(WrongLength),
            Framing::Chunks => self.text.extend_from_slice(b"0\r\n\r\n"),
            _ => {}
        }
        Ok(())
    }

    fn put(&mut self, piece: Bytes) {
        if piece.len() <= SMALL {
            return self.text.extend_from_slice(&piece);
        }
        if !self.text.is_empty() {
            let text = self.text.split().freeze();
            self.queue_up(text);
        }
        self.queue_up(piece);
    }

    fn queue_up(&mut self, piece: Bytes) {
        self.queued += piece.len();
        self.queue.push_back(piece);
    }

    /// Whether enough was put down to be written.
    pub(super) fn is_full(&self) -> bool {
        self.pipe.is_some() || self.held() >= ENOUGH || self.queue.len() >= MOST_SLICES - 2
    }

    /// Bytes that were put down, without what a pipe holds.
    pub(super) fn held(&self) -> usize {
        self.queued + self.text.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.text.is_empty() && self.pipe.is_none()
    }

    /// Writes all of it, but for the end of a chunk that leaves with what follows.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        mut socket: Pin<&mut (impl AsyncWrite + Piped)>,
    ) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            if self.queue.is_empty() && self.pipe.is_some() {
                ready!(self.poll_pass(cx, socket.as_mut()))?;
                if self.is_left_for_later() {
                    return Poll::Ready(Ok(()));
                }
                continue;
            }
            let written = if self.queue.is_empty() {
                ready!(socket.as_mut().poll_write(cx, &self.text))?
            } else {
                let mut slices = [io::IoSlice::new(&[]); MOST_SLICES];
                let all = self.queue.iter().map(Bytes::as_ref).chain([self.text.as_ref()]);
                let count =
                    slices.iter_mut().zip(all).map(|(at, it)| *at = io::IoSlice::new(it)).count();
                let slices = slices.get(..count).unwrap_or_default();
                ready!(socket.as_mut().poll_write_vectored(cx, slices))?
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(written);
        }
        ready!(socket.poll_flush(cx))?;
        if self.text.capacity() > KEPT {
            self.text = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }

    /// One step of the text before a pipe, of what the pipe holds, or of the words behind it.
    fn poll_pass(
        &mut self,
        cx: &mut Context<'_>,
        socket: Pin<&mut impl Piped>,
    ) -> Poll<io::Result<()>> {
        let Some((pipe, end)) = &mut self.pipe else { return Poll::Ready(Ok(())) };
        if pipe.holds() == 0 {
            self.text.extend_from_slice(end);
            self.pipe = None;
            return Poll::Ready(Ok(()));
        }
        let written = if self.text.is_empty() {
            ready!(socket.poll_pass(cx, pipe, *end == LAST_END))?
        } else {
            let begun = ready!(socket.poll_begin(cx, &self.text))?;
            self.text.advance(begun);
            begun
        };
        Poll::Ready(if written > 0 { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) })
    }

    /// Whether all that is left is the end of a chunk.
    fn is_left_for_later(&self) -> bool {
        self.pipe.is_none() && self.text.as_ref() == CHUNK_END
    }

    fn advance(&mut self, mut written: usize) {
        while let Some(first) = self.queue.front_mut() {
            let part = written.min(first.len());
            first.advance(part);
            (written, self.queued) = (written - part, self.queued - part);
            if !first.is_empty() {
                return;
            }
            self.queue.pop_front();
        }
        self.text.advance(written.min(self.text.len()));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

    use std::future::poll_fn;

    use super::*;

    /// A socket that takes so many bytes at once and counts how often it is asked to.
    struct Narrow {
        at_once: usize,
        took: Vec<u8>,
        calls: usize,
    }

    impl AsyncWrite for Narrow {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let count = bytes.len().min(self.at_once);
            self.took.extend(bytes.iter().take(count));
            self.calls += 1;
            Poll::Ready(Ok(count))
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            slices: &[io::IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let all: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
            let count = all.len().min(self.at_once);
            self.took.extend(all.iter().take(count));
            self.calls += 1;
            Poll::Ready(Ok(count))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    impl Piped for Narrow {
        fn poll_begin(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            words: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.poll_write(cx, words)
        }

        fn poll_pass(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut Pipe,
            _: bool,
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
        }
    }

    async fn written(pen: &mut Pen, at_once: usize) -> (Vec<u8>, usize) {
        let mut socket = Narrow { at_once, took: Vec::new(), calls: 0 };
        poll_fn(|cx| pen.poll_write(cx, Pin::new(&mut socket))).await.unwrap();
        assert!(pen.is_empty());
        (socket.took, socket.calls)
    }

    #[tokio::test]
    async fn pieces_large_and_small_come_in_order_however_little_is_taken_at_once() {
        let large = vec![b'l'; SMALL + 1];
        for at_once in [1, 7, 1000, usize::MAX] {
            let (mut pen, mut framing) = (Pen::default(), Framing::Chunks);
            pen.text.extend_from_slice(b"head");
            for piece in [&b"small"[..], &large, b"", b"a", &large] {
                pen.piece(Bytes::copy_from_slice(piece), &mut framing).unwrap();
            }
            pen.end(framing).unwrap();
            let (took, calls) = written(&mut pen, at_once).await;
            let large = String::from_utf8(large.clone()).unwrap();
            let all = format!(
                "head5\r\nsmall\r\n2001\r\n{large}\r\n1\r\na\r\n2001\r\n{large}\r\n0\r\n\r\n"
            );
            assert!(took == all.into_bytes(), "{at_once}");
            assert!(at_once < usize::MAX || calls == 1, "{calls} calls");
        }
    }

    #[tokio::test]
    async fn a_stated_length_is_kept_or_the_body_is_wrong() {
        let (mut pen, mut framing) = (Pen::default(), Framing::Bytes(4));
        pen.piece(Bytes::from_static(b"abc"), &mut framing).unwrap();
        assert!(pen.end(framing).is_err(), "too short");
        assert!(pen.piece(Bytes::from_static(b"de"), &mut framing).is_err(), "too long");
        pen.piece(Bytes::from_static(b"d"), &mut framing).unwrap();
        pen.end(framing).unwrap();
        assert_eq!(written(&mut pen, usize::MAX).await.0, b"abcd");
    }

    #[tokio::test]
    async fn nothing_is_written_of_a_body_that_there_must_not_be() {
        let (mut pen, mut framing) = (Pen::default(), Framing::Nothing);
        pen.piece(Bytes::from_static(b"abc"), &mut framing).unwrap();
        pen.end(framing).unwrap();
        assert!(pen.is_empty());
    }
}
