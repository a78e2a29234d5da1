//! Queries, requests and backends: what happened, and nothing else, is what is counted.

use http::{HeaderMap, HeaderValue, Method};
use tokio::net::TcpStream;

use super::{Delta, ENDLESS, Page, label};
use crate::harness::canned::{self, Canned, ID};
use crate::harness::client::Client;
use crate::harness::gateway::{Gateway, groups};
use crate::harness::{stage::gauge, trino, wait};

/// One statement of each kind that the label `statement_type` knows.
const KINDS: [(&str, &str); 14] = [
    ("query", "SELECT 1"),
    ("ctas", "CREATE TABLE t AS SELECT 1"),
    ("insert", "INSERT INTO t VALUES 1"),
    ("merge", "MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE"),
    ("delete", "DELETE FROM t"),
    ("drop", "DROP TABLE t"),
    ("create_view", "CREATE VIEW v AS SELECT 1"),
    ("create_schema", "CREATE SCHEMA s"),
    ("show_catalogs", "SHOW CATALOGS"),
    ("show_schemas", "SHOW SCHEMAS"),
    ("show_tables", "SHOW TABLES"),
    ("policy", "GRANT SELECT ON t TO alice"),
    ("utility", "SET SESSION a = 1"),
    ("other", "TRUNCATE TABLE t"),
];

#[tokio::test]
async fn obs_M2_three_queries_of_which_one_fails() {
    let trino = trino::trino().await;
    let gateway = Gateway::before(&[&trino]).await;
    let delta = Delta::from(&gateway).await;
    for sql in ["SELECT 1", "SELECT 2", "SELECT 1 /* sim: ending=fail:EXCEEDED_TIME_LIMIT */"] {
        gateway.client().query(sql).await.unwrap();
    }
    gateway.until_idle().await;
    delta.is("gateway_queries_total", &["status=\"ok\""], 2.0).await;
    delta.is("gateway_queries_total", &["status=\"error\""], 1.0).await;
    delta.is("gateway_queries_total", &[], 3.0).await;
    delta.is("gateway_query_errors_total", &["INSUFFICIENT_RESOURCES"], 1.0).await;
    delta.is("gateway_query_duration_seconds_count", &[], 3.0).await;
    for event in ["submitted", "routed", "running", "completed"] {
        delta.is("gateway_query_events_total", &[&label("event", event)], 3.0).await;
    }
    gateway.stop().await;
}

#[tokio::test]
async fn obs_M4_each_kind_of_statement_counts_as_itself_and_two_users_are_two_sessions() {
    let trino = trino::trino().await;
    let gateway = Gateway::before(&[&trino]).await;
    let delta = Delta::from(&gateway).await;
    for (at, (_, sql)) in KINDS.iter().enumerate() {
        let user = if at % 2 == 0 { "alice" } else { "bob" };
        gateway.client().with("x-trino-user", user).query(*sql).await.unwrap();
    }
    gateway.until_idle().await;
    for (kind, sql) in KINDS {
        let kind = label("statement_type", kind);
        let ended = delta.of("gateway_queries_total", &[&kind]).await;
        assert_eq!(ended, 1.0, "{kind}: {sql}");
    }
    delta.is("gateway_active_sessions", &[], 2.0).await;
    gateway
        .client()
        .with("x-trino-user", "bob")
        .with("x-trino-source", "dbt")
        .rows("SELECT 1")
        .await;
    delta.is("gateway_active_sessions", &[], 3.0).await;
    gateway.stop().await;
}

#[tokio::test]
async fn obs_M4_the_first_row_is_timed_once_a_query_and_never_without_rows() {
    let trino = trino::trino().await;
    let gateway = Gateway::before(&[&trino]).await;
    let delta = Delta::from(&gateway).await;
    let sql = "SELECT * FROM t /* sim: pages=3 rows=2 queued=0 running=300ms */";
    assert_eq!(gateway.client().rows(sql).await.len(), 6);
    gateway.client().query("DROP TABLE t").await.unwrap();
    gateway.until_idle().await;
    delta.is("gateway_time_to_first_row_seconds_count", &[], 1.0).await;
    let took = delta.of("gateway_time_to_first_row_seconds_sum", &[]).await;
    let whole = delta.of("gateway_query_duration_seconds_sum", &["query"]).await;
    assert!((0.3..=whole).contains(&took), "{took} of {whole}");
    gateway.stop().await;
}

