//! The in-flight ledger from outside: +1 at acceptance, −1 exactly once, at each ending (scale-from-zero.md 8).

#![allow(non_snake_case, reason = "tests bear the ids of the facts")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::Method;

use crate::harness::canned::{self, Canned};
use crate::harness::chaos::Chaos;
use crate::harness::client::{Client, Running};
use crate::harness::gateway::{Gateway, groups};
use crate::harness::{stage::gauge, trino, wait};

/// A query that runs until somebody ends it.
const ENDLESS: &str = "SELECT 1 /* sim: queued=0 running=0 ending=hang */";

async fn total(gateway: &Gateway) -> f64 {
    gauge(gateway, "adhoc", "").await
}

/// A query that is executing.
async fn executing(client: &Client) -> Running {
    let mut running = client.start(ENDLESS).await.unwrap();
    running.advance_until(|page| page.state == "RUNNING").await.unwrap();
    running
}

fn path_of<'a>(gateway: &Gateway, uri: &'a str) -> &'a str {
    uri.strip_prefix(&gateway.url()).expect("a URI of the gateway")
}

#[tokio::test]
async fn ledger_L1_a_statement_counts_before_any_backend_answers() {
    let trino = trino::trino().await;
    let gateway = Gateway::before(&[&trino]).await;
    let client = gateway.client();
    let waiting = tokio::spawn(async move {
        let _ = client.start("SELECT 1 /* sim: at=post ending=stall */").await;
    });
    wait::until_async("one in RESUMING", async || {
        gauge(&gateway, "adhoc", "RESUMING").await == 1.0
    })
    .await;
    assert_eq!(gateway.in_flight(), 1);
    // L4: its client leaves before any page was handed out.
    waiting.abort();
    gateway.until_idle().await;
    gateway.stop().await;
}

#[tokio::test]
async fn ledger_L2_a_query_is_one_entry_whatever_its_state() {
    let trino = trino::trino().await;
    let gateway = Gateway::before(&[&trino]).await;
    let mut running = gateway.client().start(ENDLESS).await.unwrap();
    assert_eq!(gauge(&gateway, "adhoc", "QUEUED").await, 1.0);
    assert_eq!(total(&gateway).await, 1.0);
    running.advance_until(|page| page.state == "RUNNING").await.unwrap();
    assert_eq!(gauge(&gateway, "adhoc", "RUNNING").await, 1.0);
    assert_eq!(total(&gateway).await, 1.0);
    running.cancel().await.unwrap();
    assert_eq!(total(&gateway).await, 0.0);
    gateway.stop().await;
}

