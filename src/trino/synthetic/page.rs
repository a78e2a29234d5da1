//! One page in Trino's order of fields; those without a value are left out.

use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;

use super::Failure;
use crate::trino::head::State;

/// About the length of a page without an error.
const USUAL_LENGTH: usize = 1024;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page<'a> {
    pub(super) id: &'a str,
    pub(super) info_uri: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_uri: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) columns: Option<[(); 0]>,
    pub(super) stats: Stats,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<Error<'a>>,
    pub(super) warnings: [(); 0],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) update_type: Option<&'static str>,
}

impl<'a> Page<'a> {
    pub(super) fn new(id: &'a str, info_uri: &'a str, stats: Stats) -> Self {
        Self {
            id,
            info_uri,
            next_uri: None,
            columns: None,
            stats,
            error: None,
            warnings: [],
            update_type: None,
        }
    }

    pub(super) fn to_json(&self) -> Bytes {
        let mut json = Vec::with_capacity(USUAL_LENGTH);
        // Text and numbers always have a JSON form, and memory takes all that is written.
        let _ = serde_json::to_writer(&mut json, self);
        json.into()
    }
}

/// As Trino 483 has them; the Rust clients want most of these.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stats {
    state: &'static str,
    queued: bool,
    scheduled: bool,
    nodes: u64,
    total_splits: u64,
    queued_splits: u64,
    running_splits: u64,
    completed_splits: u64,
    planning_time_millis: u64,
    analysis_time_millis: u64,
    cpu_time_millis: u64,
    wall_time_millis: u64,
    queued_time_millis: u64,
    elapsed_time_millis: u64,
    finishing_time_millis: u64,
    physical_input_time_millis: u64,
    processed_rows: u64,
    processed_bytes: u64,
    physical_input_bytes: u64,
    physical_written_bytes: u64,
    internal_network_input_bytes: u64,
    peak_memory_bytes: u64,
    spilled_bytes: u64,
}

impl Stats {
    /// Those of a query that has done nothing but wait.
    pub(super) fn of(state: State, waited: Duration) -> Self {
        let millis = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
        Self {
            state: state.as_str(),
            queued: state == State::Queued,
            queued_time_millis: millis,
            elapsed_time_millis: millis,
            ..Self::default()
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Error<'a> {
    message: &'a str,
    error_code: i64,
    error_name: &'static str,
    error_type: &'static str,
    failure_info: FailureInfo<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FailureInfo<'a> {
    #[serde(rename = "type")]
    class: &'static str,
    message: &'a str,
    suppressed: [(); 0],
    stack: [(); 0],
    error_info: ErrorInfo,
}

#[derive(Serialize)]
struct ErrorInfo {
    code: i64,
    name: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
}

impl<'a> Error<'a> {
    pub(super) fn of(failure: Failure, message: &'a str) -> Self {
        let (code, name, kind) = (failure.code(), failure.name(), failure.kind().as_str());
        Self {
            message,
            error_code: code,
            error_name: name,
            error_type: kind,
            failure_info: FailureInfo {
                class: "io.trino.spi.TrinoException",
                message,
                suppressed: [],
                stack: [],
                error_info: ErrorInfo { code, name, kind },
            },
        }
    }
}
