//! What a coordinator says of itself and of its queries: `/v1/info`, `/v1/status`, `/v1/query`, the UI's JSON.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, StatusCode};

use super::answer::{self, Answer};
use super::coordinator::Coordinator;
use super::failure::Failure;
use super::options::Version;
use super::query::Query;

/// `GET /v1/info`.
pub(super) fn info(coordinator: &Coordinator) -> Answer {
    let (node, id) = (&coordinator.node_id, &coordinator.id);
    let is_starting = coordinator.is_starting();
    let uptime = uptime(coordinator);
    let body = match coordinator.options.version {
        Version::V483 => format!(
            r#"{{"nodeId":"{node}","state":"ACTIVE","nodeVersion":{{"version":"483"}},"environment":"simulated","coordinator":true,"coordinatorId":"{id}","starting":{is_starting},"uptime":"{uptime}"}}"#
        ),
        Version::V435 => format!(
            r#"{{"nodeVersion":{{"version":"435"}},"environment":"simulated","coordinator":true,"starting":{is_starting},"uptime":"{uptime}"}}"#
        ),
    };
    answer::json(body)
}

/// `GET /v1/info/state`: ACTIVE from the first moment on, `starting` or not.
pub(super) fn state() -> Answer {
    answer::json(r#""ACTIVE""#)
}

/// `GET /v1/status`.
pub(super) fn status(coordinator: &Coordinator) -> Answer {
    let (node, uptime) = (&coordinator.node_id, uptime(coordinator));
    answer::json(format!(
        r#"{{"nodeId":"{node}","nodeVersion":{{"version":"{}"}},"environment":"simulated","coordinator":true,"uptime":"{uptime}","externalAddress":"127.0.0.1","internalAddress":"127.0.0.1","memoryInfo":{{"availableProcessors":2,"pool":{{}}}},"processors":2,"processCpuLoad":0.0,"systemCpuLoad":0.0,"heapUsed":1000000,"heapAvailable":1000000000,"nonHeapUsed":1000000}}"#,
        version(coordinator)
    ))
}

/// `GET /v1/integrations/gateway/metrics`, since 478.
pub(super) fn gateway_metrics() -> Answer {
    answer::json(r#"{"clusterSize":1,"totalFreeBytes":1501930202,"aggregatedSystemLoad":1.0}"#)
}

/// A request under `/v1/query`.
pub(super) fn query(
    coordinator: &Coordinator,
    method: &Method,
    rest: &[&str],
    body: &Bytes,
) -> Answer {
    match (method, rest) {
        (&Method::GET, []) => answer::json(list(coordinator)),
        (&Method::GET, [id]) => details(coordinator, id),
        (&Method::DELETE, [id]) => {
            if let Some(query) = coordinator.submitted(id) {
                coordinator.fail(&query, canceled());
            }
            answer::empty(StatusCode::NO_CONTENT)
        }
        (&Method::PUT, [id, verb @ ("killed" | "preempted")]) => kill(coordinator, id, verb, body),
        _ => answer::no_such_path(),
    }
}

/// A request under `/ui/api/`.
pub(super) fn ui_api(
    coordinator: &Coordinator,
    method: &Method,
    api: &str,
    body: &Bytes,
) -> Answer {
    let parts: Vec<&str> = api.split('/').collect();
    match (method, parts.as_slice()) {
        (&Method::GET, ["stats"]) => answer::json(stats(coordinator)),
        (&Method::GET, ["cluster"]) => answer::json(cluster(coordinator)),
        (&Method::GET, ["worker"]) => answer::json("[]"),
        (&Method::GET, ["query"]) => answer::json(list(coordinator)),
        (&Method::GET, ["query", id]) => answer::uncached(details(coordinator, id)),
        (&Method::PUT, ["query", id, verb @ ("killed" | "preempted")]) => {
            answer::uncached(kill(coordinator, id, verb, body))
        }
        _ => answer::no_such_path(),
    }
}

/// The failure of a query that its client gave up.
pub(super) fn canceled() -> Failure {
    Failure::new("USER_CANCELED", "Query was canceled")
}

fn details(coordinator: &Coordinator, id: &str) -> Answer {
    match coordinator.submitted(id) {
        Some(query) => answer::json(entry(&query)),
        None => answer::gone(),
    }
}

fn kill(coordinator: &Coordinator, id: &str, verb: &str, body: &Bytes) -> Answer {
    let Some(query) = coordinator.submitted(id) else { return answer::gone() };
    let message = std::str::from_utf8(body).ok();
    let failure = match verb {
        "killed" => Failure::killed(message),
        _ => Failure::preempted(message),
    };
    if coordinator.fail(&query, failure) {
        answer::empty(StatusCode::ACCEPTED)
    } else {
        answer::empty(StatusCode::CONFLICT)
    }
}

fn entry(query: &Query) -> String {
    format!(
        r#"{{"queryId":"{}","session":{{"user":{}}},"state":"{}","query":{}}}"#,
        query.id,
        super::failure::quoted(&query.user),
        query.state(),
        query.shown
    )
}

/// The queries that the dispatcher knows.
fn polled(coordinator: &Coordinator) -> Vec<Arc<Query>> {
    let mut queries = coordinator.queries();
    queries.retain(|query| query.life().submitted.is_some());
    queries
}

fn list(coordinator: &Coordinator) -> String {
    let entries: Vec<String> = polled(coordinator).iter().map(|query| entry(query)).collect();
    format!("[{}]", entries.join(","))
}

fn stats(coordinator: &Coordinator) -> String {
    let states: Vec<&str> = polled(coordinator).iter().map(|query| query.state()).collect();
    let count = |wanted: &[&str]| states.iter().filter(|state| wanted.contains(state)).count();
    format!(
        r#"{{"runningQueries":{},"blockedQueries":0,"queuedQueries":{},"activeCoordinators":1,"activeWorkers":1,"runningDrivers":0,"totalAvailableProcessors":2,"reservedMemory":0.0,"totalInputRows":0,"totalInputBytes":0,"totalCpuTimeSecs":0}}"#,
        count(&["RUNNING"]),
        count(&["QUEUED", "WAITING_FOR_RESOURCES"])
    )
}

fn cluster(coordinator: &Coordinator) -> String {
    format!(
        r#"{{"nodeVersion":{{"version":"{}"}},"environment":"simulated","uptime":"{}"}}"#,
        version(coordinator),
        uptime(coordinator)
    )
}

fn version(coordinator: &Coordinator) -> &'static str {
    match coordinator.options.version {
        Version::V483 => "483",
        Version::V435 => "435",
    }
}

/// Time since the start, as airlift writes a duration.
fn uptime(coordinator: &Coordinator) -> String {
    let seconds = coordinator.started.elapsed().as_secs_f64();
    match seconds {
        s if s < 1.0 => format!("{:.2}ms", s * 1000.0),
        s if s < 60.0 => format!("{s:.2}s"),
        s if s < 3600.0 => format!("{:.2}m", s / 60.0),
        s if s < 86400.0 => format!("{:.2}h", s / 3600.0),
        s => format!("{:.2}d", s / 86400.0),
    }
}