#[tokio::test]
async fn obs_M5_a_coordinator_that_dies_is_unhealthy_soon() {
    let trino = trino::trino().await;
    let gateway = Gateway::before(&[&trino]).await;
    let delta = Delta::from(&gateway).await;
    trino.stop().await;
    delta.is("gateway_backends", &["state=\"healthy\""], -1.0).await;
    delta.is("gateway_backends", &["state=\"unhealthy\""], 1.0).await;
    delta.is("gateway_backend_up", &[], -1.0).await;
    assert!(delta.of("gateway_health_checks_total", &["failure"]).await >= 1.0);
    gateway.stop().await;
}

#[tokio::test]
async fn obs_M8_a_running_query_is_1_then_0_and_its_series_is_never_absent() {
    let trino = trino::trino().await;
    let gateway = Gateway::before(&[&trino]).await;
    let running = || async {
        let page = gateway.metrics().await;
        assert!(page.contains("routing_group=\"adhoc\",state=\"RUNNING\""), "it is absent");
        gauge(&gateway, "adhoc", "RUNNING").await
    };
    assert_eq!(running().await, 0.0);
    let mut query = gateway.client().start("SELECT 1 /* sim: queued=0 running=2 */").await.unwrap();
    query.advance_until(|page| page.state == "RUNNING").await.unwrap();
    assert_eq!(running().await, 1.0);
    while query.advance().await.unwrap() {}
    assert_eq!(running().await, 0.0);
    gateway.stop().await;
}

#[tokio::test]
async fn obs_M13_requests_count_by_what_they_are_for_and_connections_while_they_are_open() {
    let trino = trino::trino().await;
    let gateway = Gateway::before(&[&trino]).await;
    let delta = Delta::from(&gateway).await;
    gateway.client().rows("SELECT 1").await;
    let of = async |operation: &str| {
        let operation = label("operation", operation);
        delta.of("gateway_http_requests_total", &[&operation]).await
    };
    delta.is("gateway_http_requests_total", &["statement_submit", "POST", "200"], 1.0).await;
    assert!(of("statement_queued").await >= 1.0);
    assert!(of("statement_executing").await >= 1.0);
    assert_eq!(of("statement_cancel").await, 0.0);
    let running = gateway.client().start(ENDLESS).await.unwrap();
    running.cancel().await.unwrap();
    delta.is("gateway_http_requests_total", &["statement_cancel", "DELETE", "204"], 1.0).await;
    let before = gateway.metric("gateway_client_connections_active").await;
    let mut idle = Vec::new();
    for _ in 0..5 {
        idle.push(TcpStream::connect(gateway.addresses.data).await.unwrap());
    }
    wait::until_async("five more connections", async || {
        gateway.metric("gateway_client_connections_active").await == before + 5.0
    })
    .await;
    drop(idle);
    wait::until_async("they are gone", async || {
        gateway.metric("gateway_client_connections_active").await <= before
    })
    .await;
    gateway.stop().await;
}

#[tokio::test]
async fn obs_M13_a_request_is_in_flight_until_its_answer_ends() {
    let trino = trino::trino().await;
    let gateway = Gateway::before(&[&trino]).await;
    let series = "gateway_http_requests_in_flight{method=\"POST\"}";
    assert_eq!(gateway.metric(series).await, 0.0);
    let client = gateway.client();
    let stalled = tokio::spawn(async move {
        let _ = client.start("SELECT 1 /* sim: at=post ending=stall */").await;
    });
    wait::until_async("one in flight", async || gateway.metric(series).await == 1.0).await;
    stalled.abort();
    wait::until_async("none in flight", async || gateway.metric(series).await == 0.0).await;
    gateway.stop().await;
}

#[tokio::test]
async fn obs_M15_the_owner_of_an_id_is_hit_missed_or_found_elsewhere() {
    let (one, two) = (trino::trino().await, trino::trino().await);
    let gateway = Gateway::before(&[&one, &two]).await;
    let delta = Delta::from(&gateway).await;
    let mut running = gateway.client().start(ENDLESS).await.unwrap();
    running.advance().await.unwrap();
    delta.is("gateway_route_lookups_total", &["hit"], 1.0).await;
    let unknown = "/v1/statement/queued/20200101_000000_00001_zzzzz/yslug/1";
    assert_eq!(gateway.client().get(unknown).await.unwrap().status, 404);
    wait::until_async("a miss, or a search of all", async || {
        let of = async |result| delta.of("gateway_route_lookups_total", &[result]).await;
        of("miss").await + of("fallback").await >= 1.0
    })
    .await;
    // Its backend is no longer named, and serves on.
    let owner = if one.state_of(running.id()).is_some() { &one } else { &two };
    let other = if std::ptr::eq(owner, &raw const one) { &two } else { &one };
    gateway.rewrite(&groups(&[other.url()], "").replace("name: a", "name: c"));
    assert_eq!(gateway.command("/admin/reload").await.0, 200);
    let delta = Delta::from(&gateway).await;
    let path = format!("/v1/query/{}", running.id());
    assert_eq!(gateway.client().get(&path).await.unwrap().status, 200);
    wait::until_async("found all the same", async || {
        delta.of("gateway_route_lookups_total", &[]).await >= 1.0
    })
    .await;
    assert_eq!(delta.of("gateway_route_lookups_total", &["miss"]).await, 0.0);
    running.cancel().await.unwrap();
    gateway.stop().await;
}

