//! The page of metrics against its golden file, and what each count means.

use std::{fs, path::Path, time::Duration};

use sluice_routing::StatementKind;

use super::*;

mod cost;
mod document;
mod formats;

const TOOK: Duration = Duration::from_millis(30);

struct Fleet {
    queries: Vec<InFlight>,
    backends: Vec<BackendGauge>,
}

impl Living for Fleet {
    fn in_flight(&self) -> Vec<InFlight> {
        self.queries.clone()
    }

    fn backends(&self) -> Vec<BackendGauge> {
        self.backends.clone()
    }

    fn groups(&self) -> Vec<GroupGauge> {
        let of = |query: &InFlight| GroupGauge {
            group: Arc::clone(&query.group),
            ..GroupGauge::default()
        };
        let mut groups: Vec<GroupGauge> = self.queries.iter().map(of).collect();
        groups.dedup_by(|a, b| a.group == b.group);
        groups
    }

    fn demand(&self, _: &str) -> Option<Wanted> {
        None
    }

    fn tracked_queries(&self) -> u64 {
        7
    }

    fn active_sessions(&self) -> u64 {
        2
    }

    fn runtimes(&self) -> Runtimes {
        Runtimes { workers: 3, tasks: 17, queued: 1 }
    }

    fn ready(&self) -> bool {
        true
    }
}

fn fleet() -> Fleet {
    let group: Arc<str> = "team-a--analytics".into();
    let states = ["QUEUED", "WAITING_FOR_RESOURCES", "DISPATCHING", "PLANNING", "STARTING"];
    let query = |state, count| InFlight {
        group: Arc::clone(&group),
        namespace: "team-a".into(),
        xtrinode: "analytics".into(),
        state,
        count,
    };
    let backend = BackendGauge {
        group: Arc::clone(&group),
        backend: "analytics".into(),
        state: "healthy",
        circuit: 2,
        in_flight: 3,
    };
    let mut queries = vec![query("RESUMING", 0), query("RUNNING", 3)];
    queries.extend(states.map(|state| query(state, 0)));
    queries.extend(["FINISHING", "UNKNOWN"].map(|state| query(state, 0)));
    Fleet { queries, backends: vec![backend] }
}

fn value(page: &str, series: &str) -> f64 {
    let line = page.lines().find(|line| line.rsplit_once(' ').is_some_and(|(s, _)| s == series));
    let line = line.unwrap_or_else(|| panic!("no series {series} in\n{page}"));
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}

fn sum(page: &str, name: &str, label: &str) -> f64 {
    let wanted = |line: &&str| line.starts_with(&format!("{name}{{")) && line.contains(label);
    page.lines()
        .filter(wanted)
        .map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap())
        .sum()
}

/// A page on which every declared family has at least one series.
fn full_page() -> String {
    let metrics = Metrics::new().unwrap();
    metrics.group("team-a--analytics");
    metrics.backend("team-a--analytics", "analytics");
    metrics.encode(&fleet())
}

