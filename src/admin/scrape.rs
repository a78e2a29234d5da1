//! `/metrics`.

use axum::{body::Body, extract::State, http::HeaderMap, response::Response};

use crate::admin::Seen;

pub(super) async fn metrics(State(seen): State<Seen>, headers: HeaderMap) -> Response {
    let exemplars = seen.current.load().config.metrics.exemplars;
    seen.scrape.answer(&headers, exemplars).await.map(Body::from)
}
