//! Spooled segments: `/v1/spooled/download/…` and `/v1/spooled/ack/…` go to the coordinator that the marker names.
//!
//! Their identifiers are encrypted and name no coordinator (trino-protocol.md 1.6), so every segment URI that
//! leaves the gateway carries the marker where there is more than one backend. Identifiers are never logged.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::Request;
use http_body::{Frame, SizeHint};

use crate::{
    metrics::{Encoding, Operation},
    proxy::{answers, core::Core, exchange::Exchange, one_way},
    snapshot::Backend,
};

/// Forwards a download or an acknowledgement.
pub(crate) async fn segment(
    core: Arc<Core>,
    exchange: Arc<Exchange>,
    request: Request<Body>,
) -> Response {
    exchange.account.operation(Operation::Spooled);
    match owner(&core, &exchange) {
        Some(backend) => {
            let answer = one_way::to(&core, &exchange, &backend, request).await;
            if !answer.status().is_success() {
                return answer;
            }
            answer.map(|body| Body::new(Segment { body, exchange, bytes: 0 }))
        }
        None => answers::no_such_path(),
    }
}

/// A segment on its way to the client; its bytes are those of a result, and its address does not say how they are
/// written.
struct Segment {
    body: Body,
    exchange: Arc<Exchange>,
    bytes: u64,
}

impl http_body::Body for Segment {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame {
            self.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        self.exchange.account.result_bytes(Encoding::Other, self.bytes, self.bytes);
    }
}

fn owner(core: &Core, exchange: &Exchange) -> Option<Arc<Backend>> {
    let backends = &exchange.snapshot.backends;
    match &exchange.marker {
        Some(name) => backends.get(name).cloned(),
        None if backends.len() == 1 => backends.values().next().cloned(),
        // Handed out before a reload brought a second backend.
        None => core.shared.unmarked.get().and_then(|name| backends.get(name)).cloned(),
    }
}
