//! What Sluice answers by itself on the data port, and in whose words.
//!
//! Where Trino has an answer for the case, it is Trino's. `/v1/info` is always 200: JDBC since 477 asks it in a
//! loop without a pause for 30 s while it gets 503; those of the other paths are in `unavailable`. Nothing here asks or wakes a backend.

use axum::{body::Body, response::Response};
use http::StatusCode;

use crate::{
    lifecycle::Phase,
    metrics::Operation,
    proxy::{core::Core, exchange::Exchange},
    trino::{
        error,
        info::{self, OurInfo, OurState},
    },
};

/// An error in the shape of Trino's own: `Error 404 Not Found: …`.
pub(crate) fn text(status: StatusCode, words: &str) -> Response {
    error::text(status, words).map(Body::new)
}

/// Trino's answer to an id that it does not have.
pub(crate) fn not_found() -> Response {
    error::query_not_found().map(Body::new)
}

/// Trino's answer to a path that it does not have.
pub(crate) fn no_such_path() -> Response {
    error::no_such_path().map(Body::new)
}

/// Trino's answer to a method that a path does not take.
pub(crate) fn wrong_method() -> Response {
    text(StatusCode::METHOD_NOT_ALLOWED, "HTTP 405 Method Not Allowed")
}

/// `GET /v1/info`.
pub(crate) fn server_info(core: &Core, exchange: &Exchange) -> Response {
    exchange.account.operation(Operation::Info);
    let snapshot = &exchange.snapshot;
    let shown = snapshot.config.info.expose_version;
    let ours = OurInfo {
        node_id: &core.shared.instance,
        state: our_state(core),
        version: &snapshot.trino_version(),
        environment: &snapshot.config.info.environment,
        gateway_version: shown.then_some(env!("CARGO_PKG_VERSION")),
        uptime: core.shared.started.elapsed(),
    };
    info::info(&ours).map(Body::new)
}

fn our_state(core: &Core) -> OurState {
    match core.shared.lifecycle.phase() {
        Phase::Starting => OurState::Starting,
        Phase::Serving => OurState::Active,
        _ => OurState::ShuttingDown,
    }
}

/// `GET /v1/info/state`.
pub(crate) fn state(core: &Core, exchange: &Exchange, headers: &http::HeaderMap) -> Response {
    exchange.account.operation(Operation::InfoState);
    info::state(our_state(core), headers).map(Body::new)
}

/// 200 without a body: `GET /v1/info/coordinator`, and `HEAD /v1/statement` where no backend is asked.
pub(crate) fn empty() -> Response {
    info::empty().map(Body::new)
}
