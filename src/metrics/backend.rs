//! The counters of one backend. Its gauges are computed at scrape time (see `living`).

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use prometheus::{Histogram, IntCounter};

use crate::metrics::{
    labels::{Circuit, Probe, Retry, UpstreamError},
    series::{Codes, PerLabel},
    table::{Kept, Set},
};

/// The counters of one backend; every series exists from the start.
#[derive(Debug)]
pub struct BackendMetrics {
    group: Box<str>,
    backend: Box<str>,
    families: Arc<Kept>,
    /// Whether the series were removed; then nothing may bring one back.
    gone: Mutex<bool>,
    requests: Codes,
    seconds: Histogram,
    errors: PerLabel<UpstreamError, IntCounter>,
    retries: PerLabel<Retry, IntCounter>,
    probes: PerLabel<Probe, IntCounter>,
    probe_seconds: Histogram,
    circuit: PerLabel<Circuit, IntCounter>,
}

impl BackendMetrics {
    pub(super) fn resolve(group: &str, backend: &str, families: &Arc<Kept>) -> Self {
        let kept = families;
        kept.upstream_requests.with([group, backend, "200"]);
        Self {
            group: group.into(),
            backend: backend.into(),
            families: Arc::clone(families),
            gone: Mutex::new(false),
            requests: Codes::default(),
            seconds: kept.upstream_seconds.with([group, backend]),
            errors: PerLabel::resolve(|e: UpstreamError| {
                kept.upstream_errors.with([group, backend, e.as_str()])
            }),
            retries: PerLabel::resolve(|r: Retry| {
                kept.upstream_retries.with([group, backend, r.as_str()])
            }),
            probes: PerLabel::resolve(|p: Probe| kept.probes.with([group, backend, p.as_str()])),
            probe_seconds: kept.probe_seconds.with([group]),
            circuit: PerLabel::resolve(|c: Circuit| {
                kept.circuit_changes.with([group, backend, c.as_str()])
            }),
        }
    }

    /// An attempt was answered with this status; `took` runs to the head of the answer.
    pub fn attempt(&self, status: u16, took: Duration) {
        self.requests.count(status, |code| {
            let gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
            let names = [&*self.group, &*self.backend, code];
            (!*gone).then(|| self.families.upstream_requests.with(names))
        });
        self.seconds.observe(took.as_secs_f64());
    }

    /// An attempt failed, before its answer or in the middle of it.
    pub fn failed(&self, error: UpstreamError) {
        self.errors.count(error);
    }

    /// A request that failed here is sent again, here or elsewhere.
    pub fn retried(&self, reason: Retry) {
        self.retries.count(reason);
    }

    /// A health probe ended.
    pub fn probed(&self, result: Probe, took: Duration) {
        self.probes.count(result);
        self.probe_seconds.observe(took.as_secs_f64());
    }

    /// The circuit changed to this state.
    pub fn circuit(&self, to: Circuit) {
        self.circuit.count(to);
    }

    pub(super) fn forget(&self) {
        let mut gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
        *gone = true;
        self.families.forget(&[("routing_group", &self.group), ("backend", &self.backend)]);
    }
}
