//! The counters that belong to no group: requests by operation, look-ups, configuration, operators.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use prometheus::{Gauge, Histogram, IntCounter};

use crate::metrics::{
    labels::{
        AdminOperation, AdminStatus, AuditDropped, AuditStatus, ErrorKind, EventName, EventType,
        Evicted, Lookup, Method, Operation, Provider, ProviderOutcome, Reload, RoutingError,
        SpanDropped, Step, StoreOperation, StoreStatus,
    },
    series::{Codes, PerLabel},
    table::Kept,
};

/// The counters of the process.
#[derive(Debug)]
pub(super) struct Gateway {
    pub(super) http_requests: PerLabel<Operation, PerLabel<Method, Codes>>,
    pub(super) http_seconds: PerLabel<Operation, Histogram>,
    pub(super) overhead_seconds: PerLabel<Operation, Histogram>,
    pub(super) errors: PerLabel<ErrorKind, PerLabel<Operation, IntCounter>>,
    pub(super) lookups: PerLabel<Lookup, IntCounter>,
    pub(super) routing_errors: PerLabel<RoutingError, IntCounter>,
    pub(super) evicted: PerLabel<Evicted, IntCounter>,
    pub(super) http_in_flight: PerLabel<Method, Gauge>,
    pub(super) connections: Gauge,
    pub(super) scaler_streams: Gauge,
    scaler_last_poll: Gauge,
    pub(super) steps: PerLabel<Step, Histogram>,
    pub(super) provider_requests: PerLabel<Provider, PerLabel<ProviderOutcome, IntCounter>>,
    pub(super) provider_seconds: PerLabel<Provider, Histogram>,
    reloads: PerLabel<Reload, IntCounter>,
    reload_successful: Gauge,
    reload_time: Gauge,
    pub(super) admin: PerLabel<AdminOperation, PerLabel<AdminStatus, IntCounter>>,
    pub(super) events: PerLabel<EventName, PerLabel<EventType, IntCounter>>,
    pub(super) audit_records: PerLabel<AuditStatus, IntCounter>,
    pub(super) audit_dropped: PerLabel<AuditDropped, IntCounter>,
    pub(super) audit_depth: Gauge,
    pub(super) audit_last_write: Gauge,
    pub(super) store_calls: PerLabel<StoreOperation, PerLabel<StoreStatus, IntCounter>>,
    pub(super) store_seconds: PerLabel<StoreOperation, Histogram>,
    pub(super) store_up: Gauge,
    pub(super) store_connections: Gauge,
    pub(super) store_depth: Gauge,
    pub(super) spans_exported: IntCounter,
    pub(super) spans_dropped: PerLabel<SpanDropped, IntCounter>,
}

