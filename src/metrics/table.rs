//! Every metric, once: its kind, name, labels, buckets and help. Registration, the scrape and the golden file
//! `tests/golden/metrics.txt` all come from this table.
//!
//! `kept` families live in the registry and are counted as things happen. `scraped` ones are computed anew for each
//! scrape from what lives (see `Living`), so that they can neither leak nor flicker.

use prometheus::Registry;

use crate::metrics::{
    exemplars::{Exemplars, Traced},
    family::{Counters, Declared, Family, Gauges, Histograms},
};

/// Seconds: a request on the data port, held time included.
const REQUEST: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];
/// Seconds: one HTTP exchange, long polls included.
const HTTP: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Seconds: a whole query.
const QUERY: &[f64] = &[
    0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0,
    1800.0, 3600.0,
];
/// Seconds: from the acceptance of a query to the first page with rows.
const FIRST_ROW: &[f64] = &[0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];
/// Seconds: a cold start.
const RESUME: &[f64] = &[0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0];
/// Seconds: how long one statement was held.
const HELD: &[f64] = &[0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0];
/// Seconds: one call of a resume driver.
const CALL: &[f64] = &[0.01, 0.05, 0.1, 0.5, 1.0, 2.0, 5.0];
/// Seconds: what the gateway itself costs.
const OVERHEAD: &[f64] =
    &[0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0];
/// Seconds: one step of a request within the gateway.
const STEP: &[f64] = &[0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 1.0];
/// Seconds: one operation of the shared store.
const STORE: &[f64] = &[0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5];

/// One half of the table.
pub(super) trait Set: Sized {
    /// Makes the families and puts them into a registry.
    fn register(registry: &Registry) -> Result<Self, prometheus::Error>;

    /// Removes every series that bears all of these labels.
    fn forget(&self, labels: &[(&str, &str)]);

    /// The exemplars of the family of that name, where it keeps any.
    fn exemplars(&self, name: &str) -> Option<&Exemplars>;
}

const fn count(labels: &[&str]) -> usize {
    labels.len()
}

