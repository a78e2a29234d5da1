//! The body of an answer as a client is handed it: a page that streams, or whatever else answers.
//!
//! A page keeps its type all the way to the connection that writes it, since the connection may take more than bytes of it:
//! what nobody has to look at goes through a [`Pipe`].

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::{page::PageBody, pipe::Pipe};

/// The body of an answer.
#[derive(Debug)]
pub(crate) enum Handed {
    /// A page, as it comes from its coordinator.
    Page(Box<PageBody>),
    /// Anything else.
    Other(Body),
}

impl Handed {
    /// Whether what comes next may go through a pipe.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Self::Page(page) if page.may_pass())
    }

    /// Whether nothing more of it is to be read before so much has left.
    pub(crate) fn is_plenty_behind(&self, held: usize) -> bool {
        matches!(self, Self::Page(page) if page.is_plenty_behind(held))
    }

    /// Its client takes it more slowly than it comes.
    pub(crate) fn held_up(&mut self) {
        if let Self::Page(page) = self {
            page.held_up();
        }
    }

    /// Puts what comes next into an empty pipe.
    pub(crate) fn poll_pass(
        &mut self,
        cx: &mut Context<'_>,
        pipe: &mut Pipe,
    ) -> Poll<Result<(), axum::Error>> {
        match self {
            Self::Page(page) => page.poll_pass(cx, pipe).map_err(axum::Error::new),
            Self::Other(_) => Poll::Ready(Ok(())),
        }
    }
}

/// What a client is answered.
pub(crate) type Answer = http::Response<Handed>;

/// An answer that is no page.
pub(crate) fn other(answer: Response) -> Answer {
    answer.map(Handed::Other)
}

impl Default for Handed {
    fn default() -> Self {
        Self::Other(Body::empty())
    }
}

impl http_body::Body for Handed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match self.get_mut() {
            Self::Page(page) => Pin::new(page.as_mut()).poll_frame(cx).map_err(axum::Error::new),
            Self::Other(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Page(page) => page.is_end_stream(),
            Self::Other(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Page(page) => page.size_hint(),
            Self::Other(body) => body.size_hint(),
        }
    }
}
