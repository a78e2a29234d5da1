//! `/api/v1/status` and `/api/v1/routing-groups`: the fleet as the gateway sees it, from the current snapshot.

use std::{collections::BTreeMap, sync::Arc, time::SystemTime};

use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use jiff::Timestamp;
use serde::Serialize;

use crate::{
    admin::{
        Seen,
        answer::{Answer, Refused, page},
    },
    lifecycle::Phase,
    metrics::{GroupGauge, InFlight, ResumeOutcome},
    snapshot::{Backend, BackendState, Group, Snapshot},
};

/// What `/v1/info` says of Trino's version before any coordinator has told its own.
const UNLEARNED_VERSION: &str = "483";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    status: &'static str,
    node: Node,
    workers: Workers,
    routing_groups: Vec<GroupPage>,
    config: ConfigPage,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    role: &'static str,
    version: &'static str,
    trino_version: Arc<str>,
    uptime_seconds: u64,
    instance: Arc<str>,
}

/// Backend counts under the name that older consumers know.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Workers {
    total: usize,
    healthy: usize,
    healthy_urls: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GroupPage {
    name: String,
    namespace: Arc<str>,
    xtrinode: Arc<str>,
    state: &'static str,
    inflight: BTreeMap<&'static str, u64>,
    resume: ResumePage,
    backends: Vec<BackendPage>,
}

/// How waking the group stands.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResumePage {
    in_progress: bool,
    waiters: u64,
    last_outcome: Option<&'static str>,
    last_success: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BackendPage {
    name: String,
    url: String,
    kind: &'static str,
    state: &'static str,
    circuit: &'static str,
    last_check: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ConfigPage {
    hash: Arc<str>,
    loaded_at: String,
    last_error: Option<Arc<str>>,
}

pub(super) async fn all(State(seen): State<Seen>) -> Answer<Status> {
    let snapshot = seen.current.load_full();
    page(Status {
        status: match seen.lifecycle.phase() {
            Phase::Starting => "STARTING",
            Phase::Serving => "ACTIVE",
            Phase::Draining | Phase::Stopping | Phase::Stopped => "SHUTTING_DOWN",
        },
        node: node(&seen, &snapshot),
        workers: workers(&snapshot),
        routing_groups: group_pages(&seen, &snapshot),
        config: config(&seen),
    })
}

pub(super) async fn groups(State(seen): State<Seen>) -> Answer<Vec<GroupPage>> {
    page(group_pages(&seen, &seen.current.load_full()))
}

pub(super) async fn group(State(seen): State<Seen>, Path(name): Path<String>) -> Answer<GroupPage> {
    let snapshot = seen.current.load_full();
    let Some(group) = snapshot.groups.iter().find(|group| group.name.as_str() == name) else {
        return Err(Refused::new(StatusCode::NOT_FOUND, format!("no routing group `{name}`")));
    };
    page(group_page(group, &seen.living.in_flight(), &seen.living.groups()))
}

fn node(seen: &Seen, snapshot: &Snapshot) -> Node {
    Node {
        role: "gateway",
        version: env!("CARGO_PKG_VERSION"),
        trino_version: trino_version(snapshot),
        uptime_seconds: seen.started.elapsed().as_secs(),
        instance: Arc::clone(&seen.instance),
    }
}

/// The configured version, else what the default group runs, else a recent one.
fn trino_version(snapshot: &Snapshot) -> Arc<str> {
    let configured = snapshot.config.info.node_version.as_str();
    if configured != "auto" {
        return configured.into();
    }
    let default = snapshot.fleet.default_group.and_then(|at| snapshot.groups.get(at));
    let learned = default.into_iter().flat_map(|group| &group.members);
    learned
        .filter_map(|backend| backend.version.clone())
        .next()
        .unwrap_or_else(|| UNLEARNED_VERSION.into())
}

fn workers(snapshot: &Snapshot) -> Workers {
    let backends = || snapshot.groups.iter().flat_map(|group| &group.members);
    let healthy_urls: Vec<String> = backends()
        .filter(|backend| backend.state == BackendState::Healthy)
        .map(|backend| backend.url.to_string())
        .collect();
    Workers { total: backends().count(), healthy: healthy_urls.len(), healthy_urls }
}

fn group_pages(seen: &Seen, snapshot: &Snapshot) -> Vec<GroupPage> {
    let in_flight = seen.living.in_flight();
    let gauges = seen.living.groups();
    snapshot.groups.iter().map(|group| group_page(group, &in_flight, &gauges)).collect()
}

fn group_page(group: &Group, in_flight: &[InFlight], gauges: &[GroupGauge]) -> GroupPage {
    let own = in_flight.iter().filter(|each| *each.group == *group.name.as_str());
    GroupPage {
        name: group.name.to_string(),
        namespace: Arc::clone(&group.namespace),
        xtrinode: Arc::clone(&group.xtrinode),
        state: state(&group.members),
        inflight: own.map(|each| (each.state, each.count)).collect(),
        resume: ResumePage {
            in_progress: group.wake.resuming_since.is_some(),
            waiters: gauges
                .iter()
                .find(|each| *each.group == *group.name.as_str())
                .map_or(0, |each| each.waiters),
            last_outcome: group.wake.last_outcome.map(ResumeOutcome::as_str),
            last_success: group.wake.last_success.and_then(time),
        },
        backends: group.members.iter().map(|backend| backend_page(backend)).collect(),
    }
}

/// One word for a group: the best that any of its backends can offer.
fn state(members: &[Arc<Backend>]) -> &'static str {
    let any = |state| members.iter().any(|backend| backend.state == state);
    if any(BackendState::Healthy) {
        "RUNNING"
    } else if any(BackendState::Resuming) {
        "RESUMING"
    } else if any(BackendState::Unhealthy) {
        "ERROR"
    } else if any(BackendState::Draining) {
        "DRAINING"
    } else {
        "PAUSED"
    }
}

fn backend_page(backend: &Backend) -> BackendPage {
    BackendPage {
        name: backend.name.to_string(),
        url: backend.url.to_string(),
        kind: "trino",
        state: backend.state.as_str(),
        circuit: backend.circuit.as_str(),
        last_check: backend.last_check.and_then(time),
    }
}

fn config(seen: &Seen) -> ConfigPage {
    let last = seen.config.last();
    ConfigPage {
        hash: last.hash,
        loaded_at: format!("{:.3}", last.loaded_at),
        last_error: last.error,
    }
}

fn time(time: SystemTime) -> Option<String> {
    Timestamp::try_from(time).ok().map(|time| format!("{time:.3}"))
}
