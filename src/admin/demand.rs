//! `/api/v1/routing-groups/{group}/demand`: the page that KEDA's metrics-api scaler reads.

use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use serde::Serialize;

use crate::admin::{
    Seen,
    answer::{Answer, Refused, page},
};

/// How much is wanted of a group, computed when it is read.
#[derive(Serialize)]
pub(super) struct DemandPage {
    /// In-flight, unmet and lingering demand: what scalers are told.
    demand: u64,
    inflight: u64,
    /// No coordinator has answered for these.
    resuming: u64,
    queued: u64,
    running: u64,
    /// Whose demand: this replica's, or that of all that share a store.
    scope: &'static str,
}

pub(super) async fn demand(
    State(seen): State<Seen>,
    Path(name): Path<String>,
) -> Answer<DemandPage> {
    let Some(told) = seen.living.demand(&name) else {
        return Err(Refused::new(StatusCode::NOT_FOUND, format!("no routing group `{name}`")));
    };
    // Rule L11: a replica that leaves would tell a share that shrinks while its queries go on elsewhere.
    if seen.lifecycle.is_draining() {
        return Err(Refused::new(StatusCode::SERVICE_UNAVAILABLE, "the gateway is leaving"));
    }
    // Rule L11: unknown is not zero, and a part that is more than nothing is told at once.
    if !told.is_known && told.demand == 0 {
        let words = "counts are not known yet, so soon after the start";
        return Err(Refused::new(StatusCode::SERVICE_UNAVAILABLE, words));
    }
    page(DemandPage {
        demand: told.demand,
        inflight: told.in_flight,
        resuming: told.resuming,
        queued: told.queued,
        running: told.running,
        scope: told.scope,
    })
}