impl Gateway {
    pub(super) fn resolve(kept: &Arc<Kept>) -> Self {
        for operation in Operation::ALL {
            let method = operation.usual_method();
            kept.http_requests.with([operation.as_str(), method.as_str(), "200"]);
        }
        kept.up.set([], 1.0);
        kept.started.set([], unix_seconds());
        let build = [env!("CARGO_PKG_VERSION"), env!("SLUICE_REVISION"), env!("SLUICE_RUSTC")];
        kept.build.set(build, 1.0);
        let gateway = Self {
            http_requests: PerLabel::resolve(|_| PerLabel::resolve(|_| Codes::default())),
            http_seconds: PerLabel::resolve(|o: Operation| kept.http_seconds.with([o.as_str()])),
            overhead_seconds: PerLabel::resolve(|o: Operation| {
                kept.overhead_seconds.with([o.as_str()])
            }),
            errors: PerLabel::resolve(|kind: ErrorKind| {
                PerLabel::resolve(|o: Operation| kept.errors.with([kind.as_str(), o.as_str()]))
            }),
            lookups: PerLabel::resolve(|l: Lookup| kept.lookups.with([l.as_str()])),
            routing_errors: PerLabel::resolve(|r: RoutingError| {
                kept.routing_errors.with([r.as_str()])
            }),
            evicted: PerLabel::resolve(|e: Evicted| kept.evicted.with([e.as_str()])),
            http_in_flight: PerLabel::resolve(|m: Method| kept.http_in_flight.with([m.as_str()])),
            connections: kept.connections.with([]),
            scaler_streams: kept.scaler_streams.with([]),
            scaler_last_poll: kept.scaler_last_poll.with([]),
            steps: PerLabel::resolve(|s: Step| kept.steps.with([s.as_str()])),
            provider_requests: PerLabel::resolve(|provider: Provider| {
                PerLabel::resolve(|outcome: ProviderOutcome| {
                    kept.provider_requests.with([provider.as_str(), outcome.as_str()])
                })
            }),
            provider_seconds: PerLabel::resolve(|p: Provider| {
                kept.provider_seconds.with([p.as_str()])
            }),
            reloads: PerLabel::resolve(|r: Reload| kept.reloads.with([r.as_str()])),
            reload_successful: kept.reload_successful.with([]),
            reload_time: kept.reload_time.with([]),
            admin: PerLabel::resolve(|operation: AdminOperation| {
                PerLabel::resolve(|status: AdminStatus| {
                    kept.admin_operations.with([operation.as_str(), status.as_str()])
                })
            }),
            events: PerLabel::resolve(|event: EventName| {
                PerLabel::resolve(|kind: EventType| {
                    kept.events.with([event.as_str(), kind.as_str()])
                })
            }),
            audit_records: PerLabel::resolve(|s: AuditStatus| {
                kept.audit_records.with([s.as_str()])
            }),
            audit_dropped: PerLabel::resolve(|r: AuditDropped| {
                kept.audit_dropped.with([r.as_str()])
            }),
            audit_depth: kept.audit_depth.with([]),
            audit_last_write: kept.audit_last_write.with([]),
            store_calls: PerLabel::resolve(|operation: StoreOperation| {
                PerLabel::resolve(|status: StoreStatus| {
                    kept.store_operations.with([operation.as_str(), status.as_str()])
                })
            }),
            store_seconds: PerLabel::resolve(|o: StoreOperation| {
                kept.store_seconds.with([o.as_str()])
            }),
            store_up: kept.store_up.with([]),
            store_connections: kept.store_connections.with([]),
            store_depth: kept.store_depth.with([]),
            spans_exported: kept.spans_exported.with([]),
            spans_dropped: PerLabel::resolve(|r: SpanDropped| {
                kept.spans_dropped.with([r.as_str()])
            }),
        };
        gateway.loaded(true);
        // Until three calls in a row got no answer.
        gateway.store_up.set(1.0);
        gateway
    }

    /// The configuration was read again: counted, and remembered as the last load.
    pub(super) fn reloaded(&self, accepted: bool) {
        self.reloads.count(if accepted { Reload::Success } else { Reload::Error });
        self.loaded(accepted);
    }

    /// KEDA asked.
    pub(super) fn scaler_asked(&self) {
        self.scaler_last_poll.set(unix_seconds());
    }

    /// Whatever could not be loaded at the start ends the start, so the first load counts as accepted.
    fn loaded(&self, accepted: bool) {
        self.reload_successful.set(if accepted { 1.0 } else { 0.0 });
        self.reload_time.set(unix_seconds());
    }

    /// One more request, by what it was for.
    pub(super) fn http_request(
        &self,
        kept: &Kept,
        (operation, method): (Operation, Method),
        status: u16,
        took: Duration,
    ) {
        if let Some(codes) = self.http_requests.of(operation).and_then(|m| m.of(method)) {
            codes.count(status, |code| {
                Some(kept.http_requests.with([operation.as_str(), method.as_str(), code]))
            });
        }
        self.http_seconds.observe(operation, took);
    }
}

/// Now, as Prometheus writes times.
pub(super) fn unix_seconds() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
