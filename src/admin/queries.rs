//! `/api/v1/queries`: what waits and what runs, newest first, and why it waits.
//!
//! It names users, so it stands behind the operator's token. No statement's text is told: nothing masks it yet.

use std::sync::Arc;

use axum::{
    extract::{Path, Query as Parameters, State},
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
    queries::{Query, Waiting, WaitingState, ledger::RESUMING},
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
    query_id: String,
    state: &'static str,
    routing_group: String,
    backend: Option<String>,
    user: Option<Arc<str>>,
    statement_type: &'static str,
    elapsed_ms: u64,
    trace_id: Option<String>,
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
    Parameters(wanted): Parameters<Wanted>,
) -> Answer<Vec<Row>> {
    let snapshot = of.current.load_full();
    let now = Instant::now();
    let mut rows: Vec<Row> =
        of.rooms.all().iter().map(|waiting| waits(&snapshot, waiting, now)).collect();
    of.table.each(|query| {
        if query.is_in_flight() {
            rows.push(runs(query, now));
        }
    });
    rows.retain(|row| wanted.takes(row));
    rows.sort_by_key(|row| row.elapsed_ms);
    rows.truncate(wanted.limit.unwrap_or(USUAL).min(MOST));
    page(rows)
}

pub(super) async fn one(State(of): State<Operated>, Path(id): Path<String>) -> Answer<Row> {
    let unknown = || Refused::new(StatusCode::NOT_FOUND, "no such query is known");
    let id = QueryId::parse(&id).ok_or_else(unknown)?;
    let now = Instant::now();
    let present = of.table.present_id(id);
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
        fits(&self.state, Some(row.state))
            && fits(&self.routing_group, Some(&row.routing_group))
            && fits(&self.user, row.user.as_deref())
    }
}

fn waits(snapshot: &Snapshot, waiting: &Waiting, now: Instant) -> Row {
    let usual = snapshot.group(&waiting.group).and_then(|group| group.wake.usual);
    let about = &waiting.about;
    Row {
        query_id: waiting.id.to_string(),
        state: match waiting.state() {
            WaitingState::Ended(_) => "FAILED",
            _ => RESUMING,
        },
        routing_group: waiting.group.to_string(),
        backend: None,
        user: about.user.clone(),
        statement_type: about.kind.as_str(),
        elapsed_ms: millis(now.saturating_duration_since(about.accepted)),
        trace_id: about.trace_id(),
        waiting: Some(Wait {
            reason: waiting.reason(snapshot),
            position: waiting.position(),
            waited_ms: millis(waiting.waited()),
            usual_ms: usual.map(millis),
        }),
    }
}

fn runs(query: &Query, now: Instant) -> Row {
    Row {
        query_id: query.id.to_string(),
        state: query.state(),
        routing_group: query.group.to_string(),
        backend: Some(query.backend.to_string()),
        user: query.about.user.clone(),
        statement_type: query.about.kind.as_str(),
        elapsed_ms: millis(now.saturating_duration_since(query.about.accepted)),
        trace_id: query.about.trace_id(),
        waiting: None,
    }
}

fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
