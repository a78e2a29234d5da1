//! `/api/v1/status` and `/api/v1/routing-groups`: the fleet as the gateway sees it, from the current snapshot.

use std::{sync::Arc, time::SystemTime};

use ahash::AHashMap;
use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::{
    admin::{
        Seen,
        answer::{Answer, Refused, page},
    },
    lifecycle::Phase,
    metrics::{InFlight, ResumeOutcome},
    snapshot::{Backend, BackendState, Group, Snapshot},
};

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
    inflight: States,
    resume: ResumePage,
    backends: Vec<BackendPage>,
}

/// Queries by state, in the order of a query's life.
#[derive(Default)]
struct States(Vec<(&'static str, u64)>);

impl Serialize for States {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
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
    /// Why it cannot be asked, where the reason is its certificate or ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<Arc<str>>,
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
    page(group_page(group, &mut Counts::of(&seen)))
}

fn node(seen: &Seen, snapshot: &Snapshot) -> Node {
    Node {
        role: "gateway",
        version: env!("CARGO_PKG_VERSION"),
        trino_version: snapshot.trino_version(),
        uptime_seconds: seen.started.elapsed().as_secs(),
        instance: Arc::clone(&seen.instance),
    }
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
    let mut counts = Counts::of(seen);
    snapshot.groups.iter().map(|group| group_page(group, &mut counts)).collect()
}

/// What lives at this moment, by group.
#[derive(Default)]
struct Counts {
    in_flight: AHashMap<Arc<str>, States>,
    waiters: AHashMap<Arc<str>, u64>,
}

impl Counts {
    fn of(seen: &Seen) -> Self {
        let mut counts = Self::default();
        for InFlight { group, state, count, .. } in seen.living.in_flight() {
            counts.in_flight.entry(group).or_default().0.push((state, count));
        }
        let groups = seen.living.groups().into_iter();
        counts.waiters = groups.map(|each| (each.group, each.waiters)).collect();
        counts
    }
}

fn group_page(group: &Group, counts: &mut Counts) -> GroupPage {
    let name = group.name.as_str();
    GroupPage {
        name: name.to_owned(),
        namespace: Arc::clone(&group.namespace),
        xtrinode: Arc::clone(&group.xtrinode),
        state: state(&group.members.iter().map(|backend| backend.state).collect::<Vec<_>>()),
        inflight: counts.in_flight.remove(name).unwrap_or_default(),
        resume: ResumePage {
            in_progress: group.wake.resuming_since.is_some(),
            waiters: counts.waiters.get(name).copied().unwrap_or_default(),
            last_outcome: group.wake.last_outcome.map(ResumeOutcome::as_str),
            last_success: group.wake.last_success.and_then(time),
        },
        backends: group.members.iter().map(|backend| backend_page(backend)).collect(),
    }
}

/// One word for a group: the best that any of its backends can offer, and what is wrong before what is asleep.
fn state(members: &[BackendState]) -> &'static str {
    let any = |state| members.contains(&state);
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
        tls: backend.no_tls.clone(),
        last_check: backend.last_check().and_then(time),
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

#[cfg(test)]
mod tests {
    use super::{
        BackendState::{Draining, Healthy, Inactive, Resuming, Sleeping, Unhealthy},
        state,
    };

    #[test]
    fn obs_h3_a_group_is_what_its_best_backend_offers() {
        for (members, word) in [
            (&[Unhealthy, Sleeping, Healthy][..], "RUNNING"),
            (&[Unhealthy, Resuming, Draining], "RESUMING"),
            (&[Sleeping, Inactive], "PAUSED"),
            (&[Sleeping], "PAUSED"),
            (&[Inactive], "PAUSED"),
            (&[], "PAUSED"),
            (&[Sleeping, Draining], "DRAINING"),
            (&[Draining, Inactive], "DRAINING"),
            (&[Sleeping, Unhealthy], "ERROR"),
            (&[Draining, Unhealthy], "ERROR"),
        ] {
            assert_eq!(state(members), word, "{members:?}");
        }
    }
}
