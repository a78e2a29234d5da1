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
