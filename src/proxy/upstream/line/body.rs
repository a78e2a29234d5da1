//! The body of an answer as it comes off the line; at its end the line goes back to wait for the next request.

use std::{
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::{
    Broken, Line,
    head::{Answered, Length},
    idle::Home,
};
use crate::proxy::chunks::Next;

/// An answer's body. Dropped before its end it closes the line, which is how the coordinator learns that nobody reads on.
#[derive(Debug)]
pub(crate) struct LineBody {
    /// None once the body has come whole, or broken.
    line: Option<Line>,
    length: Length,
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
        let mut body = Self { line: Some(line), length, home, peer };
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
