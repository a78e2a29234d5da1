//! Commands: reload, log level, and what is said of a backend or of a group.

use std::time::Duration;

use axum::{
    body::{Body, to_bytes},
    extract::{Path, State},
    http::StatusCode,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{sync::oneshot, time::timeout};

use crate::{
    admin::{
        Operated,
        answer::{Answer, Refused, page},
        config::Reload,
    },
    backends::{NotMarked, NotSteered, Steered},
    snapshot::Mark,
};

/// Reading a file and resolving its names takes milliseconds; whoever needs longer hangs.
const RELOAD_DEADLINE: Duration = Duration::from_secs(20);
/// A log level is a line; more is a mistake.
const LARGEST_BODY: usize = 16 * 1024;
/// A command's body comes in one packet.
const BODY_DEADLINE: Duration = Duration::from_secs(10);

/// Reads the configuration again and tells what became of it.
pub(super) async fn reload(State(to): State<Operated>) -> Answer<Value> {
    let (answer, answered) = oneshot::channel();
    let busy = || Refused::new(StatusCode::SERVICE_UNAVAILABLE, "a reload is still under way");
    to.reload.try_send(Reload { answer }).map_err(|_| busy())?;
    match timeout(RELOAD_DEADLINE, answered).await {
        Ok(Ok(Ok(hash))) => page(json!({ "configHash": &*hash })),
        Ok(Ok(Err(words))) => Err(Refused::new(StatusCode::UNPROCESSABLE_ENTITY, words)),
        Ok(Err(_)) | Err(_) => Err(busy()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Level {
    level: String,
}

/// What is logged now.
pub(super) async fn log_level(State(to): State<Operated>) -> Answer<Value> {
    page(json!({ "level": to.logs.level() }))
}

/// Changes what is logged until the process ends, and says what is logged now.
pub(super) async fn set_log_level(State(to): State<Operated>, body: Body) -> Answer<Value> {
    let refused = |words: String| Refused::new(StatusCode::BAD_REQUEST, words);
    let body = timeout(BODY_DEADLINE, to_bytes(body, LARGEST_BODY)).await;
    let Ok(Ok(body)) = body else {
        return Err(refused("cannot read the body, or it is larger than 16 KiB".to_owned()));
    };
    let Level { level } = serde_json::from_slice(&body)
        .map_err(|error| refused(format!("write {{\"level\": \"info\"}}: {error}")))?;
    to.logs.set_level(&level).map_err(|error| refused(error.to_string()))?;
    tracing::info!(log_level = level, "log level changed");
    page(json!({ "level": to.logs.level() }))
}

/// Back to work.
pub(super) async fn activate(to: State<Operated>, backend: Path<String>) -> Answer<Value> {
    mark(to, backend, Mark::Active).await
}

/// No new statements from now on; known ids are served.
pub(super) async fn deactivate(to: State<Operated>, backend: Path<String>) -> Answer<Value> {
    mark(to, backend, Mark::Inactive).await
}

/// No new statements; inactive when the last query has ended.
pub(super) async fn drain(to: State<Operated>, backend: Path<String>) -> Answer<Value> {
    mark(to, backend, Mark::Draining).await
}

async fn mark(
    State(to): State<Operated>,
    Path(backend): Path<String>,
    mark: Mark,
) -> Answer<Value> {
    let now = to.control.mark(&backend, mark).await.map_err(|error| not_marked(&error))?;
    let word = match now {
        Mark::Active => "active",
        Mark::Draining => "draining",
        Mark::Inactive => "inactive",
    };
    tracing::info!(backend, mark = word, "backend marked");
    page(json!({ "backend": backend, "mark": word }))
}

fn not_marked(error: &NotMarked) -> Refused {
    let status = match error {
        NotMarked::UnknownBackend(_) => StatusCode::NOT_FOUND,
        NotMarked::Stopping => StatusCode::SERVICE_UNAVAILABLE,
    };
    Refused::new(status, error.to_string())
}

/// Wakes a group, whatever held it down.
pub(super) async fn resume(State(to): State<Operated>, Path(group): Path<String>) -> Answer<Value> {
    let steered = to.control.resume(&group).await;
    tell_steered(&group, "resume", steered)
}

/// Puts a group to sleep until it is resumed by hand.
pub(super) async fn suspend(
    State(to): State<Operated>,
    Path(group): Path<String>,
) -> Answer<Value> {
    let steered = to.control.suspend(&group).await;
    tell_steered(&group, "suspend", steered)
}

fn tell_steered(
    group: &str,
    command: &str,
    steered: Result<Vec<Steered>, NotSteered>,
) -> Answer<Value> {
    let steered = steered.map_err(|error| not_steered(&error))?;
    tracing::info!(routing_group = group, command, "routing group steered by hand");
    let backends: Vec<Value> = steered
        .iter()
        .map(|each| json!({ "name": each.backend.as_str(), "wake": each.state.as_str() }))
        .collect();
    page(json!({ "routingGroup": group, "backends": backends }))
}

fn not_steered(error: &NotSteered) -> Refused {
    let status = match error {
        NotSteered::UnknownGroup(_) => StatusCode::NOT_FOUND,
        NotSteered::NoDriver(_) => StatusCode::CONFLICT,
        NotSteered::Stopping => StatusCode::SERVICE_UNAVAILABLE,
    };
    Refused::new(status, error.to_string())
}
