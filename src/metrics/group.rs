//! The counters of one routing group.
//!
//! What must add up is counted in one place: `request` alone moves the three 503 counters and the histogram, so
//! their sums are equal however a request ends.

use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use ahash::AHashMap;
use arc_swap::ArcSwap;
use prometheus::{Histogram, IntCounter};
use sluice_routing::StatementKind;

use crate::{
    metrics::{
        exemplars::TracedHistogram,
        labels::{
            ColdStartPhase, Direction, Encoding, Push, QueryError, QueryEvent, QueryStatus,
            ResumeOutcome, Unavailable,
        },
        series::{Codes, PerLabel},
        table::{Kept, Set},
    },
    telemetry::context::TraceContext,
};

/// What a client was told: a status, or a 503 with its reason.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answered {
    /// A status; a bare 503 counts as the backend's own.
    Status(u16),
    /// A 503 of the gateway.
    Unavailable(Unavailable),
}

impl From<u16> for Answered {
    fn from(status: u16) -> Self {
        Self::Status(status)
    }
}

impl From<Unavailable> for Answered {
    fn from(reason: Unavailable) -> Self {
        Self::Unavailable(reason)
    }
}

/// The counters of one routing group; every series exists from the start.
#[derive(Debug)]
pub struct GroupMetrics {
    name: Box<str>,
    families: Arc<Kept>,
    /// Whether the series were removed; then nothing may bring one back.
    gone: Mutex<bool>,
    requests: Codes,
    unavailable_answers: IntCounter,
    request_seconds: TracedHistogram,
    unavailable: PerLabel<Unavailable, IntCounter>,
    resumes: IntCounter,
    resumed: PerLabel<ResumeOutcome, IntCounter>,
    resume_seconds: PerLabel<ResumeOutcome, Histogram>,
    resume_wait: PerLabel<ResumeOutcome, Histogram>,
    coalesced: IntCounter,
    pushes: PerLabel<Push, IntCounter>,
    phases: PerLabel<ColdStartPhase, Histogram>,
    events: PerLabel<QueryEvent, IntCounter>,
    queries: PerLabel<QueryStatus, PerLabel<StatementKind, IntCounter>>,
    query_seconds: PerLabel<StatementKind, TracedHistogram>,
    query_errors: PerLabel<QueryError, IntCounter>,
    first_row: Histogram,
    result_bytes: PerLabel<Direction, PerLabel<Encoding, IntCounter>>,
    /// Made by the first count, which may be of none.
    rows: OnceLock<IntCounter>,
    /// By rule; copied when a rule is new, so that a decision reads without a lock.
    decisions: ArcSwap<AHashMap<Box<str>, IntCounter>>,
}

impl GroupMetrics {
    pub(super) fn resolve(name: &str, families: &Arc<Kept>) -> Self {
        let kept = families;
        kept.probe_seconds.with([name]);
        let group = Self {
            name: name.into(),
            families: Arc::clone(families),
            gone: Mutex::new(false),
            requests: Codes::default(),
            unavailable_answers: kept.unavailable_answers.with([name]),
            request_seconds: kept.request_seconds.with([name]),
            unavailable: PerLabel::resolve(|r: Unavailable| {
                kept.unavailable.with([name, r.as_str()])
            }),
            resumes: kept.resumes.with([name]),
            resumed: PerLabel::resolve(|o: ResumeOutcome| {
                kept.resume_attempts.with([name, o.as_str()])
            }),
            resume_seconds: PerLabel::resolve(|o: ResumeOutcome| {
                kept.resume_seconds.with([name, o.as_str()])
            }),
            resume_wait: PerLabel::resolve(|o: ResumeOutcome| {
                kept.resume_wait.with([name, o.as_str()])
            }),
            coalesced: kept.resume_coalesced.with([name]),
            pushes: PerLabel::resolve(|p: Push| kept.scaler_pushes.with([name, p.as_str()])),
            phases: PerLabel::resolve(|p: ColdStartPhase| {
                kept.cold_start_phases.with([name, p.as_str()])
            }),
            events: PerLabel::resolve(|e: QueryEvent| kept.query_events.with([name, e.as_str()])),
            queries: PerLabel::resolve(|status: QueryStatus| {
                PerLabel::resolve(|kind: StatementKind| {
                    kept.queries.with([name, status.as_str(), kind.as_str()])
                })
            }),
            query_seconds: PerLabel::resolve(|kind: StatementKind| {
                kept.query_seconds.with([name, kind.as_str()])
            }),
            query_errors: PerLabel::resolve(|e: QueryError| {
                kept.query_errors.with([name, e.as_str()])
            }),
            first_row: kept.first_row_seconds.with([name]),
            result_bytes: PerLabel::resolve(|d: Direction| {
                PerLabel::resolve(|e: Encoding| {
                    kept.result_bytes.with([name, d.as_str(), e.as_str()])
                })
            }),
            rows: OnceLock::new(),
            decisions: ArcSwap::default(),
        };
        for status in ["200", "503"] {
            kept.requests.with([name, status]);
        }
        group.rule("header");
        group.rule("default");
        group
    }

