//! The body of a coordinator's answer, whichever way it came.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use thiserror::Error;

use super::line::{self, LineBody};
use crate::proxy::pipe::Pipe;

/// A body that streams from a coordinator.
#[derive(Debug)]
pub(crate) enum AnswerBody {
    /// Of a request without a body.
    Line(LineBody),
    /// Of any other.
    Hyper(Incoming),
}

/// It broke off.
#[derive(Debug, Error)]
pub(crate) enum Broken {
    /// On a line of ours.
    #[error(transparent)]
    Line(#[from] line::Broken),
    /// On a connection of hyper's.
    #[error(transparent)]
    Hyper(#[from] hyper::Error),
}

impl AnswerBody {
    /// Nobody will look at what has yet to come, and it goes where a pipe can be emptied.
    pub(crate) fn want_pipe(&mut self) {
        if let Self::Line(body) = self {
            body.want_pipe();
        }
    }

    /// Whether some of what comes next was read already; what hyper has read it does not say.
    pub(crate) fn has_come(&self) -> bool {
        match self {
            Self::Line(body) => body.has_come(),
            Self::Hyper(_) => true,
        }
    }

    /// Its client takes it more slowly than it comes.
    pub(crate) fn held_up(&mut self) {
        if let Self::Line(body) = self {
            body.held_up();
        }
    }

    /// Whether what comes next may go through a pipe, and is worth one.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Self::Line(body) if body.may_pass())
    }

    /// Puts what comes next into an empty pipe; what is in it counts even if the answer breaks behind it.
    pub(crate) fn poll_pass(
        &mut self,
        cx: &mut Context<'_>,
        pipe: &mut Pipe,
    ) -> Poll<Result<(), Broken>> {
        match self {
            Self::Line(body) => body.poll_pass(cx, pipe).map_err(Into::into),
            Self::Hyper(_) => Poll::Ready(Ok(())),
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match self.get_mut() {
            Self::Line(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
            Self::Hyper(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Line(body) => body.is_end_stream(),
            Self::Hyper(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Line(body) => body.size_hint(),
            Self::Hyper(body) => body.size_hint(),
        }
    }
}
