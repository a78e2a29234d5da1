//! The body of an answer as it comes off the line; at its end the line goes back to wait for the next request.

use std::{
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::{
    Broken, FEW, Line,
    head::{Answered, Length},
    idle::Home,
};
use crate::proxy::{
    chunks::Next,
    pipe::{self, Pipe},
};

/// What is not worth the system calls of a pipe: they cost as much as copying so many bytes twice.
const WORTH_A_PIPE: u64 = 16 * 1024;

/// An answer's body. Dropped before its end it closes the line, which is how the coordinator learns that nobody reads on.
#[derive(Debug)]
pub(crate) struct LineBody {
    /// None once the body has come whole, or broken.
    line: Option<Line>,
    length: Length,
    /// What comes next belongs to a chunk that goes through a pipe, or stands behind one.
    passes: bool,
    /// Where the line goes; `None`: it closes.
    home: Option<Home>,
    peer: Option<SocketAddr>,
}

impl LineBody {
    /// The body that follows a head.
    pub(in super::super) fn of(
        answered: Answered,
        line: Line,
        home: Home,
    ) -> (http::response::Parts, Self) {
        let Answered { parts, length, stays } = answered;
        let (peer, home) = (line.peer(), stays.then_some(home));
        let mut body = Self { line: Some(line), length, passes: false, home, peer };
        body.settle();
        (parts, body)
    }

    /// Who sends it.
    pub(in super::super) fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// What has come already.
    fn next(&mut self) -> Result<Next, Broken> {
        let Some(line) = &mut self.line else { return Ok(Next::Over) };
        let came = &mut line.came;
        match &mut self.length {
            Length::Chunks(chunks) => Ok(chunks.next(came)?),
            Length::Bytes(0) => Ok(Next::Over),
            _ if came.is_empty() => Ok(Next::More),
            Length::Rest => Ok(Next::Piece(came.split().freeze())),
            Length::Bytes(left) => {
                let piece = came.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= piece as u64;
                Ok(Next::Piece(came.split_to(piece).freeze()))
            }
        }
    }

    /// Whether some of what comes next was read already.
    pub(crate) fn has_come(&self) -> bool {
        self.line.as_ref().is_some_and(|line| !line.came.is_empty())
    }

    /// Bytes of it that come next on the socket, none of them read.
    fn ahead(&self) -> u64 {
        match (&self.line, &self.length) {
            (Some(line), length) if line.came.is_empty() => match length {
                Length::Bytes(left) => *left,
                Length::Chunks(chunks) => chunks.ahead(),
                Length::Rest => u64::MAX,
            },
            _ => 0,
        }
    }

    /// Nobody will look at what has yet to come, and it goes where a pipe can be emptied.
    pub(crate) fn want_pipe(&mut self) {
        if let Some(line) = &mut self.line {
            line.wants_pipe = true;
        }
    }

    /// Its client takes it more slowly than it comes.
    pub(crate) fn held_up(&mut self) {
        if let Some(line) = &mut self.line {
            line.held_up();
        }
    }

    /// Whether what comes next may go through a pipe, and is worth one.
    pub(crate) fn may_pass(&self) -> bool {
        let is_free = self.line.as_ref().is_some_and(Line::may_pass);
        is_free && (self.passes || self.ahead() >= WORTH_A_PIPE)
    }

    /// Puts what comes next into an empty pipe, until that holds enough, or something must be looked at.
    pub(crate) fn poll_pass(
        &mut self,
        cx: &mut Context<'_>,
        pipe: &mut Pipe,
    ) -> Poll<Result<(), Broken>> {
        while pipe.holds() < pipe::ENOUGH && self.may_pass() {
            match self.poll_stretch(cx, pipe) {
                Poll::Ready(Ok(())) => {}
                Poll::Pending if pipe.holds() > 0 => break,
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(broken)) => {
                    self.line = None;
                    return Poll::Ready(Err(broken));
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// One stretch of data, and what stands between it and the next.
    fn poll_stretch(&mut self, cx: &mut Context<'_>, pipe: &mut Pipe) -> Poll<Result<(), Broken>> {
        if self.passes && self.ahead() == 0 {
            return self.poll_between(cx);
        }
        let room = pipe::ENOUGH - pipe.holds();
        let most = usize::try_from(self.ahead()).unwrap_or(usize::MAX).min(room);
        let Some(socket) = self.line.as_ref().and_then(|line| line.wire.bare()) else {
            return Poll::Ready(Ok(()));
        };
        let passed = ready!(pipe.poll_fill(cx, socket, most))?;
        if passed == 0 {
            let is_end = matches!(self.length, Length::Rest);
            self.line = None;
            return Poll::Ready(if is_end { Ok(()) } else { Err(Broken::Ended) });
        }
        self.passed(passed);
        self.settle();
        if self.ahead() > 0 { Poll::Ready(Ok(())) } else { self.poll_between(cx) }
    }

    fn passed(&mut self, count: usize) {
        if let Some(line) = &mut self.line {
            if !self.passes {
                line.lighten();
            }
            line.total += count;
        }
        self.passes = true;
        match &mut self.length {
            Length::Bytes(left) => *left -= count as u64,
            Length::Chunks(chunks) => chunks.passed(count as u64),
            Length::Rest => {}
        }
    }

    /// Reads what stands between two chunks, and nothing of the second. Ready as well where that cannot be: then more has come
    /// than was wanted, and is handed on as a piece.
    fn poll_between(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        let mut few = FEW;
        while matches!(self.length, Length::Chunks(_)) && self.ahead() == 0 {
            let Some(line) = &mut self.line else { break };
            let Length::Chunks(chunks) = &mut self.length else { break };
            if !chunks.wants_more(&mut line.came)? {
                break;
            }
            if ready!(line.poll_few(cx, few))? == 0 {
                return Poll::Ready(Err(Broken::Ended));
            }
            few = 1;
            self.settle();
        }
        self.passes = self.ahead() >= WORTH_A_PIPE;
        Poll::Ready(Ok(()))
    }

    /// Sees whether the end has come, too, so that nobody must ask again.
    fn settle(&mut self) {
        let is_over = match &mut self.length {
            Length::Bytes(left) => *left == 0,
            Length::Rest => false,
            // Data that has come is not at the end.
            Length::Chunks(chunks) => match &mut self.line {
                Some(line) => chunks.is_over(&mut line.came),
                None => true,
            },
        };
        if is_over {
            self.end();
        }
    }

    fn end(&mut self) {
        if let (Some(line), Some(home)) = (self.line.take(), self.home.take()) {
            home.take_back(line);
        }
    }

    fn breaks(&mut self, broken: Broken) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.line = None;
        Poll::Ready(Some(Err(broken)))
    }
}

impl Body for LineBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = &mut *self;
        loop {
            match this.next() {
                Ok(Next::Piece(piece)) => {
                    this.settle();
                    return Poll::Ready(Some(Ok(Frame::data(piece))));
                }
                Ok(Next::Over) => {
                    this.end();
                    return Poll::Ready(None);
                }
                Ok(Next::More) => {}
                Err(broken) => return this.breaks(broken),
            }
            let Some(line) = &mut this.line else { return Poll::Ready(None) };
            match ready!(line.poll_more(cx)) {
                Ok(0) if matches!(this.length, Length::Rest) => {
                    this.line = None;
                    return Poll::Ready(None);
                }
                Ok(0) => return this.breaks(Broken::Ended),
                Ok(_) => {}
                Err(error) => return this.breaks(error.into()),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.line.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.line, &self.length) {
            (None, _) => SizeHint::with_exact(0),
            (Some(_), Length::Bytes(left)) => SizeHint::with_exact(*left),
            _ => SizeHint::default(),
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod tests;
