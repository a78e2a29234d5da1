//! `/metrics`.

use axum::{extract::State, http::header, response::IntoResponse};

use crate::{admin::Seen, metrics::CONTENT_TYPE};

pub(super) async fn metrics(State(seen): State<Seen>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], seen.metrics.encode(seen.living.as_ref()))
}
