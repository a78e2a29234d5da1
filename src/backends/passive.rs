//! What the data plane tells of a backend in passing: failures, answers, coordinator ids.
//!
//! All of it is a relaxed atomic or a message to the fold, so it costs the hot path next to nothing. It counts
//! no metric: the proxy does. A status of 503 and a client that left are neutral and are simply not told.

use std::sync::atomic::Ordering;

use http::StatusCode;
use sluice_routing::CoordinatorId;

use crate::{
    backends::circuit::FAILURES,
    metrics::UpstreamError,
    snapshot::{Backend, Report},
};

/// The backend answered: failures are no longer in a row.
pub fn succeeded(backend: &Backend) {
    // Read before write, so that cores do not steal each other's cache line for nothing.
    if backend.live.failures.load(Ordering::Relaxed) != 0 {
        backend.live.failures.store(0, Ordering::Relaxed);
    }
}

/// An exchange failed before the head of an answer; asks for a probe at once and counts for the circuit.
///
/// A time-out is told for new statements only: a poll may rightly take long.
pub fn failed(backend: &Backend, error: UpstreamError) {
    match error {
        UpstreamError::Refused
        | UpstreamError::Timeout
        | UpstreamError::Reset
        | UpstreamError::Dns
        | UpstreamError::Tls => {
            count(backend);
            tell(backend, Report::Unreachable(backend.live.seat));
        }
        UpstreamError::Protocol | UpstreamError::Body => {}
    }
}

/// The backend answered with that status: 502 and 504 count as failures, 503 says nothing, all else is well.
pub fn answered(backend: &Backend, status: StatusCode) {
    match status {
        StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => count(backend),
        StatusCode::SERVICE_UNAVAILABLE => {}
        _ => succeeded(backend),
    }
}

/// An answer to a POST carried a query id of that coordinator process.
pub fn learned(backend: &Backend, coordinator: CoordinatorId) {
    if backend.coordinator != Some(coordinator) {
        tell(backend, Report::Coordinator(backend.live.seat, coordinator));
    }
}

/// Exactly the fifth failure in a row trips the circuit; later ones are of statements that were on their way.
fn count(backend: &Backend) {
    if backend.live.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1) == FAILURES {
        tell(backend, Report::Tripped(backend.live.seat));
    }
}

fn tell(backend: &Backend, report: Report) {
    // Fails only when the fold has ended, which is when the process does.
    let _ = backend.live.reports.send(report);
}
