//! Pages that Sluice makes itself in the shape of Trino's own: of a statement that waits, and of a CALL it answers.
//!
//! Absolute URIs, integers, `warnings` always empty and there, what has no value absent and never null
//! (trino-protocol.md 4.5: each of these breaks some client). Pages that end in an error are in `failed`.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response};
use http_body_util::Full;
use serde::Serialize;
use sluice_routing::QueryId;

use crate::trino::{failed::Stats, head::State};

/// A query that has not begun.
#[derive(Clone, Copy, Debug)]
pub struct Queued<'a> {
    /// Its id.
    pub id: &'a QueryId,
    /// The gateway as its client sees it, such as `https://gw/trino`.
    pub base: &'a str,
    /// The secret of its `nextUri`.
    pub slug: &'a str,
    /// The number at the end of its `nextUri`.
    pub token: u64,
    /// Since it was accepted.
    pub queued: Duration,
}

/// A CALL that is done.
#[derive(Clone, Copy, Debug)]
pub struct Called<'a> {
    /// Its id.
    pub id: &'a QueryId,
    /// The gateway as its client sees it.
    pub base: &'a str,
    /// Since it was accepted.
    pub elapsed: Duration,
}

/// State `QUEUED`, with a `nextUri`.
pub fn queued(of: &Queued<'_>) -> Response<Full<Bytes>> {
    let Queued { id, base, slug, token, queued } = of;
    let millis = millis(*queued);
    answer(&Page {
        id: id.as_str(),
        info_uri: info_uri(base, id),
        next_uri: Some(format!("{base}/v1/statement/queued/{id}/{slug}/{token}")),
        columns: None,
        stats: Stats {
            state: State::Queued.as_str(),
            queued: true,
            queued_time_millis: millis,
            elapsed_time_millis: millis,
            ..Stats::default()
        },
        warnings: [],
        update_type: None,
    })
}

/// State `FINISHED`, as Trino ends a procedure: no column, no row.
pub fn called(of: &Called<'_>) -> Response<Full<Bytes>> {
    answer(&Page {
        id: of.id.as_str(),
        info_uri: info_uri(of.base, of.id),
        next_uri: None,
        columns: Some([]),
        stats: Stats {
            state: State::Finished.as_str(),
            scheduled: true,
            elapsed_time_millis: millis(of.elapsed),
            ..Stats::default()
        },
        warnings: [],
        update_type: Some("CALL"),
    })
}

/// The page for a browser that a query of ours has.
pub fn info_uri(base: &str, id: &QueryId) -> String {
    format!("{base}/_gateway/queries/{id}")
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Page<'a> {
    id: &'a str,
    info_uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    columns: Option<[(); 0]>,
    stats: Stats,
    warnings: [(); 0],
    #[serde(skip_serializing_if = "Option::is_none")]
    update_type: Option<&'static str>,
}

fn answer(page: &Page<'_>) -> Response<Full<Bytes>> {
    // Text and numbers always have a JSON form.
    let body = serde_json::to_vec(page).unwrap_or_default();
    let mut response = Response::new(Full::new(Bytes::from(body)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
