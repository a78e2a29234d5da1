//! The page that ends a query in an error where no coordinator is left to say so: HTTP 200, state FAILED.
//!
//! Never for the answer to a POST: some clients lose an error there. Fields that have no value are absent, never
//! null, and numbers are integers: clients decode both strictly.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response};
use http_body_util::Full;
use serde::Serialize;
use sluice_routing::ids::QueryId;

use crate::trino::head::{ErrorType, State};

/// Why a query ended, of Trino's own errors.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Failure {
    /// Its coordinator is gone.
    ServerShuttingDown,
    /// Its coordinator was not ready yet.
    ServerStartingUp,
    /// No backend came in time.
    InsufficientResources,
    /// Its client took it back.
    UserCanceled,
    /// Another one ended it (`kill_query`).
    AdministrativelyKilled,
    /// A query that it names does not exist.
    NotFound,
    /// A query that it names has ended.
    NotSupported,
    /// Anything else, on our side.
    InternalError,
}

impl Failure {
    /// `errorName`.
    pub fn name(self) -> &'static str {
        match self {
            Self::ServerShuttingDown => "SERVER_SHUTTING_DOWN",
            Self::ServerStartingUp => "SERVER_STARTING_UP",
            Self::InsufficientResources => "GENERIC_INSUFFICIENT_RESOURCES",
            Self::UserCanceled => "USER_CANCELED",
            Self::AdministrativelyKilled => "ADMINISTRATIVELY_KILLED",
            Self::NotFound => "NOT_FOUND",
            Self::NotSupported => "NOT_SUPPORTED",
            Self::InternalError => "GENERIC_INTERNAL_ERROR",
        }
    }

    /// `errorCode`.
    pub fn code(self) -> i64 {
        match self {
            Self::ServerShuttingDown => 65545,
            Self::ServerStartingUp => 65548,
            Self::InsufficientResources => 131_072,
            Self::UserCanceled => 3,
            Self::AdministrativelyKilled => 38,
            Self::NotFound => 5,
            Self::NotSupported => 13,
            Self::InternalError => 65536,
        }
    }

    /// `errorType`.
    pub fn kind(self) -> ErrorType {
        match self {
            Self::ServerShuttingDown | Self::ServerStartingUp | Self::InternalError => {
                ErrorType::InternalError
            }
            Self::InsufficientResources => ErrorType::InsufficientResources,
            Self::UserCanceled
            | Self::AdministrativelyKilled
            | Self::NotFound
            | Self::NotSupported => ErrorType::UserError,
        }
    }
}

/// A last page for query `id`: `info_uri` is absolute, `message` is for the user's eyes, `elapsed` since the query was
/// accepted (zero if unknown).
pub fn page(
    id: &QueryId,
    info_uri: &str,
    failure: Failure,
    message: &str,
    elapsed: Duration,
) -> Response<Full<Bytes>> {
    let page = Page {
        id: id.as_str(),
        info_uri,
        stats: Stats {
            state: State::Failed.as_str(),
            elapsed_time_millis: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            ..Stats::default()
        },
        error: Error::of(failure, message),
        warnings: [],
    };
    // Text and numbers always have a JSON form.
    let body = serde_json::to_vec(&page).unwrap_or_default();
    let mut response = Response::new(Full::new(Bytes::from(body)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Page<'a> {
    id: &'a str,
    info_uri: &'a str,
    stats: Stats,
    error: Error<'a>,
    warnings: [(); 0],
}

/// In Trino's order; the Rust clients want most of these.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stats {
    pub(super) state: &'static str,
    pub(super) queued: bool,
    pub(super) scheduled: bool,
    pub(super) nodes: u64,
    pub(super) total_splits: u64,
    pub(super) queued_splits: u64,
    pub(super) running_splits: u64,
    pub(super) completed_splits: u64,
    pub(super) planning_time_millis: u64,
    pub(super) analysis_time_millis: u64,
    pub(super) cpu_time_millis: u64,
    pub(super) wall_time_millis: u64,
    pub(super) queued_time_millis: u64,
    pub(super) elapsed_time_millis: u64,
    pub(super) finishing_time_millis: u64,
    pub(super) physical_input_time_millis: u64,
    pub(super) processed_rows: u64,
    pub(super) processed_bytes: u64,
    pub(super) physical_input_bytes: u64,
    pub(super) physical_written_bytes: u64,
    pub(super) internal_network_input_bytes: u64,
    pub(super) peak_memory_bytes: u64,
    pub(super) spilled_bytes: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Error<'a> {
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
    fn of(failure: Failure, message: &'a str) -> Self {
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

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    non_snake_case,
    reason = "a test may fail loudly, and bears the ids of the facts"
)]
mod tests {
    use super::*;
    use crate::trino::head::{PageError, Scanner, Verdict};
    use http_body_util::BodyExt;

    fn made(failure: Failure, message: &str) -> String {
        let id = QueryId::parse("20261101_101500_00000_0gw1a").unwrap();
        let response = page(&id, "https://gw/ui", failure, message, Duration::from_millis(1234));
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "application/json");
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let bytes = runtime.block_on(response.into_body().collect()).unwrap().to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn our_own_scanner_reads_it_as_a_failed_last_page() {
        let text = made(Failure::InsufficientResources, "no backend \"in time\"");
        let mut scanner = Scanner::new();
        scanner.feed(text.as_bytes());
        let head = scanner.head();
        assert_eq!((head.verdict, head.state), (Verdict::Final, Some(State::Failed)));
        let error = PageError {
            name: "GENERIC_INSUFFICIENT_RESOURCES".to_owned(),
            kind: ErrorType::InsufficientResources,
            code: 131_072,
        };
        assert_eq!(head.error, Some(error));
    }

    #[test]
    fn peers_L8_what_has_no_value_is_absent_and_never_null() {
        let text = made(Failure::ServerShuttingDown, "gone");
        assert!(!text.contains("null") && !text.contains("nextUri"), "{text}");
        assert!(text.starts_with(r#"{"id":"20261101_101500_00000_0gw1a","infoUri":"https://gw/ui","stats":{"state":"FAILED","queued":false,"#));
        assert!(text.ends_with(concat!(
            r#""error":{"message":"gone","errorCode":65545,"errorName":"SERVER_SHUTTING_DOWN","errorType":"INTERNAL_ERROR","#,
            r#""failureInfo":{"type":"io.trino.spi.TrinoException","message":"gone","suppressed":[],"stack":[],"#,
            r#""errorInfo":{"code":65545,"name":"SERVER_SHUTTING_DOWN","type":"INTERNAL_ERROR"}}},"warnings":[]}"#
        )));
    }

    #[test]
    fn holds_every_number_that_strict_clients_decode() {
        let text = made(Failure::UserCanceled, "taken back");
        let page: serde_json::Value = serde_json::from_str(&text).unwrap();
        for name in [
            "nodes",
            "totalSplits",
            "queuedSplits",
            "runningSplits",
            "completedSplits",
            "cpuTimeMillis",
            "wallTimeMillis",
            "queuedTimeMillis",
            "elapsedTimeMillis",
            "processedRows",
            "processedBytes",
            "peakMemoryBytes",
            "spilledBytes",
        ] {
            assert!(page["stats"][name].is_u64(), "{name}");
        }
    }
}
