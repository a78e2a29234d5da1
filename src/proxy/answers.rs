//! What Sluice answers by itself on the data port, and in whose words.
//!
//! Where Trino has an answer for the case, it is Trino's. `/v1/info` is always 200: JDBC since 477 asks it in a
//! loop without a pause for 30 s while it gets 503. Nothing here asks or wakes a backend.

use std::sync::Arc;

use axum::{body::Body, response::Response};
use http::{
    HeaderValue, StatusCode,
    header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER},
};
use sluice_routing::GroupName;

use crate::{
    metrics::{Operation, Unavailable},
    proxy::{core::Core, exchange::Exchange},
    trino::{
        error,
        info::{self, OwnInfo},
    },
};

/// When nothing is known of when capacity comes, half a minute is what XTrinode tells its clients.
const RETRY_AFTER_SECONDS: u32 = 30;

/// The newest Trino that was tried; named where no backend has told its own version.
const DEFAULT_VERSION: &str = "483";

/// One sentence, as Trino's own non-200 answers are.
pub(crate) fn text(status: StatusCode, words: String) -> Response {
    let mut answer = Response::new(Body::from(words));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}

/// Trino's answer to an id that it does not have.
pub(crate) fn not_found() -> Response {
    text(StatusCode::NOT_FOUND, error::QUERY_NOT_FOUND.to_owned())
}

/// Trino's answer to a path that it does not have.
pub(crate) fn no_such_path() -> Response {
    text(StatusCode::NOT_FOUND, error::NO_SUCH_PATH.to_owned())
}

/// Trino's answer to a method that a path does not take.
pub(crate) fn wrong_method() -> Response {
    text(StatusCode::METHOD_NOT_ALLOWED, error::WRONG_METHOD.to_owned())
}

/// 503 in words, with the reason where programs find it (observability.md 1.1).
pub(crate) fn unavailable(exchange: &Exchange, group: &GroupName, reason: Unavailable, why: &str) -> Response {
    exchange.account.unavailable(reason);
    tracing::warn!(
        event = "capacity_absent", routing_group = group.as_ref(), reason = reason.as_str(),
        retry_after_s = RETRY_AFTER_SECONDS, trace_id = exchange.trace.trace_id(), "no capacity for a request"
    );
    let words = format!(
        "{group}: {why}; retry in {RETRY_AFTER_SECONDS} s [trace {}]",
        exchange.trace.trace_id()
    );
    let mut answer = text(StatusCode::SERVICE_UNAVAILABLE, words);
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
    answer.headers_mut().insert("x-gateway-reason", HeaderValue::from_static(reason.as_str()));
    answer
}

/// `GET /v1/info`.
pub(crate) fn server_info(core: &Core, exchange: &Exchange) -> Response {
    exchange.account.operation(Operation::Info);
    let settings = &exchange.snapshot.config.info;
    let own = OwnInfo {
        version: version(exchange).as_ref(),
        environment: &settings.environment,
        starting: !core.shared.lifecycle.has_been_ready(),
        uptime: core.shared.started.elapsed(),
        state: core.shared.lifecycle.state(),
    };
    json(info::write(&own))
}

fn version(exchange: &Exchange) -> Arc<str> {
    let snapshot = &exchange.snapshot;
    if snapshot.config.info.node_version != "auto" {
        return snapshot.config.info.node_version.as_str().into();
    }
    let default = snapshot.fleet.default_group.and_then(|index| snapshot.groups.get(index));
    let groups = default.into_iter().chain(&snapshot.groups);
    let learned = groups.flat_map(|group| &group.members).find_map(|backend| backend.version.clone());
    learned.unwrap_or_else(|| DEFAULT_VERSION.into())
}

/// `GET /v1/info/state`: `"ACTIVE"` with its quotes, or bare where text is asked for.
pub(crate) fn state(core: &Core, exchange: &Exchange, headers: &http::HeaderMap) -> Response {
    exchange.account.operation(Operation::InfoState);
    let state = core.shared.lifecycle.state();
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if info::wants_text(accept) {
        return text(StatusCode::OK, state.to_owned());
    }
    json(format!("\"{state}\""))
}

/// 200 without a body: `GET /v1/info/coordinator`, and `HEAD /v1/statement` where no backend is asked.
pub(crate) fn empty() -> Response {
    Response::new(Body::empty())
}

/// A JSON answer.
pub(crate) fn json(body: String) -> Response {
    let mut answer = Response::new(Body::from(body));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}
