//! What Prometheus reads: counters, histograms and gauges under the names of `tests/golden/metrics.txt`.
//!
//! `table` declares every metric once. Handles (`GroupMetrics`, `BackendMetrics`) are resolved when a configuration is
//! taken over, with every series at 0, and kept in the snapshot, so that a request never looks up a label. Gauges about
//! queries and backends are computed at scrape time from [`Living`]. Labels hold configured names and closed lists
//! only: never a path, a query id, a user or SQL. The registry is private; nothing is global.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use ahash::AHashMap;
use prometheus::{
    Registry,
    proto::{MetricFamily, MetricType},
};

mod backend;
mod exemplars;
mod family;
mod gateway;
mod group;
mod labels;
mod living;
mod page;
mod scrape;
mod series;
mod table;
#[cfg(test)]
mod tests;

pub use self::{
    backend::BackendMetrics,
    family::Declared,
    group::{Answered, GroupMetrics},
    labels::{
        AdminOperation, AdminStatus, AuditDropped, AuditStatus, BackendState, Circuit,
        ColdStartPhase, Direction, Encoding, ErrorKind, EventName, EventType, Evicted, Lookup,
        Method, Operation, Probe, Provider, ProviderOutcome, Push, QueryError, QueryEvent,
        QueryStatus, Reload, ResumeOutcome, Retry, RoutingError, SpanDropped, Step, StoreOperation,
        StoreStatus, Unavailable, UpstreamError, Workers,
    },
    living::{BackendGauge, GroupGauge, InFlight, Living, Runtimes, Wanted, WorkersOfGroup},
    page::Format,
    scrape::Scrape,
};
use self::{
    gateway::Gateway,
    page::Page,
    table::{Kept, Set},
};

/// The label `routing_group` of requests that belong to no configured group.
pub const UNKNOWN_GROUP: &str = "unknown";

/// Why the metrics could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// The table declares something that Prometheus does not allow.
    #[error("cannot set up the metrics: {0}")]
    Refused(#[from] prometheus::Error),
}

/// Every metric of the process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    families: Arc<Kept>,
    gateway: Gateway,
    unknown: Arc<GroupMetrics>,
    named: Mutex<Named>,
    /// What the last page took, and some more: the room for the next one.
    last_size: AtomicUsize,
}

/// The handles that are at work, by name.
#[derive(Debug, Default)]
struct Named {
    groups: AHashMap<Box<str>, Arc<GroupMetrics>>,
    backends: AHashMap<(Box<str>, Box<str>), Arc<BackendMetrics>>,
}

