//! How a new configuration is taken over.
//!
//! A backend that stays at its address keeps its load, its counters and what is known of it, also in another group.
//! One that is no longer named retires: it goes on serving the ids of its queries, is probed no more, and goes,
//! its series too, when it has had no query for `queries.rememberFor`. One whose address changed under its name is
//! two backends: the new one takes the name, the old one retires as `<name>-was-<hash of its address>`, and
//! `Snapshot::bound` sends the queries of its process there. Named again, a retired backend comes back as it was.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use sluice_routing::{BackendName, GroupName};
use tokio::time::Instant;

use crate::{
    backends::{
        plan::{Plan, PlannedBackend},
        record::{Record, Retirement},
        renewal::Renewed,
        truth::{Effect, Truth},
    },
    config::{model::Config, trust::TrustId},
    snapshot::{BackendUrl, GroupLive, Seat},
};

/// By what its connections are made.
fn id_of(backend: &PlannedBackend) -> Option<TrustId> {
    backend.trust.as_ref().map(|trust| trust.id())
}

impl Truth {
    /// Takes over another configuration.
    pub(crate) fn apply(&mut self, plan: Plan, config: Arc<Config>, hash: Arc<str>, now: Instant) {
        let rules = std::mem::replace(&mut self.plan, plan);
        for (rule, _) in rules.decisions {
            if !self.plan.decisions.iter().any(|(name, _)| *name == rule) {
                self.metrics.forget_rule(&rule);
            }
        }
        self.config = config;
        self.hash = hash;
        self.seat_everyone(now);
        self.stir_all(now);
        self.changed = true;
    }

    /// Takes over certificates that changed in their files, unless another configuration came meanwhile.
    pub(crate) fn renew(&mut self, renewed: Renewed) {
        if renewed.hash != self.hash {
            return;
        }
        for (name, trust) in renewed.trusts {
            let Some(seat) = self.holders.get(&name).copied() else { continue };
            let record = self.records.get_mut(&seat).filter(|record| record.retired.is_none());
            let Some(record) = record else { continue };
            tracing::info!(
                event = "tls_files_renewed", backend = %name, routing_group = %record.group,
                "new connections use the certificates that the files now hold"
            );
            record.planned.trust = Some(trust);
            self.effects.push(Effect::Start(seat));
            self.changed = true;
        }
    }

    /// Finds or makes the record of every planned backend and retires all others.
    pub(super) fn seat_everyone(&mut self, now: Instant) {
        let planned: Vec<(GroupName, PlannedBackend)> = self
            .plan
            .groups
            .iter()
            .flat_map(|group| group.backends.iter().map(|b| (group.name.clone(), b.clone())))
            .collect();
        let named: BTreeSet<Seat> =
            planned.iter().map(|(group, backend)| self.seat(group, backend)).collect();
        for (seat, record) in &mut self.records {
            if !named.contains(seat) && record.retired.is_none() {
                record.retired = Some(Retirement::default());
                self.effects.push(Effect::Stop(*seat));
            }
        }
        let seats: Vec<Seat> = self.records.keys().copied().collect();
        seats.into_iter().for_each(|seat| self.rewire(seat, now));
        for group in &self.plan.groups {
            let made = || Arc::new(GroupLive::new(group.name.clone(), self.reports.clone()));
            self.lives.entry(group.name.clone()).or_insert_with(made);
        }
        self.settle_series();
    }

    fn seat(&mut self, group: &GroupName, backend: &PlannedBackend) -> Seat {
        let seat = match self.seat_at(&backend.name, &backend.url) {
            Some(seat) => self.reseat(seat, group, backend),
            None => self.admit(group, backend),
        };
        self.holders.insert(backend.name.clone(), seat);
        seat
    }

    fn seat_at(&self, name: &BackendName, url: &BackendUrl) -> Option<Seat> {
        let mut records = self.records.values();
        let same = |each: &&Record| each.name() == name && each.planned.url == *url;
        records.find(same).map(Record::seat)
    }

    fn reseat(&mut self, seat: Seat, group: &GroupName, backend: &PlannedBackend) -> Seat {
        let metrics = self.metrics.backend(group.as_str(), backend.name.as_str());
        if let Some(record) = self.records.get_mut(&seat) {
            // Under other certificates it is probed by another client; what is known of it stays until that says otherwise.
            let same = id_of(&record.planned) == id_of(backend);
            record.replan(group, backend, metrics);
            let anew = record.retired.is_some() || !same;
            let effect = if anew { Effect::Start(seat) } else { Effect::Retune(seat) };
            if record.retired.is_some() {
                record.revive();
            }
            self.effects.push(effect);
        }
        seat
    }

    fn admit(&mut self, group: &GroupName, backend: &PlannedBackend) -> Seat {
        let seat = Seat(self.next_seat);
        self.next_seat += 1;
        let metrics = self.metrics.backend(group.as_str(), backend.name.as_str());
        let record =
            Record::new(seat, group.clone(), backend.clone(), metrics, self.reports.clone());
        self.records.insert(seat, record);
        self.effects.push(Effect::Start(seat));
        seat
    }

    /// Lets go of retired backends that have had no query for long enough, or none ever.
    pub(super) fn release(&mut self, now: Instant) {
        let keep = self.plan.remember_for;
        let mut gone = Vec::new();
        for (seat, record) in &mut self.records {
            let idle = record.live.load.get() == 0;
            let Some(retired) = &mut record.retired else { continue };
            retired.idle_since = idle.then(|| retired.idle_since.unwrap_or(now));
            // Who was never probed never was ready, so nobody knows an id of its queries.
            let keep = if record.probed { keep } else { Duration::ZERO };
            if retired.idle_since.is_some_and(|since| since + keep <= now) {
                gone.push(*seat);
            }
        }
        for seat in gone {
            self.forget(seat);
        }
    }

    fn forget(&mut self, seat: Seat) {
        self.records.remove(&seat);
        self.coordinators.forget(seat);
        self.holders.retain(|_, holder| *holder != seat);
        let records = &self.records;
        self.marks.retain(|name, _| records.values().any(|record| record.name() == name));
        self.settle_series();
        self.changed = true;
    }

    /// Makes the series of what is there and removes those of what is not.
    fn settle_series(&mut self) {
        let mut wanted: BTreeSet<(GroupName, Option<BackendName>)> =
            self.plan.groups.iter().map(|group| (group.name.clone(), None)).collect();
        for record in self.records.values() {
            wanted.insert((record.group.clone(), None));
            wanted.insert((record.group.clone(), Some(record.name().clone())));
        }
        for (group, backend) in self.series.difference(&wanted) {
            match backend {
                Some(backend) => self.metrics.forget_backend(group.as_str(), backend.as_str()),
                None => self.metrics.forget_group(group.as_str()),
            }
        }
        self.series = wanted;
        let counts_rows = self.config.queries.count_rows || self.config.audit.path.is_some();
        for group in &self.plan.groups {
            let metrics = self.metrics.group(group.name.as_str());
            if counts_rows {
                metrics.rows(0);
            }
        }
        for (rule, group) in &self.plan.decisions {
            self.metrics.group(group.as_str()).rule(rule);
        }
    }
}
