//! M3, M6, M12, M23: names, labels and bounds are those of section 2, there at 0, and no more than these.

use std::collections::BTreeSet;

use super::{ENDLESS, Page};
use crate::harness::gateway::{Gateway, groups};
use crate::harness::{trino, wait};

/// Sections A to G: name, labels, bounds. Rates, limits and credentials are later waves'.
const CONTRACT: &str = "
xtrinode_gateway_inflight_queries|namespace xtrinode routing_group state|
gateway_requests_total|routing_group status_code|
gateway_503_total|routing_group|
gateway_auto_resume_total|routing_group|
gateway_request_duration_seconds|routing_group|.005 .01 .025 .05 .1 .25 .5 1 2.5 5 10 30 60 120 300
gateway_unavailable_total|routing_group reason|
gateway_resume_attempts_total|routing_group outcome|
gateway_resume_duration_seconds|routing_group outcome|.5 1 2.5 5 10 30 60 120 300 600
gateway_resume_in_progress|routing_group|
gateway_resume_waiters|routing_group|
gateway_resume_wait_seconds|routing_group outcome|.1 .25 .5 1 2.5 5 10 30 60 120 300 600
gateway_resume_coalesced_total|routing_group|
gateway_resume_provider_requests_total|provider outcome|
gateway_resume_provider_request_duration_seconds|provider|.01 .05 .1 .5 1 2 5
gateway_resume_last_success_timestamp_seconds|routing_group|
gateway_demand|routing_group|
gateway_inflight_peak|routing_group|
gateway_cold_start_phase_seconds|routing_group phase|.5 1 2.5 5 10 30 60 120 300 600
gateway_held_bytes|routing_group|
gateway_held_oldest_seconds|routing_group|
gateway_scaler_streams||
gateway_scaler_pushes_total|routing_group kind|
gateway_scaler_last_poll_timestamp_seconds||
gateway_queries_total|routing_group status statement_type|
gateway_query_events_total|routing_group event|
gateway_query_errors_total|routing_group error_type|
gateway_query_duration_seconds|routing_group statement_type|.01 .025 .05 .1 .25 .5 1 2.5 5 10 30 60 120 300 600 1800 3600
gateway_time_to_first_row_seconds|routing_group|.01 .05 .1 .25 .5 1 2.5 5 10 30 60 300
gateway_query_rows_returned_total|routing_group|
gateway_result_bytes_total|routing_group direction encoding|
gateway_active_sessions||
gateway_tracked_queries||
gateway_tracked_queries_evicted_total|reason|
gateway_http_requests_total|operation method status_code|
gateway_http_request_duration_seconds|operation|.005 .01 .025 .05 .1 .25 .5 1 2.5 5 10
gateway_http_requests_in_flight|method|
gateway_client_connections_active||
gateway_errors_total|type operation|
gateway_routing_decisions_total|routing_group rule|
gateway_routing_errors_total|reason|
gateway_step_duration_seconds|step|.00005 .0001 .00025 .0005 .001 .005 .01 .05 .1 1
gateway_route_lookups_total|result|
gateway_routing_groups||
gateway_backends|routing_group state|
gateway_backend_up|routing_group backend|
gateway_backend_inflight_queries|routing_group backend|
gateway_upstream_requests_total|routing_group backend status_code|
gateway_upstream_request_duration_seconds|routing_group backend|.005 .01 .025 .05 .1 .25 .5 1 2.5 5 10 30 60 120 300
gateway_upstream_errors_total|routing_group backend error_type|
gateway_upstream_retries_total|routing_group backend reason|
gateway_health_checks_total|routing_group backend result|
gateway_health_check_duration_seconds|routing_group|.005 .01 .025 .05 .1 .25 .5 1 2.5 5 10
gateway_circuit_breaker_state|routing_group backend|
gateway_circuit_breaker_transitions_total|routing_group backend to|
gateway_overhead_seconds|operation|.00005 .0001 .00025 .0005 .001 .0025 .005 .01 .025 .05 .1 .25 1
gateway_up||
gateway_ready||
gateway_start_time_seconds||
gateway_build_info|version revision rustc|
gateway_config_reloads_total|result|
gateway_config_last_reload_successful||
gateway_config_last_reload_timestamp_seconds||
gateway_store_operations_total|operation status|
gateway_store_operation_duration_seconds|operation|.001 .005 .01 .025 .05 .1 .25 .5
gateway_store_up||
gateway_store_connections_active||
gateway_store_write_queue_depth||
gateway_audit_records_total|status|
gateway_audit_dropped_total|reason|
gateway_audit_queue_depth||
gateway_audit_last_write_timestamp_seconds||
gateway_trace_spans_exported_total||
gateway_trace_spans_dropped_total|reason|
gateway_admin_operations_total|operation status|
gateway_events_total|event type|
gateway_tokio_workers||
gateway_tokio_alive_tasks||
gateway_tokio_global_queue_depth||
";