impl Metrics {
    /// Every metric that the gateway declares, for the golden file and the documentation.
    pub fn declared() -> impl Iterator<Item = &'static Declared> {
        table::KEPT.iter().chain(table::SCRAPED)
    }

    /// Registers every family and makes the series that need no configuration.
    pub fn new() -> Result<Arc<Self>, MetricsError> {
        let registry = Registry::new();
        let families = Arc::new(Kept::register(&registry)?);
        #[cfg(target_os = "linux")]
        registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        Ok(Arc::new(Self {
            registry,
            gateway: Gateway::resolve(&families),
            unknown: Arc::new(GroupMetrics::resolve(UNKNOWN_GROUP, &families)),
            named: Mutex::default(),
            last_size: AtomicUsize::new(0),
            families,
        }))
    }

    /// The counters of a configured group; the same ones for the same name until it is forgotten.
    pub fn group(&self, name: &str) -> Arc<GroupMetrics> {
        if name == UNKNOWN_GROUP {
            return self.unknown();
        }
        let mut named = self.named();
        let made = || Arc::new(GroupMetrics::resolve(name, &self.families));
        Arc::clone(named.groups.entry(name.into()).or_insert_with(made))
    }

    /// The counters of requests that belong to no group.
    pub fn unknown(&self) -> Arc<GroupMetrics> {
        Arc::clone(&self.unknown)
    }

    /// The counters of a configured backend; the same ones for the same names until it is forgotten.
    pub fn backend(&self, group: &str, backend: &str) -> Arc<BackendMetrics> {
        let mut named = self.named();
        let made = || Arc::new(BackendMetrics::resolve(group, backend, &self.families));
        Arc::clone(named.backends.entry((group.into(), backend.into())).or_insert_with(made))
    }

    /// Removes the series of a group and of its backends; handles that are still held count into the void.
    pub fn forget_group(&self, name: &str) {
        if name == UNKNOWN_GROUP {
            return;
        }
        let mut named = self.named();
        named.backends.retain(|(group, _), backend| {
            let stays = **group != *name;
            if !stays {
                backend.forget();
            }
            stays
        });
        if let Some(group) = named.groups.remove(name) {
            group.forget();
        }
        // What only a backend of the group brought with it (its probes are timed by group).
        self.families.forget(&[("routing_group", name)]);
    }

    /// Removes the series of a backend.
    pub fn forget_backend(&self, group: &str, backend: &str) {
        if let Some(gone) = self.named().backends.remove(&(group.into(), backend.into())) {
            gone.forget();
        }
    }

    /// Removes the series of a rule from every group.
    pub fn forget_rule(&self, rule: &str) {
        for group in self.named().groups.values() {
            group.forget_rule(rule);
        }
    }

    /// A request on the data port has ended: what it was for, what the client got, how long it took in all.
    pub fn http_request(
        &self,
        operation: Operation,
        method: &http::Method,
        status: u16,
        took: Duration,
    ) {
        self.gateway.http_request(&self.families, (operation, method.into()), status, took);
    }

    /// How much of a request's time was the gateway's own.
    pub fn overhead(&self, operation: Operation, took: Duration) {
        self.gateway.overhead_seconds.observe(operation, took);
    }

    /// A request on the data port went wrong.
    pub fn error(&self, kind: ErrorKind, operation: Operation) {
        if let Some(operations) = self.gateway.errors.of(kind) {
            operations.count(operation);
        }
    }

    /// The owner of a query id was searched.
    pub fn route_lookup(&self, result: Lookup) {
        self.gateway.lookups.count(result);
    }

    /// A statement found no way.
    pub fn routing_error(&self, reason: RoutingError) {
        self.gateway.routing_errors.count(reason);
    }

    /// A query's record went before its time.
    pub fn evicted(&self, reason: Evicted) {
        self.gateway.evicted.count(reason);
    }

    /// A resume driver was called.
    pub fn provider_call(&self, provider: Provider, outcome: ProviderOutcome, took: Duration) {
        if let Some(outcomes) = self.gateway.provider_requests.of(provider) {
            outcomes.count(outcome);
        }
        self.gateway.provider_seconds.observe(provider, took);
    }

    /// A step of a request took this long.
    pub fn step(&self, step: Step, took: Duration) {
        self.gateway.steps.observe(step, took);
    }

    /// A data connection was opened; it counts until the guard goes.
    #[must_use]
    pub fn connection(&self) -> Open {
        Open::count(Some(&self.gateway.connections))
    }

    /// KEDA has opened a stream: counted as long as the guard lives.
    pub fn scaler_stream(&self) -> Open {
        Open::count(Some(&self.gateway.scaler_streams))
    }

    /// KEDA has asked.
    pub fn scaler_asked(&self) {
        self.gateway.scaler_asked();
    }

    /// A request on the data port has come; it counts until the guard goes.
    #[must_use]
    pub fn request_in_flight(&self, method: &http::Method) -> Open {
        Open::count(self.gateway.http_in_flight.of(method.into()))
    }

    /// The configuration was read again and taken over, or refused.
    pub fn config_reload(&self, accepted: bool) {
        self.gateway.reloaded(accepted);
    }

    /// An operator's command was answered.
    pub fn admin_operation(&self, operation: AdminOperation, status: AdminStatus) {
        if let Some(statuses) = self.gateway.admin.of(operation) {
            statuses.count(status);
        }
    }

    /// Something happened that the list of events tells.
    pub fn event(&self, event: EventName, kind: EventType) {
        if let Some(kinds) = self.gateway.events.of(event) {
            kinds.count(kind);
        }
    }

    /// So many audit records were written, or could not be.
    pub fn audit(&self, status: AuditStatus, records: u64) {
        if let Some(counter) = self.gateway.audit_records.of(status) {
            counter.inc_by(records);
        }
        if status == AuditStatus::Written {
            self.gateway.audit_last_write.set(gateway::unix_seconds());
        }
    }

    /// So many audit records were lost.
    pub fn audit_dropped(&self, reason: AuditDropped, records: u64) {
        if let Some(counter) = self.gateway.audit_dropped.of(reason) {
            counter.inc_by(records);
        }
    }

    /// The gauge of audit records that wait for the disk.
    pub fn audit_depth(&self) -> prometheus::Gauge {
        self.gateway.audit_depth.clone()
    }

    /// The store was asked, or should have been and was not, since it is lost.
    pub fn store_call(&self, operation: StoreOperation, status: StoreStatus) {
        if let Some(statuses) = self.gateway.store_calls.of(operation) {
            statuses.count(status);
        }
    }

    /// A call of the store took this long, whatever came of it.
    pub fn store_took(&self, operation: StoreOperation, took: Duration) {
        self.gateway.store_seconds.observe(operation, took);
    }

    /// Whether the store answers.
    pub fn store_is_up(&self, is_up: bool) {
        self.gateway.store_up.set(if is_up { 1.0 } else { 0.0 });
    }

    /// A connection to the store is open; it counts until the guard goes.
    #[must_use]
    pub fn store_connection(&self) -> Open {
        Open::count(Some(&self.gateway.store_connections))
    }

    /// The gauge of writes that wait for the store.
    pub fn store_depth(&self) -> prometheus::Gauge {
        self.gateway.store_depth.clone()
    }

    /// So many spans reached a collector.
    pub fn spans_exported(&self, spans: u64) {
        self.gateway.spans_exported.inc_by(spans);
    }

    /// So many spans were lost.
    pub fn spans_dropped(&self, reason: SpanDropped, spans: u64) {
        if let Some(counter) = self.gateway.spans_dropped.of(reason) {
            counter.inc_by(spans);
        }
    }

    /// The page of metrics, in Prometheus' text format 0.0.4.
    pub fn encode(&self, living: &dyn Living) -> String {
        self.page(living, Format::Text)
    }

    /// The page of metrics.
    pub fn page(&self, living: &dyn Living, format: Format) -> String {
        let mut page = Page::new(format, self.last_size.load(Ordering::Relaxed));
        for family in self.gather(living) {
            page.family(&family, self.families.exemplars(family.name()));
        }
        let page = page.finish();
        self.last_size.store(page.len() + page.len() / 8, Ordering::Relaxed);
        page
    }

    /// Every family by name; those that have no series now, too.
    fn gather(&self, living: &dyn Living) -> Vec<MetricFamily> {
        let mut families = self.registry.gather();
        match living::gather(living) {
            Ok(scraped) => families.extend(scraped),
            Err(error) => tracing::error!(%error, "cannot compute the gauges of this scrape"),
        }
        let absent = Self::declared().filter(|declared| declared.may_be_absent);
        for declared in absent {
            if !families.iter().any(|family| family.name() == declared.name) {
                families.push(empty(declared));
            }
        }
        families.sort_by(|a, b| a.name().cmp(b.name()));
        families
    }

    fn named(&self) -> std::sync::MutexGuard<'_, Named> {
        self.named.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn empty(declared: &Declared) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(declared.name.to_owned());
    family.set_help(declared.help.to_owned());
    family.set_field_type(match declared.kind {
        "counter" => MetricType::COUNTER,
        "gauge" => MetricType::GAUGE,
        _ => MetricType::HISTOGRAM,
    });
    family
}

/// Something that a gauge counts as long as it lives.
#[derive(Debug)]
pub struct Open(Option<prometheus::Gauge>);

impl Open {
    fn count(gauge: Option<&prometheus::Gauge>) -> Self {
        gauge.inspect(|gauge| gauge.inc());
        Self(gauge.cloned())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(gauge) = &self.0 {
            gauge.dec();
        }
    }
}
