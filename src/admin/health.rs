//! `/healthz` and `/readyz`: whether the process lives, and whether new traffic is welcome.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Serialize, Serializer};

use crate::{
    admin::Seen,
    lifecycle::{Phase, Readiness},
};

/// Always 200: whoever can answer lives, also while starting, while draining and with no backend.
pub(super) async fn alive() -> &'static str {
    "ok"
}

/// 200 while new traffic is welcome. Backends are no part of it.
pub(super) async fn ready(State(seen): State<Seen>) -> Response {
    let readiness = seen.lifecycle.readiness();
    if readiness.phase == Phase::Starting {
        return (StatusCode::SERVICE_UNAVAILABLE, "not ready").into_response();
    }
    let status =
        if readiness.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let page = Page { status: readiness.status(), checks: Checks(readiness) };
    (status, Json(page)).into_response()
}

#[derive(Serialize)]
struct Page {
    status: &'static str,
    checks: Checks,
}

/// The checks in their own order, with `drain` behind them while the process leaves.
struct Checks(Readiness);

impl Serialize for Checks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let drain = (self.0.phase >= Phase::Draining).then_some(("drain", "draining"));
        let checks = self.0.checks.iter().map(|(check, word)| (check.as_str(), *word));
        serializer.collect_map(checks.chain(drain))
    }
}
