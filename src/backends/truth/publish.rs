//! The next snapshot, made from the truth; and the log of states that changed.

use std::{collections::BTreeMap, sync::Arc};

use ahash::AHashMap;
use sha2::{Digest, Sha256};
use sluice_routing::{BackendName, Fleet, Group as FleetGroup, Member};

use crate::{
    backends::{plan::PlannedGroup, record::Record, truth::Truth},
    events::{Event, Events},
    metrics::{EventName, EventType},
    snapshot::{Backend, BackendState, Group, GroupLive, Mark, Seat, Snapshot},
};

/// The longest name of a backend.
const MAX_NAME: usize = 63;

type Shown = BTreeMap<Seat, Arc<Backend>>;

impl Truth {
    /// What requests read from now on.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let shown: Shown = self
            .records
            .iter()
            .map(|(seat, record)| {
                let mark = self.mark_of(record.name());
                (*seat, Arc::new(record.shown(self.public_name(record), mark)))
            })
            .collect();
        Snapshot {
            config: Arc::clone(&self.config),
            config_hash: Arc::clone(&self.hash),
            rules: Arc::clone(&self.plan.rules),
            fleet: self.fleet(),
            groups: self.plan.groups.iter().map(|group| self.group(group, &shown)).collect(),
            coordinators: self
                .coordinators
                .owners()
                .filter_map(|(id, seat)| Some((id, shown.get(&seat)?.name.clone())))
                .collect(),
            backends: by_name(shown),
        }
    }

    /// Logs every backend whose state is another than at the last call.
    pub(crate) fn tell_states(&mut self) {
        let marks: AHashMap<BackendName, Mark> =
            self.marks.iter().map(|(name, marked)| (name.clone(), marked.mark)).collect();
        for record in self.records.values_mut().filter(|record| record.probed) {
            let to = record.state(marks.get(record.name()).copied().unwrap_or_default());
            let from = record.told.replace(to);
            if from != Some(to) {
                tell_state(record, from, to, &self.events);
            }
        }
    }

    /// A retired backend whose name another one took is known by its address as well.
    fn public_name(&self, record: &Record) -> BackendName {
        if self.holders.get(record.name()) == Some(&record.seat()) {
            return record.name().clone();
        }
        let hash = Sha256::digest(record.planned.url.to_string());
        let tail: String = hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        let room = MAX_NAME.saturating_sub("-was-".len() + tail.len());
        let head: String = record.name().as_str().chars().take(room).collect();
        BackendName::parse(&format!("{head}-was-{tail}")).unwrap_or_else(|| record.name().clone())
    }

    fn fleet(&self) -> Fleet {
        let groups = self.plan.groups.iter().map(|group| FleetGroup {
            name: group.name.clone(),
            select: group.select,
            on_empty: group.on_empty,
            members: self.members(group).map(|record| self.member(record)).collect(),
        });
        Fleet { groups: groups.collect(), default_group: self.plan.default_group }
    }

    fn member(&self, record: &Record) -> Member {
        Member {
            name: record.name().clone(),
            weight: record.planned.weight,
            availability: record.availability(self.mark_of(record.name())),
            load: record.live.load.clone(),
        }
    }

    fn group(&self, group: &PlannedGroup, shown: &Shown) -> Arc<Group> {
        Arc::new(Group {
            name: group.name.clone(),
            namespace: Arc::clone(&group.namespace),
            xtrinode: Arc::clone(&group.xtrinode),
            metrics: self.metrics.group(group.name.as_str()),
            members: self
                .members(group)
                .filter_map(|record| shown.get(&record.seat()).cloned())
                .collect(),
            cold_start: group.cold_start.clone(),
            wake: self.group_wake(group),
            live: self.live(group),
        })
    }

    fn live(&self, group: &PlannedGroup) -> Arc<GroupLive> {
        let made = || Arc::new(GroupLive::new(group.name.clone(), self.reports.clone()));
        self.lives.get(&group.name).cloned().unwrap_or_else(made)
    }

    /// The records of a group's backends, in the order of the file; the same ones for fleet and group.
    pub(super) fn members<'a>(
        &'a self,
        group: &'a PlannedGroup,
    ) -> impl Iterator<Item = &'a Record> {
        group
            .backends
            .iter()
            .filter_map(|backend| self.holders.get(&backend.name))
            .filter_map(|seat| self.records.get(seat))
    }
}

/// Whoever bears a name in the file has it, should a retired one's happen to be the same.
fn by_name(shown: Shown) -> AHashMap<BackendName, Arc<Backend>> {
    let (retired, named): (Vec<_>, Vec<_>) =
        shown.into_values().partition(|backend| backend.retired);
    retired.into_iter().chain(named).map(|backend| (backend.name.clone(), backend)).collect()
}

/// Tells log and events of a backend's new state.
fn tell_state(record: &Record, from: Option<BackendState>, to: BackendState, events: &Events) {
    let (backend, routing_group) = (record.name(), &record.group);
    let (from, first) = (from.map_or("unknown", BackendState::as_str), from.is_none());
    match to {
        // The first finding is no change, and a good one no warning.
        BackendState::Healthy if first => {
            tracing::info!(%backend, %routing_group, "backend is healthy");
            return;
        }
        // That one sleeps and wakes is its life.
        to if record.wake.is_some() && to != BackendState::Unhealthy => tracing::info!(
            event = "backend_state_changed", %backend, %routing_group, from, to = to.as_str(),
            "backend is {}", to.as_str()
        ),
        to => tracing::warn!(
            event = "backend_state_changed", %backend, %routing_group, from, to = to.as_str(),
            "backend is {}", to.as_str()
        ),
    }
    let kind = match to {
        BackendState::Unhealthy => EventType::Warning,
        _ => EventType::Normal,
    };
    let words = format!("{from} -> {}", to.as_str());
    let event = Event::now(kind, EventName::BackendStateChanged, &words);
    events.tell(event.of(routing_group.as_str(), backend.as_str()));
}
