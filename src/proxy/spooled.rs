//! Spooled segments: `/v1/spooled/download/…` and `/v1/spooled/ack/…` go to the coordinator that the marker names.
//!
//! Their identifiers are encrypted and name no coordinator (trino-protocol.md 1.6), so every segment URI that
//! leaves the gateway carries the marker where there is more than one backend. Identifiers are never logged.

use std::sync::Arc;

use axum::{body::Body, response::Response};
use http::Request;

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
            if answer.status().is_success() {
                // Its address does not say how it is written.
                exchange.account.carries(Encoding::Other);
            }
            answer
        }
        None => answers::no_such_path(),
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