/// The bound under which half of the observations lie.
fn median(page: &Page, before: &Page, name: &str, labels: &str) -> f64 {
    let buckets = format!("{name}_bucket");
    let count = |page: &Page, le: &str| page.sum(&buckets, &[labels, &label("le", le)]);
    let all = count(page, "+Inf") - count(before, "+Inf");
    let bounds = page.family(&buckets).filter(|(series, _)| series.contains(labels));
    let mut bounds: Vec<&str> =
        bounds.filter_map(|(series, _)| series.rsplit("le=\"").next()?.strip_suffix('"')).collect();
    bounds.sort_by(|a, b| bound(a).total_cmp(&bound(b)));
    let half = bounds.iter().find(|le| count(page, le) - count(before, le) >= all / 2.0);
    half.map_or(f64::INFINITY, |le| bound(le))
}

fn bound(le: &str) -> f64 {
    le.replace("+Inf", "inf").parse().unwrap()
}

#[tokio::test]
async fn obs_M16_a_slow_coordinator_makes_requests_slow_and_not_the_gateway() {
    let trino = trino::trino().await;
    let gateway = Gateway::before(&[&trino]).await;
    // The page is asked for and comes a second later: the coordinator holds a poll that long.
    let running = gateway.client().start(ENDLESS).await.unwrap();
    let mut running = running;
    running.advance_until(|page| page.state == "RUNNING").await.unwrap();
    let delta = Delta::from(&gateway).await;
    for _ in 0..3 {
        running.advance().await.unwrap();
    }
    delta.is("gateway_request_duration_seconds_count", &["adhoc"], 3.0).await;
    let mean = delta.of("gateway_request_duration_seconds_sum", &["adhoc"]).await / 3.0;
    assert!((0.95..1.1).contains(&mean), "{mean} s a request");
    let upstream =
        delta.of("gateway_upstream_request_duration_seconds_sum", &["adhoc"]).await / 3.0;
    assert!((0.95..=mean).contains(&upstream), "{upstream} s of them Trino's");
    let now = Page::of(&gateway).await;
    let half = median(&now, &delta.before, "gateway_overhead_seconds", "statement_executing");
    assert!(half <= 0.005, "half of the requests cost more than {half} s here");
    running.cancel().await.unwrap();
    gateway.stop().await;
}

#[tokio::test]
async fn obs_M17_what_a_client_got_and_what_went_wrong_is_what_is_counted() {
    let trino = trino::trino().await;
    let gateway = Gateway::before(&[&trino]).await;
    let delta = Delta::from(&gateway).await;
    gateway.client().rows("SELECT 1").await;
    let sent = delta.of("gateway_requests_total", &["adhoc", "status_code=\"200\""]).await;
    assert!(sent >= 2.0, "{sent}");
    let refused = gateway.client().start("SELECT 1 /* sim: at=post ending=status:500 */").await;
    assert_eq!(refused.unwrap_err().status(), Some(500));
    delta.is("gateway_requests_total", &["adhoc", "status_code=\"500\""], 1.0).await;
    delta.is("gateway_upstream_requests_total", &["status_code=\"500\""], 1.0).await;
    trino.stop().await;
    let refused = gateway.client().start("SELECT 1").await;
    assert_eq!(refused.unwrap_err().status(), Some(503));
    delta.is("gateway_requests_total", &["adhoc", "status_code=\"503\""], 1.0).await;
    delta.is("gateway_unavailable_total", &["no_backend"], 1.0).await;
    Page::of(&gateway).await.assert_adds_up();
    gateway.stop().await;
}

