//! What a collector is told of a query that has ended, or of a statement that never became one.

use super::{
    Waiting,
    query::{About, Query},
};
use crate::{metrics::QueryStatus, trino::head::PageError};

/// Ends the span of a query, if it has one.
pub(super) fn end(query: &Query, status: QueryStatus, error: Option<&PageError>) {
    tell(&query.about, query.id.as_str(), status, error.map(|error| error.name.as_str()));
}

/// Ends the span of a statement that has waited in vain.
pub(super) fn gave_up(waiting: &Waiting, status: QueryStatus) {
    tell(&waiting.about, waiting.id.as_str(), status, None);
}

fn tell(about: &About, id: &str, status: QueryStatus, error: Option<&str>) {
    let Some(span) = &about.span else { return };
    span.set("trino.query_id", id.to_owned());
    let (state, failure) = match status {
        QueryStatus::Ok => ("FINISHED", None),
        QueryStatus::Error => ("FAILED", Some(error.unwrap_or("UNKNOWN"))),
        QueryStatus::Canceled => ("CANCELED", None),
        QueryStatus::Abandoned => ("ABANDONED", None),
        QueryStatus::Rejected => ("REJECTED", Some("REJECTED")),
    };
    span.end(state, failure);
}
