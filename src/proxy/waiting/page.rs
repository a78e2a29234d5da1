//! What a client and a browser are shown of a statement that waits.
//!
//! The pages of the protocol are Trino's own, byte for byte in shape (`trino::synthetic`); why a statement waits is
//! told only on the page that its `infoUri` opens: clients show that link, and take nothing else well.

use std::time::Duration;

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{HeaderValue, header::CONTENT_TYPE};
use serde_json::json;
use sluice_routing::QueryId;

use crate::{
    metrics::Operation,
    proxy::{
        answers,
        core::Core,
        exchange::Exchange,
        ui::{
            self,
            waiting::{Fare, Standing},
        },
    },
    queries::{GaveUp, Waiting, WaitingState, Why},
    replicas::Seen,
    trino::synthetic::{self, Failure, Synthetic},
};

/// `QUEUED`, to be polled again by that number.
pub(super) fn queued(exchange: &Exchange, waiting: &Waiting, token: u64) -> Response {
    told(exchange, waiting.id, waiting.waited(), |page| page.queued(waiting.slug.as_str(), token))
}

/// The last page of a statement that waits no more.
pub(super) fn gave_up(exchange: &Exchange, waiting: &Waiting, gave_up: &GaveUp) -> Response {
    let failure = match gave_up.why {
        Why::Canceled => Failure::UserCanceled,
        Why::Killed => Failure::AdministrativelyKilled,
        Why::Stopping => Failure::ServerShuttingDown,
        Why::Unavailable(_) | Why::Expired | Why::RemovedGroup | Why::Refused => {
            Failure::InsufficientResources
        }
    };
    let words = gave_up.sentence(waiting.group.as_str());
    told(exchange, waiting.id, waiting.waited(), |page| page.failed(failure, &words))
}

/// The last page of a statement that this process knows nothing of.
pub(super) fn lost(exchange: &Exchange, id: QueryId) -> Response {
    let words = "this statement was waiting in a gateway that has stopped, or it has not been asked for in a long \
                 time; it never ran: send it again";
    told(exchange, id, Duration::ZERO, |page| page.failed(Failure::ServerShuttingDown, words))
}

/// A page of a query of ours.
pub(super) fn told(
    exchange: &Exchange,
    id: QueryId,
    waited: Duration,
    page: impl FnOnce(&Synthetic<'_>) -> Bytes,
) -> Response {
    let base = exchange.base.to_string();
    synthetic::answer(page(&Synthetic { id, base: &base, waited })).map(Body::new)
}

/// The answer to a heartbeat.
pub(super) fn heartbeat() -> Response {
    let mut answer = Response::new(Body::empty());
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// `GET /v1/query/<id>`: what Trino's `BasicQueryInfo` says of a query that has not begun. Its text stays untold.
pub(super) fn info(exchange: &Exchange, waiting: &Waiting) -> Response {
    let elapsed = format!("{:.2}s", waiting.waited().as_secs_f64());
    let state = match waiting.state() {
        WaitingState::Ended(_) => "FAILED",
        _ => "QUEUED",
    };
    let info = json!({
        "queryId": waiting.id.as_str(),
        "session": { "queryId": waiting.id.as_str(), "user": waiting.about.user.as_deref().unwrap_or("") },
        "state": state,
        "scheduled": false,
        "self": format!("{}/v1/query/{}", exchange.base, waiting.id),
        "query": "",
        "queryStats": { "elapsedTime": elapsed, "queuedTime": elapsed, "executionTime": "0.00ns" },
    });
    let mut answer = Response::new(Body::from(info.to_string()));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// Answers `/_gateway/queries/<id>`: where the statement stands, or the way to the page of what it became.
pub(crate) async fn browser(core: &Core, exchange: &Exchange, id: &str) -> Response {
    exchange.account.operation(Operation::Ui);
    let Some(id) = QueryId::parse(id) else { return answers::not_found() };
    let elsewhere = super::recall::seen(core, exchange, id).await;
    if core.shared.table.present_id(id) != id {
        return ui::query(core, exchange, id.as_str());
    }
    let Some(waiting) = core.shared.rooms.find(id) else {
        return elsewhere
            .map_or_else(answers::not_found, |seen| waits_elsewhere(exchange, id, &seen));
    };
    let wake = exchange.snapshot.group(&waiting.group).map(|group| &group.wake);
    ui::waiting::answer(&Fare {
        id,
        group: waiting.group.as_str(),
        standing: standing(&waiting),
        reason: &waiting.reason(&exchange.snapshot),
        waited: waiting.waited(),
        usual: wake.and_then(|wake| wake.usual),
        resuming: wake.and_then(|wake| wake.resuming_since).map(|since| since.elapsed()),
        place: waiting.position(),
    })
}

/// The page of a statement that waits at another replica; looking at it moves nothing.
fn waits_elsewhere(exchange: &Exchange, id: QueryId, seen: &Seen) -> Response {
    let wake = exchange.snapshot.group(&seen.group).map(|group| &group.wake);
    ui::waiting::answer(&Fare {
        id,
        group: seen.group.as_str(),
        standing: if seen.is_underway { Standing::Dispatching } else { Standing::Waiting },
        reason: "it waits at another replica of the gateway",
        waited: seen.since.elapsed().unwrap_or_default(),
        usual: wake.and_then(|wake| wake.usual),
        resuming: wake.and_then(|wake| wake.resuming_since).map(|since| since.elapsed()),
        place: None,
    })
}

fn standing(waiting: &Waiting) -> Standing {
    match waiting.state() {
        WaitingState::Waiting => Standing::Waiting,
        WaitingState::Dispatching | WaitingState::Became(_) => Standing::Dispatching,
        WaitingState::Ended(gave_up) => match gave_up.why {
            Why::Canceled => Standing::Canceled,
            Why::Killed => Standing::Killed,
            _ => Standing::Failed,
        },
    }
}
