//! The body of a request: whoever answers it reads it here, piece by piece, as its connection brings it.
//!
//! Nothing is read ahead: the connection looks for the next piece when the last was taken and another is wanted. The two
//! may be in one task or in two (a body that streams on to a coordinator is read by that connection's task), so each
//! wakes the other.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use thiserror::Error;

use super::heard::Length;

/// Why a body has no end.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub(super) enum Cut {
    /// The connection ended in its middle.
    #[error("the connection ended before the body had come whole")]
    Ended,
    /// What came is no chunk.
    #[error("{0}")]
    NoChunk(&'static str),
}

/// The connection's end of a body.
#[derive(Debug)]
pub(super) struct Bringing(Arc<Mutex<Desk>>);

/// The reader's end.
#[derive(Debug)]
struct Brought(Arc<Mutex<Desk>>);

#[derive(Debug, Default)]
struct Desk {
    next: Option<Result<Bytes, Cut>>,
    over: bool,
    /// Bytes that its head has promised and that were not taken yet.
    left: Option<u64>,
    wanted: bool,
    /// Nobody reads it any more.
    unwanted: bool,
    reader: Option<Waker>,
    bringer: Option<Waker>,
}

/// A body of that length, which is not 0.
pub(super) fn body(length: &Length) -> (Bringing, Body) {
    let left = match length {
        Length::Bytes(bytes) => Some(*bytes),
        Length::Chunks(_) => None,
    };
    let desk = Arc::new(Mutex::new(Desk { left, ..Desk::default() }));
    (Bringing(Arc::clone(&desk)), Body::new(Brought(desk)))
}

fn open(desk: &Mutex<Desk>) -> MutexGuard<'_, Desk> {
    // Nothing panics while it is held.
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Bringing {
    /// Ready when the next piece is wanted.
    pub(super) fn poll_wanted(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut desk = open(&self.0);
        if desk.wanted && desk.next.is_none() {
            return Poll::Ready(());
        }
        desk.bringer = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Whether whoever read it has left it.
    pub(super) fn is_unwanted(&self) -> bool {
        open(&self.0).unwanted
    }

    /// Brings a piece, or why none will come any more.
    pub(super) fn give(&self, piece: Result<Bytes, Cut>) {
        let mut desk = open(&self.0);
        desk.over |= piece.is_err();
        desk.next = Some(piece);
        desk.tell_reader();
    }

    /// It has come whole.
    pub(super) fn end(&self) {
        let mut desk = open(&self.0);
        desk.over = true;
        desk.tell_reader();
    }
}

impl Drop for Bringing {
    fn drop(&mut self) {
        // Whoever reads it may live on.
        if !open(&self.0).over {
            self.give(Err(Cut::Ended));
        }
    }
}

impl Desk {
    fn tell_reader(&mut self) {
        self.wanted = false;
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    fn tell_bringer(&mut self) {
        if let Some(bringer) = self.bringer.take() {
            bringer.wake();
        }
    }
}

impl http_body::Body for Brought {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let mut desk = open(&self.0);
        if let Some(next) = desk.next.take() {
            if let (Ok(piece), Some(left)) = (&next, &mut desk.left) {
                *left = left.saturating_sub(piece.len() as u64);
            }
            return Poll::Ready(Some(next.map(Frame::data)));
        }
        if desk.over {
            return Poll::Ready(None);
        }
        desk.wanted = true;
        desk.reader = Some(cx.waker().clone());
        desk.tell_bringer();
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        let desk = open(&self.0);
        desk.next.is_none() && desk.over
    }

    fn size_hint(&self) -> SizeHint {
        open(&self.0).left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for Brought {
    fn drop(&mut self) {
        let mut desk = open(&self.0);
        desk.unwanted = true;
        desk.tell_bringer();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

    use std::future::poll_fn;

    use http_body::Body as _;
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn a_piece_is_brought_when_it_is_wanted() {
        let (bringing, body) = body(&Length::Bytes(6));
        assert_eq!(body.size_hint().exact(), Some(6));
        let reader = tokio::spawn(async move { body.collect().await.unwrap().to_bytes() });
        for piece in ["abc", "def"] {
            poll_fn(|cx| bringing.poll_wanted(cx)).await;
            bringing.give(Ok(Bytes::from_static(piece.as_bytes())));
        }
        bringing.end();
        assert_eq!(reader.await.unwrap(), "abcdef");
        assert!(bringing.is_unwanted());
    }

    #[tokio::test]
    async fn a_body_that_is_cut_is_no_end() {
        let (bringing, body) = body(&Length::Bytes(6));
        let reader = tokio::spawn(async move { body.collect().await.map(drop) });
        poll_fn(|cx| bringing.poll_wanted(cx)).await;
        drop(bringing);
        let words = reader.await.unwrap().unwrap_err().to_string();
        assert_eq!(words, Cut::Ended.to_string());
    }
}
