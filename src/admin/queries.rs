//! `/api/v1/queries`: what waits, what runs and what ended lately, newest first, and why it waits or failed.
//!
//! It names users, so it stands behind the operator's token. Of a statement's text only the beginning is told, its
//! literals masked.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Path, Query as Parameters, State, rejection::QueryRejection},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};
use sluice_routing::QueryId;
use tokio::time::Instant;

use crate::{
    admin::{
        Operated,
        answer::{Answer, Refused, page},
    },
    metrics::QueryStatus,
    queries::{Query, Told, Waiting, WaitingState, ledger::RESUMING, query::About, story::Origin},
    snapshot::Snapshot,
};

/// Rows of an answer that asks for no other number.
const USUAL: usize = 100;

/// Rows of the longest answer.
const MOST: usize = 1000;

/// Which queries are wanted.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Wanted {
    state: Option<String>,
    routing_group: Option<String>,
    user: Option<String>,
    limit: Option<usize>,
}

/// One query.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    query_id: Option<String>,
    state: &'static str,
    routing_group: Option<String>,
    backend: Option<String>,
    user: Option<Arc<str>>,
    source: Option<Arc<str>>,
    statement_type: &'static str,
    /// The beginning of the statement, masked.
    query: Option<Arc<str>>,
    /// From its acceptance to its end, or to now.
    elapsed_ms: u64,
    rows: Option<u64>,
    trace_id: Option<String>,
    request_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_name: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Arc<str>>,
    /// How long ago it was accepted.
    #[serde(skip)]
    age: Duration,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<Wait>,
}

/// Where a held statement stands.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Wait {
    reason: String,
    position: Option<usize>,
    waited_ms: u64,
    usual_ms: Option<u64>,
}

pub(super) async fn all(
    State(of): State<Operated>,
    wanted: Result<Parameters<Wanted>, QueryRejection>,
) -> Answer<Vec<Row>> {
    let Parameters(wanted) =
        wanted.map_err(|error| Refused::new(StatusCode::BAD_REQUEST, error.body_text()))?;
    let snapshot = of.current.load_full();
    let now = Instant::now();
    let mut rows: Vec<Row> =
        of.rooms.all().iter().map(|waiting| waits(&snapshot, waiting, now)).collect();
    of.table.each(|query| {
        if query.is_in_flight() {
            rows.push(runs(query, now));
        }
    });
    rows.extend(of.chronicle.latest().iter().map(|told| ended(told, now)));
    rows.retain(|row| wanted.takes(row));
    rows.sort_by_key(|row| row.age);
    rows.truncate(wanted.limit.unwrap_or(USUAL).min(MOST));
    page(rows)
}

pub(super) async fn one(State(of): State<Operated>, Path(id): Path<String>) -> Answer<Row> {
    let unknown = || Refused::new(StatusCode::NOT_FOUND, "no such query is known");
    let id = QueryId::parse(&id).ok_or_else(unknown)?;
    let now = Instant::now();
    let present = of.table.present_id(id);
    if let Some(told) = of.chronicle.of(present) {
        return page(ended(&told, now));
    }
    if let Some(query) = of.table.get(present) {
        return page(runs(&query, now));
    }
    let waiting = of.rooms.find(id).ok_or_else(unknown)?;
    page(waits(&of.current.load_full(), &waiting, now))
}

impl Wanted {
    fn takes(&self, row: &Row) -> bool {
        let fits = |wanted: &Option<String>, is: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| is == Some(wanted))
        };
        let state = self.state.as_deref();
        state.is_none_or(|state| state.eq_ignore_ascii_case(row.state))
            && fits(&self.routing_group, row.routing_group.as_deref())
            && fits(&self.user, row.user.as_deref())
    }
}

/// What is known of every query from its POST on.
fn row(about: &About, now: Instant) -> Row {
    let origin = about.origin.get();
    let age = now.saturating_duration_since(about.accepted);
    Row {
        query_id: None,
        state: RESUMING,
        routing_group: None,
        backend: None,
        user: about.user.clone(),
        source: origin.as_ref().and_then(|origin| origin.source.clone()),
        statement_type: about.kind.as_str(),
        query: origin.as_ref().and_then(|origin| origin.shown.clone()),
        elapsed_ms: millis(age),
        rows: origin.as_deref().and_then(Origin::rows_so_far),
        trace_id: about.trace_id(),
        request_id: origin.map(|origin| origin.request_id.as_str().to_owned()),
        error_name: None,
        error_type: None,
        reason: None,
        age,
        waiting: None,
    }
}

fn waits(snapshot: &Snapshot, waiting: &Waiting, now: Instant) -> Row {
    let usual = snapshot.group(&waiting.group).and_then(|group| group.wake.usual);
    Row {
        query_id: Some(waiting.id.to_string()),
        state: match waiting.state() {
            WaitingState::Ended(_) => "FAILED",
            _ => RESUMING,
        },
        routing_group: Some(waiting.group.to_string()),
        waiting: Some(Wait {
            reason: waiting.reason(snapshot),
            position: waiting.position(),
            waited_ms: millis(waiting.waited()),
            usual_ms: usual.map(millis),
        }),
        ..row(&waiting.about, now)
    }
}

fn runs(query: &Query, now: Instant) -> Row {
    Row {
        query_id: Some(query.id.to_string()),
        state: query.state(),
        routing_group: Some(query.group.to_string()),
        backend: Some(query.backend.to_string()),
        ..row(&query.about, now)
    }
}

fn ended(told: &Told, now: Instant) -> Row {
    Row {
        query_id: told.id.map(|id| id.to_string()),
        state: match told.status {
            QueryStatus::Ok => "FINISHED",
            QueryStatus::Error => "FAILED",
            QueryStatus::Canceled => "CANCELED",
            QueryStatus::Abandoned => "ABANDONED",
            QueryStatus::Rejected => "REJECTED",
        },
        routing_group: told.place.as_ref().map(|place| place.group.to_string()),
        backend: told.backend.as_deref().map(str::to_owned),
        user: told.user.clone(),
        source: told.source.clone(),
        statement_type: told.kind.as_str(),
        query: told.shown.clone(),
        elapsed_ms: millis(told.took),
        rows: told.rows,
        trace_id: Some(told.trace.trace_id().to_owned()),
        request_id: Some(told.request_id.as_str().to_owned()),
        error_name: told.error_name.clone(),
        error_type: told.error_type,
        reason: told.reason.clone(),
        age: told.took + now.saturating_duration_since(told.ended),
        waiting: None,
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