macro_rules! table {
    ($(
        $(#[$about:meta])* $set:ident as $list:ident {
            $($field:ident: $kind:ident $name:literal [$($label:literal),*] $(le $buckets:ident)? $help:literal
                $(absent_unless $when:literal)?;)+
        }
    )+) => {$(
        $(#[$about])*
        #[derive(Debug)]
        pub(super) struct $set {
            $(pub(super) $field: $kind<{ count(&[$($label),*]) }>,)+
        }

        $(#[$about])*
        pub(super) const $list: &[Declared] = &[$(Declared {
            kind: <$kind<{ count(&[$($label),*]) }> as Family>::KIND,
            name: $name,
            labels: &[$($label),*],
            buckets: table!(@buckets $($buckets)?),
            help: concat!($help $(, " Absent unless ", $when, ".")?),
            may_be_absent: table!(@absent $($when)?),
        },)+];

        impl Set for $set {
            fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
                let mut declared = $list.iter();
                $(let $field = next::<$kind<{ count(&[$($label),*]) }>>(&mut declared, registry)?;)+
                Ok(Self { $($field,)+ })
            }

            fn forget(&self, labels: &[(&str, &str)]) {
                $(self.$field.forget(labels);)+
            }

            fn exemplars(&self, name: &str) -> Option<&Exemplars> {
                match name {
                    $($name => self.$field.exemplars(),)+
                    _ => None,
                }
            }
        }
    )+};
    (@buckets $buckets:ident) => { $buckets };
    (@buckets) => { &[] };
    (@absent $when:literal) => { true };
    (@absent) => { false };
}

fn next<F: Family>(
    declared: &mut std::slice::Iter<'_, Declared>,
    registry: &Registry,
) -> Result<F, prometheus::Error> {
    let declared =
        declared.next().ok_or_else(|| prometheus::Error::Msg("table too short".into()))?;
    let family = F::build(declared)?;
    registry.register(family.collector())?;
    Ok(family)
}

table! {
    /// Counted as things happen.
    Kept as KEPT {
        // XTrinode's names: never renamed.
        requests: Counters "gateway_requests_total" ["routing_group", "status_code"]
            "Requests on the data port by the status the client got (499: the client left).";
        unavailable_answers: Counters "gateway_503_total" ["routing_group"]
            "503s sent to clients, whatever their origin.";
        resumes: Counters "gateway_auto_resume_total" ["routing_group"]
            "Resumes started, one for each single flight.";
        request_seconds: Traced "gateway_request_duration_seconds" ["routing_group"] le REQUEST
            "From the head of a request to the last byte of its answer, time held included.";
        // Capacity.
        unavailable: Counters "gateway_unavailable_total" ["routing_group", "reason"]
            "Why each 503 was sent.";
        resume_attempts: Counters "gateway_resume_attempts_total" ["routing_group", "outcome"]
            "Resumes that ended.";
        resume_seconds: Histograms "gateway_resume_duration_seconds" ["routing_group", "outcome"] le RESUME
            "From the trigger of a resume to the first healthy coordinator, or to its end without one.";
        resume_wait: Histograms "gateway_resume_wait_seconds" ["routing_group", "outcome"] le HELD
            "How long one query was held.";
        resume_coalesced: Counters "gateway_resume_coalesced_total" ["routing_group"]
            "Queries that joined a resume under way.";
        provider_requests: Counters "gateway_resume_provider_requests_total" ["provider", "outcome"]
            "Calls of resume drivers.";
        provider_seconds: Histograms "gateway_resume_provider_request_duration_seconds" ["provider"] le CALL
            "How long calls of resume drivers took.";
        cold_start_phases: Histograms "gateway_cold_start_phase_seconds" ["routing_group", "phase"] le RESUME
            "Where cold starts spend their time.";
        // Queries.
        queries: Counters "gateway_queries_total" ["routing_group", "status", "statement_type"]
            "Queries that ended.";
        query_events: Counters "gateway_query_events_total" ["routing_group", "event"]
            "Steps in the life of queries.";
        query_errors: Counters "gateway_query_errors_total" ["routing_group", "error_type"]
            "Queries that failed, by Trino's class of error.";
        query_seconds: Traced "gateway_query_duration_seconds" ["routing_group", "statement_type"] le QUERY
            "From the acceptance of a query to its end.";
        first_row_seconds: Histograms "gateway_time_to_first_row_seconds" ["routing_group"] le FIRST_ROW
            "From the acceptance of a query to the first of its pages that has rows.";
        rows: Counters "gateway_query_rows_returned_total" ["routing_group"]
            "Rows that went to clients; of spooled results the sum over their segments."
            absent_unless "queries.countRows or the audit log is on, since counting walks whole pages";
        result_bytes: Counters "gateway_result_bytes_total" ["routing_group", "direction", "encoding"]
            "Bytes of results as they came from coordinators (in) and went to clients (out).";
        evicted: Counters "gateway_tracked_queries_evicted_total" ["reason"]
            "Query records that went before their time (ttl: the client stopped polling).";
        // Protocol.
        http_requests: Counters "gateway_http_requests_total" ["operation", "method", "status_code"]
            "Requests on the data port by what they were for.";
        http_seconds: Histograms "gateway_http_request_duration_seconds" ["operation"] le HTTP
            "From the head of a request to the last byte of its answer, by what it was for.";
        http_in_flight: Gauges "gateway_http_requests_in_flight" ["method"]
            "Requests on the data port whose answer has not ended.";
        connections: Gauges "gateway_client_connections_active" []
            "Open data connections.";
        errors: Counters "gateway_errors_total" ["type", "operation"]
            "Requests on the data port that went wrong.";
        // Routing.
        decisions: Counters "gateway_routing_decisions_total" ["routing_group", "rule"]
            "Statements by the rule that claimed them and the group that served them.";
        routing_errors: Counters "gateway_routing_errors_total" ["reason"]
            "Statements that found no way.";
        steps: Histograms "gateway_step_duration_seconds" ["step"] le STEP
            "How long one step of a request took.";
        lookups: Counters "gateway_route_lookups_total" ["result"]
            "Searches for the owner of a query id.";
        // Upstream.
        upstream_requests: Counters "gateway_upstream_requests_total" ["routing_group", "backend", "status_code"]
            "Attempts that a backend answered.";
        upstream_seconds: Histograms "gateway_upstream_request_duration_seconds" ["routing_group", "backend"] le REQUEST
            "From the sending of one attempt to the head of its answer.";
        upstream_errors: Counters "gateway_upstream_errors_total" ["routing_group", "backend", "error_type"]
            "Attempts that failed.";
        upstream_retries: Counters "gateway_upstream_retries_total" ["routing_group", "backend", "reason"]
            "Requests sent again after a failure at this backend.";
        probes: Counters "gateway_health_checks_total" ["routing_group", "backend", "result"]
            "Health probes.";
        probe_seconds: Histograms "gateway_health_check_duration_seconds" ["routing_group"] le HTTP
            "How long health probes took.";
        circuit_changes: Counters "gateway_circuit_breaker_transitions_total" ["routing_group", "backend", "to"]
            "Changes of the circuit.";
        overhead_seconds: Histograms "gateway_overhead_seconds" ["operation"] le OVERHEAD
            "Request time without upstream time and resume wait: is it the gateway?";
        // The gateway itself.
        up: Gauges "gateway_up" []
            "Always 1.";
        started: Gauges "gateway_start_time_seconds" []
            "When the gateway started, in Unix time.";
        build: Gauges "gateway_build_info" ["version", "revision", "rustc"]
            "Always 1; what runs is in the labels.";
        reloads: Counters "gateway_config_reloads_total" ["result"]
            "Reloads of the configuration.";
        reload_successful: Gauges "gateway_config_last_reload_successful" []
            "Whether the last load of the configuration was accepted.";
        reload_time: Gauges "gateway_config_last_reload_timestamp_seconds" []
            "When the configuration was last loaded or refused, in Unix time.";
        store_operations: Counters "gateway_store_operations_total" ["operation", "status"]
            "Operations of the shared store; none where the store is this process' own memory.";
        store_seconds: Histograms "gateway_store_operation_duration_seconds" ["operation"] le STORE
            "How long operations of the shared store took.";
        store_up: Gauges "gateway_store_up" []
            "Whether the store answers; 0: the gateway runs on what it can derive.";
        store_connections: Gauges "gateway_store_connections_active" []
            "Open connections to the shared store.";
        store_depth: Gauges "gateway_store_write_queue_depth" []
            "Writes that wait for the shared store.";
        scaler_streams: Gauges "gateway_scaler_streams" []
            "Open streams of KEDA.";
        scaler_pushes: Counters "gateway_scaler_pushes_total" ["routing_group", "kind"]
            "What KEDA was told on its streams (edge: at a change, repeat: in between).";
        scaler_last_poll: Gauges "gateway_scaler_last_poll_timestamp_seconds" []
            "When KEDA last asked, in Unix time; 0: it is not connected.";
        admin_operations: Counters "gateway_admin_operations_total" ["operation", "status"]
            "Operators' commands (rejected: not authorised, or not understood).";
        events: Counters "gateway_events_total" ["event", "type"]
            "Events, as /api/v1/events lists them.";
        audit_records: Counters "gateway_audit_records_total" ["status"]
            "Audit records that reached the file, or failed to.";
        audit_dropped: Counters "gateway_audit_dropped_total" ["reason"]
            "Audit records that were lost.";
        audit_depth: Gauges "gateway_audit_queue_depth" []
            "Audit records that wait for the disk.";
        audit_last_write: Gauges "gateway_audit_last_write_timestamp_seconds" []
            "When an audit record was last written, in Unix time; 0 if never.";
        spans_exported: Counters "gateway_trace_spans_exported_total" []
            "Spans that a collector took.";
        spans_dropped: Counters "gateway_trace_spans_dropped_total" ["reason"]
            "Spans that were lost.";
    }

    /// Computed anew for each scrape.
    Scraped as SCRAPED {
        in_flight: Gauges "xtrinode_gateway_inflight_queries" ["namespace", "xtrinode", "routing_group", "state"]
            "Queries accepted and not ended that this replica owns.";
        demand: Gauges "gateway_demand" ["routing_group"]
            "What scalers are told: in-flight, unmet and lingering demand.";
        in_flight_peak: Gauges "gateway_inflight_peak" ["routing_group"]
            "The highest in-flight of the last minute.";
        resume_in_progress: Gauges "gateway_resume_in_progress" ["routing_group"]
            "Whether a backend of the group is being woken.";
        resume_waiters: Gauges "gateway_resume_waiters" ["routing_group"]
            "Queries held in the waiting room.";
        resume_last_success: Gauges "gateway_resume_last_success_timestamp_seconds" ["routing_group"]
            "When a resume last succeeded, in Unix time; 0 if never.";
        workers: Gauges "gateway_workers" ["routing_group", "kind"]
            "Trino workers of the group: those there are, and those that are wanted."
            absent_unless "a provider reports them";
        held_bytes: Gauges "gateway_held_bytes" ["routing_group"]
            "SQL and headers held in the waiting room.";
        held_oldest: Gauges "gateway_held_oldest_seconds" ["routing_group"]
            "How long the oldest held query has waited; 0 if none is held.";
        sessions: Gauges "gateway_active_sessions" []
            "Distinct users, by source and client address, that sent a statement in the last 15 minutes.";
        tracked: Gauges "gateway_tracked_queries" []
            "Query records held.";
        groups: Gauges "gateway_routing_groups" []
            "Routing groups at work.";
        backends: Gauges "gateway_backends" ["routing_group", "state"]
            "Backends by state.";
        backend_up: Gauges "gateway_backend_up" ["routing_group", "backend"]
            "Whether the backend is healthy.";
        backend_in_flight: Gauges "gateway_backend_inflight_queries" ["routing_group", "backend"]
            "Queries at this backend that have not ended.";
        circuit: Gauges "gateway_circuit_breaker_state" ["routing_group", "backend"]
            "0 closed, 1 half-open, 2 open.";
        ready: Gauges "gateway_ready" []
            "Whether /readyz answers 200.";
        tokio_workers: Gauges "gateway_tokio_workers" []
            "Threads that run tasks, over all runtimes: one for each data thread, and the control plane's.";
        tokio_tasks: Gauges "gateway_tokio_alive_tasks" []
            "Tasks that have not ended, over all runtimes.";
        tokio_queue: Gauges "gateway_tokio_global_queue_depth" []
            "Tasks that wait in the runtimes' shared queues.";
    }
}