#[tokio::test]
async fn obs_M17_a_backend_that_refuses_is_counted_as_refusing() {
    let trino = trino::trino().await;
    let settings = "health: { bind: \"127.0.0.1:0\", interval: 1h }\n";
    let gateway = Gateway::start(&format!("{settings}{}", groups(&[trino.url()], ""))).await;
    gateway.until_healthy(1).await;
    let delta = Delta::from(&gateway).await;
    trino.stop().await;
    let refused = gateway.client().start("SELECT 1").await;
    assert_eq!(refused.unwrap_err().status(), Some(503));
    assert!(delta.of("gateway_upstream_errors_total", &["error_type=\"refused\""]).await >= 1.0);
    assert!(delta.of("gateway_errors_total", &["upstream_connect"]).await >= 1.0);
    Page::of(&gateway).await.assert_adds_up();
    gateway.stop().await;
}

#[tokio::test]
async fn obs_M19_a_query_that_nobody_polls_is_evicted() {
    let trino = trino::trino().await;
    let settings = "queries: { abandonAfter: 300ms }\n";
    let gateway = Gateway::start(&format!("{settings}{}", groups(&[trino.url()], ""))).await;
    gateway.until_healthy(1).await;
    let delta = Delta::from(&gateway).await;
    gateway.client().start(ENDLESS).await.unwrap();
    delta.is("gateway_tracked_queries_evicted_total", &["ttl"], 1.0).await;
    delta.is("gateway_queries_total", &["abandoned"], 1.0).await;
    assert_eq!(gauge(&gateway, "adhoc", "").await, 0.0);
    gateway.stop().await;
}

#[tokio::test]
async fn obs_M20_a_group_comes_with_its_series_at_0_and_goes_with_them() {
    let (one, two) = (trino::trino().await, trino::trino().await);
    let gateway = Gateway::before(&[&one]).await;
    let delta = Delta::from(&gateway).await;
    let more =
        format!("  - name: etl\n    backends:\n      - {{ name: e, url: \"{}\" }}\n", two.url());
    let settings = "queries: { rememberFor: 300ms }\n";
    let old = format!("{settings}defaultRoutingGroup: adhoc\n{}", groups(&[one.url()], ""));
    gateway.rewrite("nonsense: 1\n");
    assert_eq!(gateway.command("/admin/reload").await.0, 422);
    assert!(delta.of("gateway_config_reloads_total", &["error"]).await >= 1.0);
    gateway.rewrite(&format!("{old}{more}"));
    assert_eq!(gateway.command("/admin/reload").await.0, 200);
    delta.is("gateway_routing_groups", &[], 1.0).await;
    let page = gateway.metrics().await;
    assert!(page.contains("gateway_503_total{routing_group=\"etl\"} 0"));
    gateway.rewrite(&old);
    assert_eq!(gateway.command("/admin/reload").await.0, 200);
    wait::until_async("its series are gone", async || !gateway.metrics().await.contains("\"etl\""))
        .await;
    delta.is("gateway_routing_groups", &[], 0.0).await;
    gateway.stop().await;
}