/// The values of closed lists.
const VALUES: &str = "
xtrinode_gateway_inflight_queries|state|RESUMING QUEUED WAITING_FOR_RESOURCES DISPATCHING PLANNING STARTING RUNNING FINISHING UNKNOWN
gateway_unavailable_total|reason|no_backend resume_disabled held_down resuming resume_failed resume_timeout queue_full queue_timeout circuit_open draining stopping upstream_503
gateway_resume_attempts_total|outcome|success failure timeout rejected
gateway_resume_provider_requests_total|outcome|success failure timeout
gateway_cold_start_phase_seconds_count|phase|detect call coordinator workers first_byte
gateway_scaler_pushes_total|kind|edge repeat
gateway_queries_total|status|ok error canceled abandoned rejected
gateway_queries_total|statement_type|query ctas insert merge delete drop create_view create_schema show_catalogs show_schemas show_tables policy utility other
gateway_query_events_total|event|submitted routed resumed running completed
gateway_query_errors_total|error_type|USER_ERROR INTERNAL_ERROR EXTERNAL INSUFFICIENT_RESOURCES unknown
gateway_result_bytes_total|direction|in out
gateway_result_bytes_total|encoding|json json+zstd json+lz4 other
gateway_tracked_queries_evicted_total|reason|ttl capacity
gateway_errors_total|type|bad_request auth no_route capacity upstream_connect upstream_timeout upstream_body client_gone store internal
gateway_http_request_duration_seconds_count|operation|statement_submit statement_queued statement_executing statement_results statement_gateway_queued statement_cancel statement_head query_info query_kill info info_state node spooled oauth2 ui other
gateway_routing_errors_total|reason|no_match no_backend rule_error
gateway_step_duration_seconds_count|step|auth classify rules select resume_wait upstream_connect rewrite audit
gateway_route_lookups_total|result|hit miss stale fallback
gateway_backends|state|healthy unhealthy sleeping resuming draining inactive
gateway_upstream_errors_total|error_type|refused timeout reset dns tls protocol body
gateway_upstream_retries_total|reason|connect timeout status
gateway_health_checks_total|result|success failure timeout
gateway_config_reloads_total|result|success error
gateway_store_operations_total|operation|read write delete
gateway_store_operations_total|status|ok error
gateway_audit_records_total|status|written failed
gateway_audit_dropped_total|reason|queue_full write_error
gateway_trace_spans_dropped_total|reason|queue_full export_error
gateway_admin_operations_total|operation|reload drain activate deactivate log_level resume suspend
gateway_admin_operations_total|status|success failure rejected
gateway_events_total|type|Normal Warning
";

/// A gateway before one coordinator, in a group with labels of its own; rows are counted.
async fn gateway(url: &str) -> Gateway {
    let group = "routingGroups:\n  - name: team-a--analytics\n    backends:\n      - { name: a, url: \"URL\" }\n";
    let yaml = format!("queries: {{ countRows: true }}\n{}", group.replace("URL", url));
    let gateway = Gateway::start(&yaml).await;
    gateway.until_healthy(1).await;
    gateway
}

fn words(text: &str) -> BTreeSet<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// Names and values of the labels of one series.
fn labels(series: &str) -> Vec<(String, String)> {
    let parts = series.split("\",").filter_map(|part| part.split_once("=\""));
    parts.map(|(name, value)| (name.to_owned(), value.trim_end_matches('"').to_owned())).collect()
}

fn names(series: &str) -> BTreeSet<String> {
    labels(series).into_iter().map(|(name, _)| name).collect()
}

#[tokio::test]
async fn obs_M3_names_labels_and_bounds_are_those_of_the_specification() {
    let trino = trino::trino().await;
    let gateway = gateway(&trino.url()).await;
    let text = gateway.metrics().await;
    let page = Page::read(&text);
    let rows = CONTRACT.lines().filter(|line| !line.is_empty());
    let mut known = BTreeSet::new();
    for row in rows {
        let [name, wanted, bounds] = row.split('|').collect::<Vec<_>>()[..] else {
            panic!("{row}")
        };
        known.insert(name);
        let kind = match bounds {
            "" if name.ends_with("_total") => "counter",
            "" => "gauge",
            _ => "histogram",
        };
        assert!(text.contains(&format!("# TYPE {name} {kind}\n")), "{name} is no {kind}");
        let counted = if bounds.is_empty() { name.to_owned() } else { format!("{name}_count") };
        assert!(page.family(&counted).next().is_some(), "no series of {name}");
        for (series, _) in page.family(&counted) {
            assert_eq!(names(series), words(wanted), "{name}{{{series}}}");
        }
        let of =
            |series| labels(series).into_iter().find(|(name, _)| name == "le").map(|(_, le)| le);
        let buckets = format!("{name}_bucket");
        let found: BTreeSet<String> =
            page.family(&buckets).filter_map(|(series, _)| of(series)).collect();
        let mut found: Vec<f64> =
            found.iter().map(|le| le.replace("+Inf", "inf").parse().unwrap()).collect();
        found.sort_by(f64::total_cmp);
        let wanted = bounds.split_whitespace().map(|bound| bound.parse::<f64>().unwrap());
        let infinite = (!bounds.is_empty()).then_some(f64::INFINITY);
        assert_eq!(found, wanted.chain(infinite).collect::<Vec<_>>(), "{name}");
    }
    let more = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let more: Vec<&str> = more
        .filter(|name| {
            !known.contains(name) && !name.starts_with("process_") && *name != "gateway_workers"
        })
        .collect();
    assert!(more.is_empty(), "not in the specification: {more:?}");
    gateway.stop().await;
}

