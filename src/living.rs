//! What lives at the moment of a scrape, put together from the ledger, the query table and the snapshot.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use sluice_routing::GroupName;
use tokio::{runtime::Handle, time::Instant};

use crate::{
    lifecycle::Lifecycle,
    metrics::{BackendGauge, GroupGauge, InFlight, Living, Runtimes, Wanted},
    queries::{Ledger, Rooms, Sessions, Table, ledger::STATES},
    replicas::Replicas,
    snapshot::{BackendState, Circuit, Current, Group},
};

/// The page of metrics asks it; it holds no numbers of its own.
#[derive(Clone)]
pub(crate) struct Alive {
    pub(crate) current: Current,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) replicas: Arc<Replicas>,
    pub(crate) table: Arc<Table>,
    pub(crate) rooms: Arc<Rooms>,
    pub(crate) sessions: Arc<Sessions>,
    /// Those of the data plane, and the control plane's.
    pub(crate) runtimes: Arc<[Handle]>,
    pub(crate) lifecycle: Lifecycle,
}

impl Living for Alive {
    fn in_flight(&self) -> Vec<InFlight> {
        let counts = self.ledger.counts();
        let snapshot = self.current.load();
        let mut rows = Vec::new();
        for group in &snapshot.groups {
            let counted = counts.get(&group.name).copied().unwrap_or_default();
            rows.extend(STATES.iter().zip(counted).map(|(state, count)| InFlight {
                group: group.name.as_str().into(),
                namespace: Arc::clone(&group.namespace),
                xtrinode: Arc::clone(&group.xtrinode),
                state,
                count,
            }));
        }
        rows.extend(
            counts
                .into_iter()
                .filter(|(name, _)| snapshot.group(name).is_none())
                .flat_map(of_removed),
        );
        rows
    }

    fn backends(&self) -> Vec<BackendGauge> {
        let snapshot = self.current.load();
        let at_work = snapshot
            .backends
            .values()
            .filter(|backend| !backend.retired || backend.live.load.get() > 0);
        at_work
            .map(|backend| BackendGauge {
                group: backend.group.as_str().into(),
                backend: backend.name.as_str().into(),
                state: word(backend.state),
                circuit: match backend.circuit {
                    Circuit::Closed => 0,
                    Circuit::HalfOpen => 1,
                    Circuit::Open => 2,
                },
                in_flight: backend.live.load.get(),
            })
            .collect()
    }

    fn groups(&self) -> Vec<GroupGauge> {
        let snapshot = self.current.load();
        let now = Instant::now();
        let of_group = |group: &Arc<Group>| {
            let held = self.rooms.seen(&group.name);
            GroupGauge {
                group: group.name.as_str().into(),
                demand: Ledger::demand(&self.ledger, &group.name, now).demand,
                peak: self.ledger.peak(&group.name, now),
                waiters: held.waiters,
                held_bytes: held.bytes,
                held_oldest: held.oldest.unwrap_or_default().as_secs_f64(),
                resume_in_progress: group.wake.resuming_since.is_some(),
                last_success: group.wake.last_success.map_or(0.0, unix_seconds),
                // No driver reports any.
                workers: None,
            }
        };
        snapshot.groups.iter().map(of_group).collect()
    }

    fn demand(&self, group: &str) -> Option<Wanted> {
        let snapshot = self.current.load();
        let group = snapshot.groups.iter().find(|each| each.name.as_str() == group)?;
        let now = Instant::now();
        let told = self.replicas.demand(&group.name, now);
        Some(Wanted {
            demand: told.demand,
            in_flight: told.in_flight,
            resuming: told.resuming,
            queued: told.queued,
            running: told.running,
            is_known: self.replicas.is_known(now),
            scope: if self.replicas.is_shared() { "fleet" } else { "replica" },
        })
    }

    fn tracked_queries(&self) -> u64 {
        self.table.len() as u64
    }

    fn active_sessions(&self) -> u64 {
        self.sessions.active(Instant::now())
    }

    fn runtimes(&self) -> Runtimes {
        let mut all = Runtimes::default();
        for runtime in self.runtimes.iter().map(Handle::metrics) {
            all.workers += runtime.num_workers() as u64;
            all.tasks += runtime.num_alive_tasks() as u64;
            all.queued += runtime.global_queue_depth() as u64;
        }
        all
    }

    fn ready(&self) -> bool {
        self.lifecycle.is_ready()
    }
}

/// A removed group goes on being counted until its last query has ended.
fn of_removed((name, counted): (GroupName, [u64; STATES.len()])) -> impl Iterator<Item = InFlight> {
    let (namespace, xtrinode) = name.as_str().split_once("--").unwrap_or(("", name.as_str()));
    let (group, namespace, xtrinode): (Arc<str>, Arc<str>, Arc<str>) =
        (name.as_str().into(), namespace.into(), xtrinode.into());
    STATES.iter().zip(counted).map(move |(state, count)| InFlight {
        group: Arc::clone(&group),
        namespace: Arc::clone(&namespace),
        xtrinode: Arc::clone(&xtrinode),
        state,
        count,
    })
}

fn unix_seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

fn word(state: BackendState) -> &'static str {
    match state {
        BackendState::Healthy => "healthy",
        BackendState::Unhealthy => "unhealthy",
        BackendState::Sleeping => "sleeping",
        BackendState::Resuming => "resuming",
        BackendState::Draining => "draining",
        BackendState::Inactive => "inactive",
    }
}