#[test]
fn names_types_labels_and_buckets_are_those_of_the_golden_file() {
    let mut lines: Vec<String> = Metrics::declared().map(describe).collect();
    lines.sort();
    let now = lines.join("\n") + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/metrics.txt");
    if std::env::var_os("SLUICE_BLESS").is_some() {
        fs::write(&path, &now).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(now, golden, "metrics changed; if that is meant, run the test with SLUICE_BLESS=1");
}

fn describe(declared: &Declared) -> String {
    let mut line =
        format!("{} {} {{{}}}", declared.name, declared.kind, declared.labels.join(", "));
    for bound in declared.buckets {
        line += &format!(" {bound}");
    }
    line
}

#[test]
fn every_declared_family_is_on_the_page_with_exactly_its_labels_and_buckets() {
    let page = full_page();
    for declared in Metrics::declared() {
        let name = declared.name;
        if declared.may_be_absent {
            continue;
        }
        assert!(page.contains(&format!("# TYPE {name} {}\n", declared.kind)), "{name}");
        let suffix = if declared.kind == "histogram" { "_count" } else { "" };
        let series = page
            .lines()
            .find(|line| {
                line.starts_with(&format!("{name}{suffix}{{"))
                    || line.starts_with(&format!("{name}{suffix} "))
            })
            .unwrap_or_else(|| panic!("no series of {name}"));
        let mut wanted = declared.labels.to_vec();
        wanted.sort_unstable();
        assert_eq!(labels_of(series), wanted, "{series}");
        for bound in declared.buckets {
            assert!(page.contains(&format!("le=\"{bound}\"")), "{name} {bound}");
        }
    }
}

fn labels_of(series: &str) -> Vec<&str> {
    let Some((_, rest)) = series.split_once('{') else { return Vec::new() };
    let mut names: Vec<&str> =
        rest.split("=\"").filter_map(|part| part.rsplit([',', '{', '"']).next()).collect();
    names.pop();
    names
}

#[cfg(target_os = "linux")]
#[test]
fn the_process_tells_what_it_uses() {
    let page = full_page();
    for name in [
        "cpu_seconds_total",
        "resident_memory_bytes",
        "virtual_memory_bytes",
        "open_fds",
        "max_fds",
        "threads",
        "start_time_seconds",
    ] {
        assert!(page.contains(&format!("\nprocess_{name} ")), "{name}");
    }
    assert!(value(&page, "process_threads") > 0.0);
}

#[test]
fn obs_m6_the_names_of_xtrinode_are_there_at_zero_from_the_first_scrape() {
    let page = full_page();
    let group = r#"routing_group="team-a--analytics""#;
    for series in [
        r#"gateway_requests_total{routing_group="team-a--analytics",status_code="200"}"#,
        r#"gateway_requests_total{routing_group="team-a--analytics",status_code="503"}"#,
        r#"gateway_503_total{routing_group="team-a--analytics"}"#,
        r#"gateway_auto_resume_total{routing_group="team-a--analytics"}"#,
        r#"gateway_request_duration_seconds_count{routing_group="team-a--analytics"}"#,
        r#"xtrinode_gateway_inflight_queries{namespace="team-a",routing_group="team-a--analytics",state="RESUMING",xtrinode="analytics"}"#,
        r#"gateway_unavailable_total{reason="held_down",routing_group="team-a--analytics"}"#,
        r#"gateway_routing_decisions_total{routing_group="team-a--analytics",rule="header"}"#,
    ] {
        assert_eq!(value(&page, series), 0.0, "{series}");
    }
    let series = page.lines().filter(|line| !line.starts_with('#') && line.contains(group)).count();
    // observability.md 2: "about 600"; a group's cold starts alone take 160 of them.
    assert!(series <= 700, "{series} series for one group with one backend");
}

#[test]
fn obs_m9_however_a_503_comes_about_the_three_sums_agree() {
    let metrics = Metrics::new().unwrap();
    let (one, unknown) = (metrics.group("one"), metrics.unknown());
    one.request(Unavailable::NoBackend, TOOK);
    one.request(503, TOOK);
    one.request(200, TOOK);
    one.request(499, TOOK);
    one.request(777, TOOK);
    unknown.request(Unavailable::Draining, TOOK);
    let page = metrics.encode(&fleet());
    assert_eq!(sum(&page, "gateway_requests_total", r#"status_code="503""#), 3.0);
    assert_eq!(sum(&page, "gateway_503_total", ""), 3.0);
    assert_eq!(sum(&page, "gateway_unavailable_total", ""), 3.0);
    assert_eq!(sum(&page, "gateway_unavailable_total", r#"reason="upstream_503""#), 1.0);
    assert_eq!(sum(&page, "gateway_requests_total", ""), 6.0);
    assert_eq!(sum(&page, "gateway_request_duration_seconds_count", ""), 6.0);
}

#[test]
fn a_forgotten_group_leaves_no_series_and_brings_none_back() {
    let metrics = Metrics::new().unwrap();
    let (old, backend) = (metrics.group("etl"), metrics.backend("etl", "b"));
    metrics.forget_group("etl");
    old.request(404, TOOK);
    old.decided("a rule");
    backend.attempt(404, TOOK);
    let page = metrics.encode(&fleet());
    assert!(!page.contains(r#"routing_group="etl""#));

    let new = metrics.group("etl");
    assert!(!Arc::ptr_eq(&old, &new), "the handles of a group that came back are new ones");
    new.request(404, TOOK);
    let page = metrics.encode(&fleet());
    assert_eq!(
        value(&page, r#"gateway_requests_total{routing_group="etl",status_code="404"}"#),
        1.0
    );
}

#[test]
fn a_group_that_only_its_backends_named_goes_too_and_unknown_stays() {
    let metrics = Metrics::new().unwrap();
    metrics.backend("etl", "b");
    metrics.forget_group("etl");
    metrics.forget_group(UNKNOWN_GROUP);
    let page = metrics.encode(&fleet());
    assert!(!page.contains(r#"routing_group="etl""#));
    assert!(page.contains(r#"gateway_503_total{routing_group="unknown"} 0"#));
}

#[test]
fn a_forgotten_backend_leaves_its_group_alone() {
    let metrics = Metrics::new().unwrap();
    let group = metrics.group("etl");
    assert!(Arc::ptr_eq(&group, &metrics.group("etl")));
    metrics.backend("etl", "b").attempt(200, TOOK);
    metrics.forget_backend("etl", "b");
    let page = metrics.encode(&fleet());
    assert!(!page.contains(r#"backend="b""#));
    assert!(page.contains(r#"gateway_503_total{routing_group="etl"} 0"#));
}

#[test]
fn rules_count_under_the_group_that_serves_and_go_when_forgotten() {
    let metrics = Metrics::new().unwrap();
    let group = metrics.group("etl");
    group.rule("airflow");
    group.decided("airflow");
    group.decided("airflow");
    let series = r#"gateway_routing_decisions_total{routing_group="etl",rule="airflow"}"#;
    assert_eq!(value(&metrics.encode(&fleet()), series), 2.0);
    metrics.forget_rule("airflow");
    assert!(!metrics.encode(&fleet()).contains("airflow"));
}

#[test]
fn obs_m2_queries_count_once_by_status_and_kind() {
    let metrics = Metrics::new().unwrap();
    let group = metrics.group("etl");
    group.query_event(QueryEvent::Submitted);
    group.query_ended(QueryStatus::Ok, StatementKind::Insert, TOOK);
    group.query_ended(QueryStatus::Error, StatementKind::Query, TOOK);
    group.query_error(QueryError::parse("USER_ERROR"));
    group.query_error(QueryError::parse("SOMETHING_NEW"));
    let page = metrics.encode(&fleet());
    for (series, count) in [
        (r#"gateway_queries_total{routing_group="etl",statement_type="insert",status="ok"}"#, 1.0),
        (
            r#"gateway_queries_total{routing_group="etl",statement_type="query",status="error"}"#,
            1.0,
        ),
        (
            r#"gateway_query_duration_seconds_count{routing_group="etl",statement_type="insert"}"#,
            1.0,
        ),
        (r#"gateway_query_events_total{event="submitted",routing_group="etl"}"#, 1.0),
        (r#"gateway_query_errors_total{error_type="USER_ERROR",routing_group="etl"}"#, 1.0),
        (r#"gateway_query_errors_total{error_type="unknown",routing_group="etl"}"#, 1.0),
    ] {
        assert_eq!(value(&page, series), count, "{series}");
    }
}

#[test]
fn obs_m4_m22_rows_bytes_and_first_rows_count_and_rows_only_where_they_are_counted() {
    let metrics = Metrics::new().unwrap();
    let group = metrics.group("etl");
    group.first_row(TOOK);
    group.result_bytes(Direction::In, Encoding::parse(None), 512);
    group.result_bytes(Direction::Out, Encoding::parse(Some(b"json+zstd")), 7);
    group.result_bytes(Direction::Out, Encoding::parse(Some(b"json+new")), 8);
    let page = metrics.encode(&fleet());
    for (series, wanted) in [
        (r#"gateway_time_to_first_row_seconds_count{routing_group="etl"}"#, 1.0),
        (
            r#"gateway_result_bytes_total{direction="in",encoding="json",routing_group="etl"}"#,
            512.0,
        ),
        (r#"gateway_result_bytes_total{direction="out",encoding="json",routing_group="etl"}"#, 0.0),
        (
            r#"gateway_result_bytes_total{direction="out",encoding="json+zstd",routing_group="etl"}"#,
            7.0,
        ),
        (
            r#"gateway_result_bytes_total{direction="out",encoding="other",routing_group="etl"}"#,
            8.0,
        ),
    ] {
        assert_eq!(value(&page, series), wanted, "{series}");
    }
    let rows = r#"gateway_query_rows_returned_total{routing_group="etl"}"#;
    assert!(!page.contains(rows));
    group.rows(0);
    assert_eq!(value(&metrics.encode(&fleet()), rows), 0.0);
    group.rows(6);
    assert_eq!(value(&metrics.encode(&fleet()), rows), 6.0);
    metrics.forget_group("etl");
    group.rows(1);
    assert!(!metrics.encode(&fleet()).contains(rows));
}

#[test]
fn gauges_are_what_lives_at_the_scrape() {
    let metrics = Metrics::new().unwrap();
    let mut living = fleet();
    let page = metrics.encode(&living);
    for (series, wanted) in [
        (
            r#"xtrinode_gateway_inflight_queries{namespace="team-a",routing_group="team-a--analytics",state="RUNNING",xtrinode="analytics"}"#,
            3.0,
        ),
        (r#"gateway_backends{routing_group="team-a--analytics",state="healthy"}"#, 1.0),
        (r#"gateway_backends{routing_group="team-a--analytics",state="sleeping"}"#, 0.0),
        (r#"gateway_backend_up{backend="analytics",routing_group="team-a--analytics"}"#, 1.0),
        (
            r#"gateway_backend_inflight_queries{backend="analytics",routing_group="team-a--analytics"}"#,
            3.0,
        ),
        (
            r#"gateway_circuit_breaker_state{backend="analytics",routing_group="team-a--analytics"}"#,
            2.0,
        ),
        ("gateway_tracked_queries", 7.0),
        ("gateway_routing_groups", 1.0),
        ("gateway_ready", 1.0),
        ("gateway_up", 1.0),
        ("gateway_config_last_reload_successful", 1.0),
    ] {
        assert_eq!(value(&page, series), wanted, "{series}");
    }
    living.queries.clear();
    living.backends.clear();
    assert!(!metrics.encode(&living).contains("team-a--analytics"));
}

#[test]
fn connections_count_as_long_as_they_live() {
    let metrics = Metrics::new().unwrap();
    let (one, two) = (metrics.connection(), metrics.connection());
    assert_eq!(value(&metrics.encode(&fleet()), "gateway_client_connections_active"), 2.0);
    drop((one, two));
    assert_eq!(value(&metrics.encode(&fleet()), "gateway_client_connections_active"), 0.0);
}

#[test]
fn the_rest_of_the_process_counts_under_its_names() {
    let metrics = Metrics::new().unwrap();
    let unheard = http::Method::from_bytes(b"BREW").unwrap();
    metrics.http_request(Operation::StatementQueued, &http::Method::GET, 200, TOOK);
    metrics.http_request(Operation::Other, &unheard, 405, TOOK);
    metrics.overhead(Operation::StatementQueued, TOOK);
    metrics.error(ErrorKind::UpstreamBody, Operation::StatementExecuting);
    metrics.route_lookup(Lookup::Stale);
    metrics.routing_error(RoutingError::NoMatch);
    metrics.evicted(Evicted::Ttl);
    metrics.step(Step::Select, TOOK);
    let (open, other) =
        (metrics.request_in_flight(&http::Method::GET), metrics.request_in_flight(&unheard));
    drop(other);
    metrics.config_reload(false);
    metrics.admin_operation(AdminOperation::Drain, AdminStatus::Rejected);
    let backend = metrics.backend("g", "b");
    backend.attempt(502, TOOK);
    backend.failed(UpstreamError::Reset);
    backend.retried(Retry::Connect);
    backend.probed(Probe::Timeout, TOOK);
    backend.circuit(Circuit::HalfOpen);
    let page = metrics.encode(&fleet());
    drop(open);
    for (series, wanted) in [
        (r#"gateway_step_duration_seconds_count{step="select"}"#, 1.0),
        (r#"gateway_step_duration_seconds_count{step="auth"}"#, 0.0),
        (r#"gateway_http_requests_in_flight{method="GET"}"#, 1.0),
        (r#"gateway_http_requests_in_flight{method="other"}"#, 0.0),
        ("gateway_store_up", 1.0),
        (r#"gateway_store_operations_total{operation="write",status="error"}"#, 0.0),
        ("gateway_scaler_last_poll_timestamp_seconds", 0.0),
        ("gateway_active_sessions", 2.0),
        ("gateway_tokio_workers", 3.0),
        (
            r#"gateway_http_requests_total{method="GET",operation="statement_queued",status_code="200"}"#,
            1.0,
        ),
        (r#"gateway_http_requests_total{method="other",operation="other",status_code="405"}"#, 1.0),
        (r#"gateway_http_request_duration_seconds_count{operation="other"}"#, 1.0),
        (r#"gateway_overhead_seconds_count{operation="statement_queued"}"#, 1.0),
        (r#"gateway_errors_total{operation="statement_executing",type="upstream_body"}"#, 1.0),
        (r#"gateway_route_lookups_total{result="stale"}"#, 1.0),
        (r#"gateway_routing_errors_total{reason="no_match"}"#, 1.0),
        (r#"gateway_tracked_queries_evicted_total{reason="ttl"}"#, 1.0),
        (r#"gateway_config_reloads_total{result="error"}"#, 1.0),
        ("gateway_config_last_reload_successful", 0.0),
        (r#"gateway_admin_operations_total{operation="drain",status="rejected"}"#, 1.0),
        (
            r#"gateway_upstream_requests_total{backend="b",routing_group="g",status_code="502"}"#,
            1.0,
        ),
        (r#"gateway_upstream_errors_total{backend="b",error_type="reset",routing_group="g"}"#, 1.0),
        (r#"gateway_upstream_retries_total{backend="b",reason="connect",routing_group="g"}"#, 1.0),
        (r#"gateway_health_checks_total{backend="b",result="timeout",routing_group="g"}"#, 1.0),
        (r#"gateway_health_check_duration_seconds_count{routing_group="g"}"#, 1.0),
        (
            r#"gateway_circuit_breaker_transitions_total{backend="b",routing_group="g",to="half_open"}"#,
            1.0,
        ),
    ] {
        assert_eq!(value(&page, series), wanted, "{series}");
    }
}

#[test]
fn every_list_of_labels_is_in_the_order_of_its_index() {
    fn check<L: labels::Label + std::fmt::Debug>() {
        for (at, label) in L::all().iter().enumerate() {
            assert_eq!(label.index(), at, "{label:?}");
        }
    }
    check::<StatementKind>();
    check::<Operation>();
    check::<Unavailable>();
}
