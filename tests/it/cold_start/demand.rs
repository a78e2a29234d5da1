//! Demand that exists before any backend: the gauge, the JSON, the scaler's number.

use http::Method;
use sluice::snapshot::BackendState;

use super::{ENDLESS, HELD, SHORT};
use crate::harness::gateway::Gateway;
use crate::harness::stage::{Plan, gauge};
use crate::harness::wait;
use crate::harness::webhook::Manner;

const DEMAND: &str = r#"gateway_demand{routing_group="adhoc"}"#;
const PEAK: &str = r#"gateway_inflight_peak{routing_group="adhoc"}"#;

#[tokio::test]
async fn scale_5_a_statement_without_a_backend_is_seen_before_its_answer() {
    let stage = Plan { cold_start: HELD, ..Plan::default() }.asleep().await;
    stage.webhook.will(Manner::Accept);
    let held = stage.held(&stage.client(), ENDLESS).await;
    assert_eq!(stage.gauge("RESUMING").await, 1.0);
    assert_eq!(stage.gauge("").await, 1.0);
    let (status, page) = stage.demand().await;
    assert_eq!(status, 200, "demand that is known is told at once: {page}");
    let expected = serde_json::json!({
        "demand": 1, "inflight": 1, "resuming": 1, "queued": 0, "running": 0, "scope": "replica",
    });
    assert_eq!(page, expected);
    assert_eq!(stage.gateway.metric(DEMAND).await, 1.0);
    assert_eq!(stage.gateway.metric(PEAK).await, 1.0);
    assert!(!held.is_answered(), "all that before the response is written");
    stage.sleeper.wake().await;
    let mut running = held.answer().await.unwrap();
    running.advance_until(|page| page.state == "RUNNING").await.unwrap();
    let (_, page) = stage.demand().await;
    assert_eq!((&page["resuming"], &page["running"]), (&0.into(), &1.into()), "{page}");
    running.cancel().await.unwrap();
    assert_eq!(stage.gauge("").await, 0.0);
    assert_eq!(stage.gateway.metric(PEAK).await, 1.0, "the minute's peak outlives the query");
    stage.stop().await;
}

#[tokio::test]
async fn scale_5_demand_of_an_unknown_group_is_404_and_unknown_demand_is_not_zero() {
    let stage = Plan::default().asleep().await;
    let path = "/api/v1/routing-groups/none/demand";
    assert_eq!(stage.gateway.health(path).await.0, 404);
    let (status, words) = stage.demand().await;
    assert_eq!(status, 503, "a gateway that has just begun does not know: {words}");
    stage.stop().await;
}

#[tokio::test]
async fn scale_6_the_first_scrape_shows_all_groups_at_0() {
    let yaml = "routingGroups:\n\
        \x20 - { name: etl, backends: [{ name: a, url: \"http://127.0.0.1:1\", resume: { external: {} } }] }\n\
        \x20 - { name: adhoc, backends: [{ name: b, url: \"http://127.0.0.1:2\" }] }\n\
        defaultRoutingGroup: adhoc\n";
    let gateway = Gateway::start(yaml).await;
    let page = gateway.metrics().await;
    for group in ["etl", "adhoc"] {
        for name in [
            "gateway_demand",
            "gateway_inflight_peak",
            "gateway_resume_in_progress",
            "gateway_resume_waiters",
            "gateway_held_bytes",
            "gateway_held_oldest_seconds",
            "gateway_auto_resume_total",
            "gateway_resume_coalesced_total",
            "gateway_resume_last_success_timestamp_seconds",
        ] {
            let series = format!("{name}{{routing_group=\"{group}\"}} 0");
            assert!(page.lines().any(|line| line == series), "no {series}");
        }
        for state in ["RESUMING", "QUEUED", "RUNNING"] {
            let wanted = format!("routing_group=\"{group}\",state=\"{state}\"");
            let is_there = page.lines().any(|line| line.contains(&wanted) && line.ends_with("} 0"));
            assert!(is_there, "no {wanted}");
        }
    }
    gateway.stop().await;
}