#[tokio::test]
async fn obs_M3_labels_have_all_their_values_from_the_first_scrape() {
    let trino = trino::trino().await;
    let gateway = gateway(&trino.url()).await;
    let page = Page::of(&gateway).await;
    for row in VALUES.lines().filter(|line| !line.is_empty()) {
        let [name, label, values] = row.split('|').collect::<Vec<_>>()[..] else { panic!("{row}") };
        let found: BTreeSet<String> = page
            .family(name)
            .flat_map(|(series, _)| labels(series))
            .filter(|(name, _)| name == label)
            .map(|(_, value)| value)
            .collect();
        assert_eq!(found, words(values), "{name} {label}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn obs_M6_the_five_names_of_XTrinode_are_there_at_0_before_any_query_and_in_a_new_group() {
    let trino = trino::trino().await;
    let gateway = gateway(&trino.url()).await;
    let assert_zero = async |group: &str| {
        let page = Page::of(&gateway).await;
        let group = format!("routing_group=\"{group}\"");
        for (name, series) in [
            ("xtrinode_gateway_inflight_queries", 9),
            ("gateway_requests_total", 2),
            ("gateway_503_total", 1),
            ("gateway_auto_resume_total", 1),
            ("gateway_request_duration_seconds_count", 1),
            ("gateway_query_rows_returned_total", 1),
        ] {
            let mine = page.family(name).filter(|(labels, _)| labels.contains(&group));
            let values: Vec<f64> = mine.map(|(_, value)| value).collect();
            assert_eq!(values, vec![0.0; series], "{name} of {group}");
        }
    };
    assert_zero("team-a--analytics").await;
    let page = Page::of(&gateway).await;
    let labels = ["namespace=\"team-a\"", "xtrinode=\"analytics\""];
    let bears = |series: &str| labels.iter().all(|label| series.contains(label));
    assert!(page.family("xtrinode_gateway_inflight_queries").any(|(series, _)| bears(series)));
    let other = groups(&[trino.url()], "");
    gateway.rewrite(&format!("queries: {{ countRows: true }}\n{other}"));
    assert_eq!(gateway.command("/admin/reload").await.0, 200);
    assert_zero("adhoc").await;
    gateway.stop().await;
}

#[tokio::test]
async fn obs_M12_a_thousand_ids_users_and_paths_make_no_series() {
    let trino = trino::trino().await;
    let gateway = gateway(&trino.url()).await;
    let one = gateway.client();
    let some = async |from: usize, count: usize| {
        for number in from..from + count {
            let client = one.clone().with("x-trino-user", &format!("user-{number}"));
            client.rows("SELECT 1 /* sim: queued=0 running=0 finishing=0 */").await;
            let id = format!("20260101_{number:06}_00001_zzzzz");
            let _ = client.get(&format!("/v1/query/{id}")).await;
            let _ = client.get(&format!("/nowhere/{number}?q={number}")).await;
        }
    };
    some(0, 3).await;
    gateway.until_idle().await;
    let before = Page::of(&gateway).await;
    some(3, 1000).await;
    gateway.until_idle().await;
    let after = Page::of(&gateway).await;
    assert_eq!(before.series(), after.series());
    assert!(after.sum("gateway_queries_total", &[]) >= 1003.0);
    gateway.stop().await;
}

#[tokio::test]
async fn obs_M23_the_gateway_tells_what_it_is_and_what_it_uses() {
    let trino = trino::trino().await;
    let gateway = gateway(&trino.url()).await;
    let page = Page::of(&gateway).await;
    assert_eq!(page.sum("gateway_up", &[]), 1.0);
    assert_eq!(page.sum("gateway_ready", &[]), 1.0);
    assert_eq!(page.sum("gateway_store_up", &[]), 1.0);
    let told = std::process::Command::new(env!("CARGO_BIN_EXE_sluice")).arg("--version").output();
    let told = String::from_utf8(told.unwrap().stdout).unwrap();
    let (build, one) = page.family("gateway_build_info").next().unwrap();
    assert_eq!(one, 1.0);
    for (name, value) in labels(build) {
        assert!(told.contains(&value), "{name}={value} is not in {told}");
    }
    for name in ["process_threads", "process_open_fds", "process_resident_memory_bytes"] {
        assert!(page.sum(name, &[]) > 0.0, "{name}");
    }
    // Two data threads, the acceptor and this test's own runtime, which is the control plane's here.
    assert!(page.sum("gateway_tokio_workers", &[]) >= 4.0);
    let idle = page.sum("gateway_tokio_alive_tasks", &[]);
    let running = gateway.client().start(ENDLESS).await.unwrap();
    wait::until_async("a connection is a task", async || {
        Page::of(&gateway).await.sum("gateway_tokio_alive_tasks", &[]) > idle
    })
    .await;
    running.cancel().await.unwrap();
    gateway.stop().await;
}