/// A coordinator whose two pages have a known length.
async fn known_pages(encoding: Option<&'static str>) -> (Canned, String) {
    let rows = vec![r#"["0123456789abcdef"]"#; 100].join(",");
    let last = format!(
        r#"{{"id":"{ID}","columns":[],"data":[{rows}],"stats":{{"state":"FINISHED"}},"warnings":[]}}"#
    );
    let given = last.clone();
    let trino = Canned::start(move |asked| {
        if asked.method == Method::POST {
            return canned::first(asked, &format!("/v1/statement/executing/{ID}/yslug/1"));
        }
        let mut page = canned::page(given.clone());
        let headers: &mut HeaderMap = page.headers_mut();
        if let Some(encoding) = encoding {
            headers.insert("x-trino-query-data-encoding", HeaderValue::from_static(encoding));
        }
        page
    });
    (trino.await, last)
}

#[tokio::test]
async fn obs_M22_the_bytes_of_results_are_those_that_came_and_went() {
    for (encoding, named) in
        [(None, "json"), (Some("json+zstd"), "json+zstd"), (Some("json+new"), "other")]
    {
        let (trino, last) = known_pages(encoding).await;
        let gateway = Gateway::with_backends(&[trino.url()]).await;
        let delta = Delta::from(&gateway).await;
        let client = gateway.client();
        let first = client.send(Method::POST, "/v1/statement", "SELECT 1").await.unwrap();
        let next = first.json().unwrap()["nextUri"].as_str().unwrap().to_owned();
        // Both pages pass as they are: what came is what went.
        let first = first.raw.len() as f64;
        delta
            .is("gateway_result_bytes_total", &["direction=\"out\"", "encoding=\"json\""], first)
            .await;
        assert_eq!(client.get(&next).await.unwrap().raw, last);
        let all = first + last.len() as f64;
        for direction in ["direction=\"in\"", "direction=\"out\""] {
            delta.is("gateway_result_bytes_total", &[direction], all).await;
        }
        let of_last = if named == "json" { all } else { last.len() as f64 };
        let named = label("encoding", named);
        delta.is("gateway_result_bytes_total", &["direction=\"out\"", &named], of_last).await;
        gateway.stop().await;
    }
}

#[tokio::test]
async fn obs_M22_spooled_segments_count_too() {
    let options = sluice::simulator::Options { spooling: true, ..Default::default() };
    let trino = trino::trino_with(options).await;
    let gateway = Gateway::before(&[&trino]).await;
    let delta = Delta::from(&gateway).await;
    let client: Client = gateway.client().with("x-trino-query-data-encoding", "json");
    assert_eq!(client.rows("SELECT * FROM sim.rows(1000)").await.len(), 1000);
    wait::until_async("bytes of segments", async || {
        delta.of("gateway_result_bytes_total", &["direction=\"out\"", "other"]).await >= 1000.0
    })
    .await;
    assert!(
        delta.of("gateway_result_bytes_total", &["direction=\"out\"", "encoding=\"json\""]).await
            > 0.0
    );
    gateway.stop().await;
}

#[tokio::test]
async fn steps_are_timed_where_they_are_taken() {
    let trino = trino::trino().await;
    let gateway = Gateway::start(&groups(&[trino.url()], ", uris: rewrite")).await;
    gateway.until_healthy(1).await;
    let delta = Delta::from(&gateway).await;
    gateway.client().rows("SELECT 1").await;
    let of = async |step: &str| {
        delta.of("gateway_step_duration_seconds_count", &[&label("step", step)]).await
    };
    for step in ["classify", "rules", "select"] {
        assert_eq!(of(step).await, 1.0, "{step}");
    }
    assert!(of("upstream_connect").await >= 1.0);
    wait::until_async("URIs were changed", async || of("rewrite").await >= 2.0).await;
    assert_eq!(of("resume_wait").await, 0.0);
    assert_eq!(of("auth").await, 0.0);
    gateway.stop().await;
}

#[tokio::test]
async fn section_A_adds_up_after_a_mixed_load_and_nothing_is_in_flight() {
    let (one, two) = (trino::trino().await, trino::trino().await);
    let gateway = Gateway::before(&[&one, &two]).await;
    let client = gateway.client();
    for round in 0..3 {
        client.rows("SELECT 1").await;
        client.start(ENDLESS).await.unwrap().cancel().await.unwrap();
        let _ = client.start("SELECT 1 /* sim: at=post ending=status:503 */").await;
        let _ = client.get("/nowhere").await;
        let gone = tokio::spawn({
            let client = client.clone();
            async move { client.start("SELECT 1 /* sim: at=post ending=stall */").await }
        });
        wait::until("it is in flight", || gateway.in_flight() == 1).await;
        gone.abort();
        gateway.until_idle().await;
        gateway.rewrite(&groups(&[one.url(), two.url()], &format!(", weight: {}", round + 2)));
        assert_eq!(gateway.command("/admin/reload").await.0, 200);
    }
    let mut lost = client.start(ENDLESS).await.unwrap();
    lost.advance().await.unwrap();
    let owner = if one.state_of(lost.id()).is_some() { &one } else { &two };
    owner.restart().await.unwrap();
    gateway.until_idle().await;
    wait::until_async("all accounts are closed", async || {
        Page::of(&gateway).await.sum("gateway_http_requests_in_flight", &[]) == 0.0
    })
    .await;
    let page = Page::of(&gateway).await;
    page.assert_adds_up();
    assert_eq!(page.sum("xtrinode_gateway_inflight_queries", &[]), 0.0);
    assert!(page.sum("gateway_503_total", &[]) >= 3.0);
    assert!(page.sum("gateway_requests_total", &["499"]) >= 3.0);
    gateway.stop().await;
}

#[tokio::test]
async fn a_scrape_and_a_probe_are_not_counted() {
    let trino = trino::trino().await;
    let gateway = Gateway::before(&[&trino]).await;
    let delta = Delta::from(&gateway).await;
    for _ in 0..3 {
        gateway.metrics().await;
        gateway.health("/readyz").await;
    }
    assert_eq!(delta.of("gateway_requests_total", &[]).await, 0.0);
    assert_eq!(delta.of("gateway_http_requests_total", &[]).await, 0.0);
    gateway.stop().await;
}
