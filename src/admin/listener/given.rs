//! An answer on its way out, in pieces, so that its connection knows whether somebody takes it.
//!
//! hyper would take a large body whole and hold it for as long as its reader pleases. In pieces it takes the next one
//! when the last ones have gone, and the answer is under way until the last piece is asked for.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, sleep};

/// Large enough to be no work, small against what the kernel holds for a connection anyway.
const PIECE: usize = 64 * 1024;

/// Since when the answer of a connection is under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Giving(Arc<Mutex<Option<Instant>>>);

impl Giving {
    fn set(&self, since: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    fn since(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when an answer has been under way for too long.
    pub(super) async fn overdue(&self, limit: Duration) {
        loop {
            let since = self.since();
            match since.map(|since| limit.saturating_sub(since.elapsed())) {
                Some(Duration::ZERO) => return,
                Some(left) => sleep(left).await,
                None => sleep(limit).await,
            }
        }
    }

    /// An answer begins.
    pub(super) fn give(&self, body: Body) -> Body {
        self.set(Some(Instant::now()));
        Body::new(Given { body, rest: Bytes::new(), giving: self.clone() })
    }
}

struct Given {
    body: Body,
    rest: Bytes,
    giving: Giving,
}

impl http_body::Body for Given {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
            match frame.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => self.rest = data,
                Some(Ok(Err(trailers))) => return Poll::Ready(Some(Ok(trailers))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
        let most = PIECE.min(self.rest.len());
        let piece = self.rest.split_to(most);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.len() as u64;
        let body = self.body.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(body.lower().saturating_add(rest));
        if let Some(upper) = body.upper() {
            hint.set_upper(upper.saturating_add(rest));
        }
        hint
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        self.giving.set(None);
    }
}
