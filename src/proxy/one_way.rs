//! Requests that any coordinator can answer, or that belong to one without a query id: they go one way, once.
//!
//! The marker names the backend; else the first ready one of the default group is asked. Nothing is retried,
//! nothing remembered, nothing woken.

use std::sync::Arc;

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{Request, uri::PathAndQuery};
use http_body::Body as _;

use crate::{
    metrics::Unavailable,
    proxy::{
        core::Core,
        exchange::Exchange,
        forward::{self, Page, Plan},
        headers::clean_request,
        unavailable,
        upstream::{Failure, Outgoing},
    },
    snapshot::{Backend, BackendState},
};

/// Forwards to the marked backend or a ready one; 503 in words where there is none.
pub(crate) async fn forward(
    core: Arc<Core>,
    exchange: Arc<Exchange>,
    request: Request<Body>,
) -> Response {
    let nobody = Arc::clone(&exchange);
    forward_or(core, exchange, request, move || {
        unavailable::answer(&nobody, "gateway", Unavailable::NoBackend, "no running coordinator")
    })
    .await
}

/// The same, with another answer where there is no ready backend.
pub(crate) async fn forward_or(
    core: Arc<Core>,
    exchange: Arc<Exchange>,
    request: Request<Body>,
    nobody: impl FnOnce() -> Response,
) -> Response {
    match ready(&exchange) {
        Some(backend) => {
            try_to(&core, &exchange, &backend, request).await.unwrap_or_else(|_| nobody())
        }
        None => nobody(),
    }
}

/// The backend of the marker, else a ready one, the default group's first.
pub(crate) fn ready(exchange: &Exchange) -> Option<Arc<Backend>> {
    let snapshot = &exchange.snapshot;
    if let Some(name) = &exchange.marker {
        return snapshot.backends.get(name).cloned();
    }
    let default = snapshot.fleet.default_group.and_then(|index| snapshot.groups.get(index));
    let groups = default.into_iter().chain(&snapshot.groups);
    groups
        .flat_map(|group| &group.members)
        .find(|backend| backend.state == BackendState::Healthy)
        .cloned()
}

/// Sends a request to one backend, its body streaming both ways.
pub(crate) async fn to(
    core: &Core,
    exchange: &Exchange,
    backend: &Arc<Backend>,
    request: Request<Body>,
) -> Response {
    match try_to(core, exchange, backend, request).await {
        Ok(answer) => answer,
        Err(failure) => forward::failed(core, exchange, &backend.group, &failure),
    }
}

async fn try_to(
    core: &Core,
    exchange: &Exchange,
    backend: &Arc<Backend>,
    request: Request<Body>,
) -> Result<Response, Failure> {
    exchange.account.group(&core.shared.metrics.group(backend.group.as_ref()));
    let (mut parts, body) = request.into_parts();
    let body = match body.is_end_stream() {
        true => Outgoing::Whole(Bytes::new()),
        false => Outgoing::Streaming(body),
    };
    clean_request(&mut parts.headers);
    let plan = Plan::new(exchange, backend, Page::None);
    let path =
        parts.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    let what = (parts.method, &path);
    let mut asking = forward::asking(exchange, backend, &plan, what, &parts.headers)?;
    let within = exchange.snapshot.config.upstream.first_byte_timeout.get();
    let answer =
        forward::send(&core.upstream, exchange, backend, &mut asking, body, within).await?;
    let (mut parts, body) = answer.into_parts();
    forward::clean_answer(&mut parts, plan.patch.as_deref());
    core.shared.challenges(exchange, backend, &mut parts.headers);
    Ok(Response::from_parts(parts, Body::new(body)))
}
