//! What a collector is told of a query that has ended, or of a statement that never became one.

use super::{
    query::About,
    story::{End, Origin},
};
use crate::metrics::QueryStatus;

/// Ends the span of a query, if it has one.
pub(super) fn end(about: &About, end: &End<'_>, origin: Option<&Origin>) {
    let Some(span) = &about.span else { return };
    if let Some(id) = end.id {
        span.set("trino.query_id", id.as_str().to_owned());
    }
    if let Some(origin) = origin {
        span.set("gateway.resume.waited_ms", as_i64(origin.resume_wait_ms()));
        if let Some(rows) = origin.rows_so_far() {
            span.set("gateway.rows", as_i64(rows));
        }
        if let Some(text) = origin.shown.as_ref().filter(|_| span.captures().query_text) {
            span.set("db.query.text", text.to_string());
        }
    }
    let (state, failure) = match end.status {
        QueryStatus::Ok => ("FINISHED", None),
        QueryStatus::Error => ("FAILED", Some(end.error.map_or("UNKNOWN", |(name, _)| name))),
        QueryStatus::Canceled => ("CANCELED", None),
        QueryStatus::Abandoned => ("ABANDONED", None),
        QueryStatus::Rejected => ("REJECTED", Some("REJECTED")),
    };
    span.end(state, failure);
}

/// OpenTelemetry has no unsigned attributes.
fn as_i64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