#[tokio::test]
async fn scale_6_concurrent_updates_never_hide_one() {
    let plan = Plan { cold_start: HELD, group: "", ..Plan::default() };
    let stage = plan.asleep().await;
    stage.webhook.will(Manner::Accept);
    let mut held = Vec::new();
    for _ in 0..10 {
        held.push(stage.held(&stage.client(), "SELECT 1").await);
    }
    let (gateway, client) = (&stage.gateway, stage.client());
    let load = async {
        // They come and go beside the ten that stay.
        for _ in 0..10 {
            let more = stage.held(&client, "SELECT 2").await;
            more.leave();
            wait::until_async("it left", async || stage.waiters().await <= 10.0).await;
        }
    };
    let scrapes = async {
        for _ in 0..30 {
            let seen = gauge(gateway, "adhoc", "RESUMING").await;
            assert!((10.0..=11.0).contains(&seen), "{seen}");
        }
    };
    tokio::join!(load, scrapes);
    held.into_iter().for_each(crate::harness::stage::Held::leave);
    stage.stop().await;
}

#[tokio::test]
async fn ledger_L5_a_silent_waiting_statement_leaves_demand_and_counts_again_on_return() {
    let more = "queries: { idleDemandAfter: 300ms, linger: 1ms, unmetLease: 1ms }";
    let plan = Plan { cold_start: SHORT, more, ..Plan::default() };
    let stage = plan.asleep().await;
    stage.webhook.will(Manner::Accept);
    let mut running = stage.queued("SELECT 1").await;
    wait::until_async("no demand", async || stage.gateway.metric(DEMAND).await == 0.0).await;
    assert_eq!(stage.gauge("RESUMING").await, 1.0, "in-flight is exact: it has not ended");
    let next = running.next_uri();
    let client = stage.client();
    let poll = tokio::spawn(async move { client.get(&next).await });
    wait::until_async("demand again", async || stage.gateway.metric(DEMAND).await == 1.0).await;
    assert_eq!(poll.await.unwrap().unwrap().status, 200);
    stage.sleeper.wake().await;
    while running.advance().await.unwrap() {}
    assert_eq!(running.done().rows.len(), 1, "its token stayed good");
    stage.stop().await;
}

#[tokio::test]
async fn ledger_L6_a_refused_statement_is_demand_for_a_while() {
    let plan = Plan {
        cold_start: "mode: reject",
        more: "queries: { unmetLease: 700ms, linger: 1ms }",
        ..Plan::default()
    };
    let stage = plan.asleep().await;
    stage.webhook.will(Manner::Accept);
    let refused = stage.client().start("SELECT 1").await.unwrap_err();
    assert_eq!(refused.status(), Some(503));
    assert_eq!(stage.gauge("").await, 0.0, "nothing runs and nothing waits");
    assert_eq!(stage.gateway.metric(DEMAND).await, 1.0, "demand outlives the connection");
    wait::until_async("the lease's end", async || stage.gateway.metric(DEMAND).await == 0.0).await;
    stage.stop().await;
}

#[tokio::test]
async fn ledger_L7_the_last_query_lingers_as_demand_of_1() {
    let more = "queries: { linger: 700ms, unmetLease: 1ms }";
    let stage = Plan { more, ..Plan::default() }.awake().await;
    assert_eq!(stage.client().rows("SELECT 1").await.len(), 1);
    assert_eq!(stage.gauge("").await, 0.0);
    assert_eq!(stage.gateway.metric(DEMAND).await, 1.0);
    wait::until_async("it is over", async || stage.gateway.metric(DEMAND).await == 0.0).await;
    stage.stop().await;
}

#[tokio::test]
async fn peers_X3_a_cancelled_waiting_statement_leaves_the_gauge_at_0() {
    let stage = Plan { cold_start: SHORT, ..Plan::default() }.asleep().await;
    stage.webhook.will(Manner::Accept);
    let running = stage.queued("SELECT 1").await;
    assert_eq!(running.cancel().await.unwrap().status, 204);
    stage.assert_empty("after the DELETE").await;
    let again = running.cancel().await.unwrap();
    assert_eq!(again.status, 204, "a second cancel counts nothing twice");
    stage.assert_empty("after another DELETE").await;
    stage.stop().await;
}

#[tokio::test]
async fn peers_X3_404_after_the_hand_over_leaves_the_gauge_at_0() {
    let stage = Plan { cold_start: SHORT, ..Plan::default() }.asleep().await;
    stage.webhook.will(Manner::Accept);
    let mut running = stage.queued(ENDLESS).await;
    stage.sleeper.wake().await;
    running.advance_until(|page| page.state == "RUNNING").await.unwrap();
    let late = running.next_uri();
    stage.sleeper.sleep().await;
    stage.sleeper.wake().await;
    stage.until("a", BackendState::Healthy).await;
    let client = stage.client();
    wait::until_async("Trino's own 404", async || {
        client.send(Method::GET, &late, "").await.is_ok_and(|answer| answer.status == 404)
    })
    .await;
    stage.assert_empty("after the 404").await;
    stage.stop().await;
}
