//! The body of an answer on its way to the client.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as _, Frame};

use super::{
    pen::{Pen, WrongLength},
    told::Framing,
};

/// An answer on its way.
pub(super) struct Telling {
    body: Body,
    framing: Framing,
    /// Its end was put down.
    over: bool,
    /// What came of it was put down, and no more will come.
    broken: Option<io::Error>,
}

impl Telling {
    /// Begins with the body behind a head.
    pub(super) fn new(body: Body, framing: Framing, pen: &mut Pen) -> Self {
        let mut telling = Self { body, framing, over: false, broken: None };
        if framing == Framing::Nothing || telling.body.is_end_stream() {
            telling.end(pen);
        }
        telling
    }

    /// Puts down what there is of the body. Ready: enough, or all of it.
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>, pen: &mut Pen) -> Poll<()> {
        while !self.over && self.broken.is_none() && !pen.is_full() {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => self.piece(frame, pen),
                Some(Err(error)) => self.broken = Some(io::Error::other(error)),
                None => self.end(pen),
            }
        }
        Poll::Ready(())
    }

    /// When all that was put down is written: whether that was the end, and whether a clean one.
    pub(super) fn ended(&mut self) -> Option<io::Result<()>> {
        match self.broken.take() {
            Some(error) => Some(Err(error)),
            None => self.over.then_some(Ok(())),
        }
    }

    fn piece(&mut self, frame: Frame<Bytes>, pen: &mut Pen) {
        let Ok(piece) = frame.into_data() else { return };
        match pen.piece(piece, &mut self.framing) {
            Err(wrong) => self.broken = Some(wrong.into()),
            // So that the end leaves with what is before it.
            Ok(()) if self.body.is_end_stream() => self.end(pen),
            Ok(()) => {}
        }
    }

    fn end(&mut self, pen: &mut Pen) {
        // What is counted at its end is counted before its client can know of it.
        self.body = Body::empty();
        match pen.end(self.framing) {
            Ok(()) => self.over = true,
            Err(wrong) => self.broken = Some(wrong.into()),
        }
    }
}

impl From<WrongLength> for io::Error {
    fn from(_: WrongLength) -> Self {
        Self::other("the body is not as long as its head says")
    }
}
