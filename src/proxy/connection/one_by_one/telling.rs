//! The body of an answer on its way to the client.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body as _, Frame};

use super::{
    pen::{Pen, WrongLength},
    told::Framing,
};
use crate::proxy::{exchange::Accounted, pipe::Pipe};

/// An answer on its way.
pub(super) struct Telling {
    /// None once its end was put down.
    body: Option<Accounted>,
    framing: Framing,
    /// Its end was put down.
    over: bool,
    /// The client takes it more slowly than it comes.
    is_slow: bool,
    /// What came of it was put down, and no more will come.
    broken: Option<io::Error>,
}

impl Telling {
    /// Begins with the body behind a head.
    pub(super) fn new(body: Accounted, framing: Framing, pen: &mut Pen) -> Self {
        let is_over = framing == Framing::Nothing || body.is_end_stream();
        let mut telling =
            Self { body: Some(body), framing, over: false, is_slow: false, broken: None };
        if is_over {
            telling.end(pen);
        }
        telling
    }

    /// Puts down what there is of the body. Ready: enough, or all of it.
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>, pen: &mut Pen) -> Poll<()> {
        while self.broken.is_none() && !self.is_enough(pen) {
            let Some(body) = &mut self.body else { break };
            if body.may_pass()
                && let Some(pipe) = Pipe::take()
            {
                ready!(self.poll_pass(cx, pipe, pen));
                continue;
            }
            match ready!(Pin::new(body).poll_frame(cx)) {
                Some(Ok(frame)) => self.piece(frame, pen),
                Some(Err(error)) => self.broken = Some(io::Error::other(error)),
                None => self.end(pen),
            }
        }
        Poll::Ready(())
    }

    fn is_enough(&self, pen: &Pen) -> bool {
        let held = pen.held();
        let is_behind = |body: &Accounted| body.is_plenty_behind(held);
        pen.is_full() || held > 0 && self.body.as_ref().is_some_and(is_behind)
    }

    /// Hears that the client does not take what was put down: as little as can be is held for it from here on.
    pub(super) fn held_up(&mut self) {
        if let Some(body) = self.body.as_mut().filter(|_| !self.is_slow) {
            self.is_slow = true;
            body.held_up();
        }
    }

    /// When all that was put down is written: whether that was the end, and whether a clean one.
    pub(super) fn ended(&mut self) -> Option<io::Result<()>> {
        match self.broken.take() {
            Some(error) => Some(Err(error)),
            None => self.over.then_some(Ok(())),
        }
    }

    /// Puts down what comes next as a pipe that holds it.
    fn poll_pass(&mut self, cx: &mut Context<'_>, mut pipe: Pipe, pen: &mut Pen) -> Poll<()> {
        let Some(body) = &mut self.body else { return Poll::Ready(()) };
        let outcome = ready!(body.poll_pass(cx, &mut pipe));
        match (pen.pipe(pipe, &mut self.framing), outcome) {
            (Err(wrong), _) => self.broken = Some(wrong.into()),
            (_, Err(error)) => self.broken = Some(io::Error::other(error)),
            _ if self.is_at_end() => self.end(pen),
            _ => {}
        }
        Poll::Ready(())
    }

    fn is_at_end(&self) -> bool {
        self.body.as_ref().is_none_or(http_body::Body::is_end_stream)
    }

    fn piece(&mut self, frame: Frame<Bytes>, pen: &mut Pen) {
        let Ok(piece) = frame.into_data() else { return };
        match pen.piece(piece, &mut self.framing) {
            Err(wrong) => self.broken = Some(wrong.into()),
            // So that the end leaves with what is before it.
            Ok(()) if self.is_at_end() => self.end(pen),
            Ok(()) => {}
        }
    }

    fn end(&mut self, pen: &mut Pen) {
        // What is counted at its end is counted before its client can know of it.
        self.body = None;
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