#[tokio::test]
async fn ledger_L3_the_last_page_ends_a_query_in_any_state() {
    let trino = trino::trino().await;
    let gateway = Gateway::before(&[&trino]).await;
    for (sql, error) in [
        ("SELECT 1", None),
        ("SELEKT 1", Some("SYNTAX_ERROR")),
        (
            "SELECT 1 /* sim: at=1 ending=fail:EXCEEDED_TIME_LIMIT pages=3 */",
            Some("EXCEEDED_TIME_LIMIT"),
        ),
    ] {
        let done = gateway.client().query(sql).await.unwrap();
        assert_eq!(done.error_name(), error);
        assert_eq!(gateway.in_flight(), 0, "{sql}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn ledger_L3_peers_X3_a_cancel_ends_a_query_at_once() {
    let trino = trino::trino().await;
    let gateway = Gateway::before(&[&trino]).await;
    let client = gateway.client();
    let running = client.start(ENDLESS).await.unwrap();
    assert_eq!(running.cancel().await.unwrap().status, 204);
    assert_eq!(gateway.in_flight(), 0, "a cancel of a queued query");
    let running = executing(&client).await;
    assert_eq!(running.cancel().await.unwrap().status, 204);
    assert_eq!(gateway.in_flight(), 0, "a cancel of an executing query");
    let running = executing(&client).await;
    let by_id = format!("/v1/query/{}", running.id());
    assert_eq!(client.send(Method::DELETE, &by_id, "").await.unwrap().status, 204);
    assert_eq!(gateway.in_flight(), 0, "a cancel by id");
    // Late polls and a second cancel count nothing twice.
    running.cancel().await.unwrap();
    client.get(&running.next_uri()).await.unwrap();
    assert_eq!(gateway.in_flight(), 0);
    gateway.stop().await;
}

#[tokio::test]
async fn ledger_L3_a_partial_cancel_is_no_end() {
    let trino = trino::trino().await;
    let gateway = Gateway::before(&[&trino]).await;
    let sql = "SELECT 1 /* sim: pages=1000 rows=1 running=0 */";
    let mut running = gateway.client().start(sql).await.unwrap();
    running.advance_until(|page| page.json.get("partialCancelUri").is_some()).await.unwrap();
    let uri = running.last().json["partialCancelUri"].as_str().unwrap().to_owned();
    let answer = gateway.client().send(Method::DELETE, &uri, "").await.unwrap();
    assert_eq!((answer.status.as_u16(), gateway.in_flight()), (204, 1));
    running.cancel().await.unwrap();
    gateway.stop().await;
}

#[tokio::test]
async fn ledger_L3_a_wrong_slug_or_an_old_token_ends_no_living_query() {
    let trino = trino::trino().await;
    let gateway = Gateway::before(&[&trino]).await;
    let client = gateway.client();
    let sql = "SELECT 1 /* sim: queued=5 running=0 ending=hang */";
    let mut running = client.start(sql).await.unwrap();
    let first = running.next_uri();
    for _ in 0..3 {
        running.advance().await.unwrap();
    }
    assert_eq!(client.get(&first).await.unwrap().status, 410, "an old token");
    running.advance_until(|page| page.state == "RUNNING").await.unwrap();
    let next = running.next().unwrap().clone();
    let wrong = next.uri.replace(&next.slug, &format!("y{}", "0".repeat(40)));
    let unknown = next.uri.replace(&format!("/{}", next.token), "/99");
    for uri in [&wrong, &unknown] {
        for method in [Method::GET, Method::HEAD, Method::DELETE] {
            let answer = client.send(method, uri, "").await.unwrap();
            assert_eq!((answer.status.as_u16(), gateway.in_flight()), (404, 1), "{uri}");
        }
    }
    assert!(running.advance().await.unwrap(), "it goes on");
    running.cancel().await.unwrap();
    gateway.stop().await;
}

#[tokio::test]
async fn ledger_L3_peers_X3_404_and_410_to_the_latest_next_uri_end_a_query() {
    for gone in [404, 410] {
        let trino = Canned::start(move |asked| match asked.method {
            Method::POST => {
                canned::first(asked, &format!("/v1/statement/queued/{}/yslug/1", canned::ID))
            }
            _ => canned::status(gone, "Error: gone"),
        })
        .await;
        let gateway = Gateway::with_backends(&[trino.url()]).await;
        let client = gateway.client();
        let answer = client.send(Method::POST, "/v1/statement", "SELECT 1").await.unwrap();
        let next = answer.json().unwrap()["nextUri"].as_str().unwrap().to_owned();
        assert_eq!(gateway.in_flight(), 1);
        let other = next.replace("/1", "/7");
        assert_eq!(client.get(&other).await.unwrap().status, gone);
        assert_eq!(gateway.in_flight(), 1, "not the latest");
        assert_eq!(client.get(&next).await.unwrap().status, gone);
        assert_eq!(gateway.in_flight(), 0);
        gateway.stop().await;
    }
}

#[tokio::test]
async fn ledger_L3_the_proven_loss_of_its_coordinator_ends_a_query_that_nobody_polls() {
    for trino in [trino::trino().await, trino::old().await] {
        let gateway = Gateway::before(&[&trino]).await;
        let _running = executing(&gateway.client()).await;
        assert_eq!(gateway.in_flight(), 1);
        // An older Trino tells of a new process by its uptime only, which is believed to a second.
        wait::pass(Duration::from_millis(1500)).await;
        trino.restart().await.unwrap();
        gateway.until_idle().await;
        gateway.stop().await;
    }
}

#[tokio::test]
async fn ledger_L3_a_client_that_left_is_abandoned_and_not_ended_at_once() {
    let trino = trino::trino().await;
    let yaml = format!("{}queries: {{ abandonAfter: 600ms }}\n", groups(&[trino.url()], ""));
    let gateway = Gateway::start(&yaml).await;
    gateway.until_healthy(1).await;
    let client = gateway.client();
    drop(executing(&client).await);
    drop(client);
    wait::pass(Duration::from_millis(200)).await;
    assert_eq!(gateway.in_flight(), 1, "never on connection close alone");
    gateway.until_idle().await;
    let ended =
        r#"gateway_queries_total{routing_group="adhoc",statement_type="query",status="abandoned"}"#;
    assert_eq!(gateway.metric(ended).await, 1.0);
    gateway.stop().await;
}

#[tokio::test]
async fn ledger_L3_heartbeats_and_a_page_that_streams_keep_a_query_alive() {
    let trino = trino::trino().await;
    let yaml = format!("{}queries: {{ abandonAfter: 500ms }}\n", groups(&[trino.url()], ""));
    let gateway = Gateway::start(&yaml).await;
    gateway.until_healthy(1).await;
    let client = gateway.client();
    let running = executing(&client).await;
    for _ in 0..8 {
        assert_eq!(running.heartbeat().await.unwrap().status, 200);
        wait::pass(Duration::from_millis(100)).await;
    }
    assert_eq!(gateway.in_flight(), 1, "heartbeats are a sign of life");
    running.cancel().await.unwrap();
    let sql = "SELECT 1 /* sim: queued=0 running=0 rows=9 at=0 ending=stall:page */";
    let mut stalled = client.start(sql).await.unwrap();
    let streaming =
        tokio::spawn(async move { while stalled.advance().await.is_ok_and(|on| on) {} });
    wait::pass(Duration::from_millis(1200)).await;
    assert_eq!(gateway.in_flight(), 1, "a page of it streams");
    streaming.abort();
    gateway.until_idle().await;
    gateway.stop().await;
}

#[tokio::test]
async fn ledger_L4_a_failed_dispatch_releases_at_once() {
    let trino = trino::trino().await;
    let network = Chaos::before(trino.addr()).await;
    let gateway = Gateway::with_backends(&[network.url()]).await;
    for status in [400, 401, 403, 429, 500, 502, 503, 504] {
        let sql = format!("SELECT 1 /* sim: at=post ending=status:{status} */");
        let broken = gateway.client().start(sql).await.unwrap_err();
        assert_eq!((broken.status(), gateway.in_flight()), (Some(status), 0));
    }
    for ending in
        ["die", "die:head", "garbage", "endless", "notgzip", "bomb", "truncate", "die:page"]
    {
        let sql = format!("SELECT 1 /* sim: at=post ending={ending} */");
        gateway.client().start(sql).await.unwrap_err();
        if ending != "truncate" && ending != "die:page" {
            wait::until(ending, || gateway.in_flight() == 0).await;
        }
    }
    network.close();
    let broken = gateway.client().start("SELECT 1").await.unwrap_err();
    assert_eq!(broken.status(), Some(503));
    wait::until("at most the two whose first page broke", || gateway.in_flight() <= 2).await;
    trino.restart().await.unwrap();
    drop(network);
    // The pages that broke off had shown their ids: these queries are known, and nobody will poll them.
    for lease in 0..gateway.in_flight() {
        assert!(lease < 2);
    }
    gateway.terminate();
    gateway.ended().await;
}

#[tokio::test]
async fn ledger_L8_scale_11_every_group_is_there_at_0_from_the_first_scrape() {
    let yaml = "routingGroups:\n\
        \x20 - { name: etl, backends: [{ name: a, url: \"http://127.0.0.1:1\" }] }\n\
        \x20 - { name: adhoc, backends: [{ name: b, url: \"http://127.0.0.1:2\" }] }\n\
        defaultRoutingGroup: adhoc\n";
    let gateway = Gateway::start(yaml).await;
    let page = gateway.metrics().await;
    for group in ["etl", "adhoc"] {
        for state in ["RESUMING", "QUEUED", "RUNNING", "FINISHING", "UNKNOWN"] {
            let there = page.lines().any(|line| {
                line.starts_with("xtrinode_gateway_inflight_queries{")
                    && line.contains(&format!("routing_group=\"{group}\",state=\"{state}\""))
                    && line.ends_with("} 0")
            });
            assert!(there, "{group} {state}");
        }
        let submitted = format!(
            "gateway_query_events_total{{event=\"submitted\",routing_group=\"{group}\"}} 0"
        );
        assert!(page.contains(&submitted), "{submitted}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn scale_11_peers_X5_scrapes_under_load_never_read_below_the_truth() {
    let trino = trino::trino().await;
    let gateway = Gateway::before(&[&trino]).await;
    let client = gateway.client();
    let mut held = Vec::new();
    for _ in 0..10 {
        held.push(executing(&client).await);
    }
    let enough = Arc::new(AtomicBool::new(false));
    let load = {
        let (client, enough) = (client.clone(), Arc::clone(&enough));
        tokio::spawn(async move {
            while !enough.load(Ordering::Relaxed) {
                client.rows("SELECT 1").await;
            }
        })
    };
    for _ in 0..40 {
        let seen = total(&gateway).await;
        assert!((10.0..=11.0).contains(&seen), "{seen}");
    }
    // Between two queries: one that is left in its midst would rightly count until it is abandoned.
    enough.store(true, Ordering::Relaxed);
    load.await.unwrap();
    for running in held {
        running.cancel().await.unwrap();
    }
    gateway.until_idle().await;
    gateway.stop().await;
}

#[tokio::test]
async fn ledger_L9_peers_X26_only_a_statement_is_demand() {
    let trino = trino::trino().await;
    let gateway = Gateway::before(&[&trino]).await;
    let client = gateway.client();
    let unknown =
        format!("/v1/statement/executing/20260101_000000_00000_{}/y0/1", trino.coordinator_id());
    let submitted = r#"gateway_query_events_total{event="submitted",routing_group="adhoc"}"#;
    for (method, path, body) in [
        (Method::HEAD, "/v1/statement", ""),
        (Method::GET, "/v1/info", ""),
        (Method::GET, "/v1/info/state", ""),
        (Method::GET, "/v1/query", ""),
        (Method::GET, "/ui/", ""),
        (Method::GET, "/", ""),
        (Method::GET, unknown.as_str(), ""),
        (Method::HEAD, unknown.as_str(), ""),
        (Method::POST, "/v1/statement", ""),
        (
            Method::POST,
            "/v1/statement",
            "CALL system.runtime.kill_query('20260101_000000_00000_abcde')",
        ),
        (Method::POST, "/v1/node", "x"),
        (Method::PUT, "/v1/info/state", "\"SHUTTING_DOWN\""),
    ] {
        let _ = client.send(method.clone(), path, body).await.unwrap();
        assert_eq!(gateway.in_flight(), 0, "{method} {path}");
        assert_eq!(gateway.metric(submitted).await, 0.0, "{method} {path}");
    }
    let nobody = client.without("x-trino-user");
    let _ = nobody.send(Method::POST, "/v1/statement", "SELECT 1").await.unwrap();
    assert_eq!(gateway.in_flight(), 0);
    assert_eq!(gateway.metric(submitted).await, 0.0, "nobody asks");
    gateway.stop().await;
}

#[tokio::test]
async fn ledger_L13_a_page_that_goes_on_adopts_an_unknown_query() {
    let (one, two) = (trino::trino().await, trino::old().await);
    let gateway = Gateway::before(&[&one, &two]).await;
    for trino in [&one, &two] {
        let direct = Client::new(trino.url());
        let running = executing(&direct).await;
        let path = running.next_uri().replace(&trino.url(), "");
        let client = gateway.client();
        let head = client.send(Method::HEAD, &path, "").await.unwrap();
        assert!([200, 405].contains(&head.status.as_u16()));
        let wrong = path.replace(&running.next().unwrap().slug, &format!("y{}", "0".repeat(40)));
        assert_eq!(client.get(&wrong).await.unwrap().status, 404);
        assert_eq!(gateway.in_flight(), 0, "HEAD and 404 adopt nothing");
        let page = client.get(&path).await.unwrap();
        assert_eq!((page.status.as_u16(), gateway.in_flight()), (200, 1));
        let next = page.json().unwrap()["nextUri"].as_str().unwrap().to_owned();
        assert!(client.get(path_of(&gateway, &next)).await.unwrap().status == 200);
        assert_eq!(gateway.in_flight(), 1);
        assert_eq!(client.send(Method::DELETE, &next, "").await.unwrap().status, 204);
        assert_eq!(gateway.in_flight(), 0);
    }
    let direct = Client::new(one.url());
    let mut running = direct.start("SELECT 1").await.unwrap();
    let mut last = running.next_uri();
    while running.advance().await.unwrap() {
        last = running.next_uri();
    }
    let page = gateway.client().get(&last.replace(&one.url(), "")).await.unwrap();
    assert_eq!((page.status.as_u16(), gateway.in_flight()), (200, 0), "a last page adopts nothing");
    gateway.stop().await;
}