    /// The label `routing_group`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A request on the data port has ended; called once for each, with its last byte.
    pub fn request(&self, answered: impl Into<Answered>, took: Duration) {
        let (status, reason) = match answered.into() {
            Answered::Unavailable(reason) => (503, Some(reason)),
            Answered::Status(503) => (503, Some(Unavailable::Upstream503)),
            Answered::Status(status) => (status, None),
        };
        self.requests
            .count(status, |code| self.unless_gone(|name, kept| kept.requests.with([name, code])));
        if let Some(reason) = reason {
            self.unavailable_answers.inc();
            self.unavailable.count(reason);
        }
        self.request_seconds.observe(took);
    }

    /// Names the trace of a request that has ended, if that is sampled.
    pub fn request_exemplar(&self, took: Duration, trace: &TraceContext) {
        self.request_seconds.exemplar(took, trace);
    }

    /// A resume has begun: one for each single flight.
    pub fn resume_began(&self) {
        self.resumes.inc();
    }

    /// A resume has ended, this long after its trigger.
    pub fn resume_ended(&self, outcome: ResumeOutcome, took: Duration) {
        self.resumed.count(outcome);
        self.resume_seconds.observe(outcome, took);
    }

    /// A query joined a resume under way.
    pub fn resume_joined(&self) {
        self.coalesced.inc();
    }

    /// KEDA was told on one of its streams that the group is wanted.
    pub fn pushed(&self, why: Push) {
        self.pushes.count(why);
    }

    /// A query left the waiting room, this long after it came.
    pub fn held(&self, outcome: ResumeOutcome, took: Duration) {
        self.resume_wait.observe(outcome, took);
    }

    /// A part of a cold start took this long.
    pub fn cold_start_phase(&self, phase: ColdStartPhase, took: Duration) {
        self.phases.observe(phase, took);
    }

    /// A query took this step.
    pub fn query_event(&self, event: QueryEvent) {
        self.events.count(event);
    }

    /// A query ended, this long after it was accepted.
    pub fn query_ended(&self, status: QueryStatus, kind: StatementKind, took: Duration) {
        if let Some(kinds) = self.queries.of(status) {
            kinds.count(kind);
        }
        if let Some(seconds) = self.query_seconds.of(kind) {
            seconds.observe(took);
        }
    }

    /// Names the trace of a query that has ended, if that is sampled.
    pub fn query_exemplar(&self, kind: StatementKind, took: Duration, trace: &TraceContext) {
        if let Some(seconds) = self.query_seconds.of(kind) {
            seconds.exemplar(took, trace);
        }
    }

    /// A query failed with an error of this class.
    pub fn query_error(&self, class: QueryError) {
        self.query_errors.count(class);
    }

    /// The first page with rows of a query passes, this long after the query was accepted.
    pub fn first_row(&self, took: Duration) {
        self.first_row.observe(took.as_secs_f64());
    }

    /// So many bytes of a result went this way.
    pub fn result_bytes(&self, direction: Direction, encoding: Encoding, bytes: u64) {
        let counter = self.result_bytes.of(direction).and_then(|encodings| encodings.of(encoding));
        if let Some(counter) = counter {
            counter.inc_by(bytes);
        }
    }

    /// So many rows went to clients; 0 only makes the series.
    pub fn rows(&self, rows: u64) {
        if let Some(counter) = self.rows.get() {
            return counter.inc_by(rows);
        }
        let Some(counter) = self.unless_gone(|name, kept| kept.rows.with([name])) else { return };
        counter.inc_by(rows);
        // Another thread may have put the same series there first.
        let _ = self.rows.set(counter);
    }

    /// A statement was claimed by this rule (`header` and `default` are those that need no configuration).
    pub fn decided(&self, rule: &str) {
        if let Some(counter) = self.decisions.load().get(rule) {
            return counter.inc();
        }
        self.rule(rule);
        if let Some(counter) = self.decisions.load().get(rule) {
            counter.inc();
        }
    }

    /// Makes the series of a configured rule that leads to this group.
    pub fn rule(&self, rule: &str) {
        let Some(counter) = self.unless_gone(|name, kept| kept.decisions.with([name, rule])) else {
            return;
        };
        self.decisions.rcu(|known| {
            let mut known = AHashMap::clone(known);
            known.insert(rule.into(), counter.clone());
            known
        });
    }

    pub(super) fn forget_rule(&self, rule: &str) {
        self.decisions.rcu(|known| {
            let mut known = AHashMap::clone(known);
            known.remove(rule);
            known
        });
        self.families.forget(&[("routing_group", &self.name), ("rule", rule)]);
    }

    pub(super) fn forget(&self) {
        let mut gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
        *gone = true;
        self.families.forget(&[("routing_group", &self.name)]);
    }

    fn unless_gone<T>(&self, make: impl FnOnce(&str, &Kept) -> T) -> Option<T> {
        let gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
        (!*gone).then(|| make(&self.name, &self.families))
    }
}
