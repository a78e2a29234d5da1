//! The bounds of the waiting room: count, per user, bytes, time; each refusal says why (peers L6).

use http::Method;

use super::HELD;
use crate::harness::answer::Answer;
use crate::harness::client::Client;
use crate::harness::stage::{Plan, retry_after};
use crate::harness::webhook::Manner;

async fn post(client: &Client, sql: impl Into<bytes::Bytes>) -> Answer {
    client.send(Method::POST, "/v1/statement", sql).await.unwrap()
}

fn assert_full(answer: &Answer) {
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert_eq!(answer.header("x-gateway-reason"), "queue_full", "{}", answer.text());
    assert!((1..=120).contains(&retry_after(answer)), "{answer:?}");
    assert!(answer.text().contains("adhoc"), "{}", answer.text());
}

#[tokio::test]
async fn peers_L6_the_room_is_bounded_by_count() {
    let cold_start = "holdFor: 400ms, maxWaiting: 3, maxWaitingPerUser: 3";
    let stage = Plan { cold_start, ..Plan::default() }.asleep().await;
    stage.webhook.will(Manner::Accept);
    let mut waiting = Vec::new();
    for _ in 0..3 {
        waiting.push(stage.queued("SELECT 1").await);
    }
    assert_full(&post(&stage.user("another"), "SELECT 1").await);
    assert_eq!((stage.gauge("").await, stage.waiters().await), (3.0, 3.0));
    assert_eq!(stage.unavailable("queue_full").await, 1.0);
    // A place that was left can be taken.
    waiting.pop().unwrap().cancel().await.unwrap();
    waiting.push(stage.queued("SELECT 1").await);
    stage.sleeper.wake().await;
    for mut running in waiting {
        while running.advance().await.unwrap() {}
        assert_eq!(running.done().rows.len(), 1);
    }
    stage.stop().await;
}

#[tokio::test]
async fn peers_L6_the_room_is_bounded_per_user() {
    let cold_start = "holdFor: 400ms, maxWaiting: 10, maxWaitingPerUser: 2";
    let stage = Plan { cold_start, ..Plan::default() }.asleep().await;
    stage.webhook.will(Manner::Accept);
    let mut waiting = Vec::new();
    for user in ["alice", "alice", "bob"] {
        waiting.push(stage.user(user).start("SELECT 1").await.unwrap());
    }
    assert_full(&post(&stage.user("alice"), "SELECT 1").await);
    // Who comes as Basic user is the same one.
    let basic = stage.client().without("x-trino-user").with("authorization", "Basic YWxpY2U6");
    assert_full(&post(&basic, "SELECT 1").await);
    waiting.push(stage.user("bob").start("SELECT 1").await.unwrap());
    for running in waiting {
        running.cancel().await.unwrap();
    }
    stage.stop().await;
}

#[tokio::test]
async fn peers_L6_the_room_is_bounded_by_bytes() {
    let cold_start = "holdFor: 400ms, maxWaitingBytes: 16KiB";
    let stage = Plan { cold_start, ..Plan::default() }.asleep().await;
    stage.webhook.will(Manner::Accept);
    let sql = |bytes: usize| format!("SELECT '{}'", "x".repeat(bytes));
    let one = stage.client().start(sql(6000)).await.unwrap();
    let held = stage.gateway.metric(r#"gateway_held_bytes{routing_group="adhoc"}"#).await;
    assert!((6000.0..10_000.0).contains(&held), "{held}: SQL and headers");
    let two = stage.client().start(sql(6000)).await.unwrap();
    assert_full(&post(&stage.client(), sql(6000)).await);
    for running in [one, two] {
        running.cancel().await.unwrap();
    }
    stage.assert_empty("its bytes are given back").await;
    stage.stop().await;
}

#[tokio::test]
async fn peers_L6_headers_count_as_bytes() {
    let cold_start = "holdFor: 400ms, maxWaitingBytes: 16KiB";
    let stage = Plan { cold_start, ..Plan::default() }.asleep().await;
    stage.webhook.will(Manner::Accept);
    let prepared = format!("p={}", "x".repeat(20_000));
    let client = stage.client().with("x-trino-prepared-statement", &prepared);
    assert_full(&post(&client, "EXECUTE p").await);
    stage.stop().await;
}

#[tokio::test]
async fn a_statement_larger_than_the_room_is_refused_and_nobody_elses_place_is_lost() {
    let cold_start = "holdFor: 400ms, maxWaitingBytes: 16KiB";
    let stage = Plan { cold_start, ..Plan::default() }.asleep().await;
    stage.webhook.will(Manner::Accept);
    let mut small = stage.queued("SELECT 1").await;
    let large = format!("SELECT '{}'", "x".repeat(100_000));
    let answer = post(&stage.client(), large.clone()).await;
    assert!(matches!(answer.status.as_u16(), 413 | 503), "{}", answer.text());
    assert!(!answer.text().is_empty());
    assert_eq!((stage.gauge("").await, stage.waiters().await), (1.0, 1.0));
    stage.sleeper.wake().await;
    while small.advance().await.unwrap() {}
    assert_eq!(small.done().rows.len(), 1);
    // Where nobody has to wait the same statement passes.
    assert_eq!(stage.client().rows(large).await.len(), 1);
    stage.stop().await;
}

#[tokio::test]
async fn peers_L6_the_wait_is_bounded_and_the_reason_given() {
    let cold_start = "holdFor: 400ms, deadline: 1500ms";
    let stage = Plan { cold_start, ..Plan::default() }.asleep().await;
    stage.webhook.will(Manner::Accept);
    let mut running = stage.queued("SELECT 1").await;
    while running.advance().await.unwrap() {}
    let done = running.done();
    let error = &done.last().json["error"];
    assert_eq!(error["errorName"], "GENERIC_INSUFFICIENT_RESOURCES", "{error}");
    let words = error["message"].as_str().unwrap();
    assert!(words.contains("adhoc"), "{words}");
    stage.assert_empty("after the deadline").await;
    stage.stop().await;
}

#[tokio::test]
async fn peers_L6_without_a_page_the_end_of_the_wait_is_503_queue_timeout() {
    let cold_start = "holdFor: 700ms, deadline: 700ms";
    let stage = Plan { cold_start, ..Plan::default() }.asleep().await;
    stage.webhook.will(Manner::Accept);
    let answer = post(&stage.client(), "SELECT 1").await;
    // Both ends come at the same moment: a page on the POST would be no lie, and its end comes on the next poll.
    if answer.status == 200 {
        let next = answer.json().unwrap()["nextUri"].as_str().unwrap().to_owned();
        let page = stage.client().get(&next).await.unwrap().json().unwrap();
        assert_eq!(page["stats"]["state"], "FAILED", "{page}");
    } else {
        assert_eq!(answer.status, 503);
        assert_eq!(answer.header("x-gateway-reason"), "queue_timeout", "{}", answer.text());
    }
    stage.assert_empty("after the deadline").await;
    stage.stop().await;
}

#[tokio::test]
async fn the_oldest_wait_is_told() {
    let stage = Plan { cold_start: HELD, ..Plan::default() }.asleep().await;
    stage.webhook.will(Manner::Accept);
    let held = stage.held(&stage.client(), "SELECT 1").await;
    let oldest = r#"gateway_held_oldest_seconds{routing_group="adhoc"}"#;
    crate::harness::wait::until_async("it grows", async || {
        stage.gateway.metric(oldest).await > 0.3
    })
    .await;
    held.leave();
    stage.gateway.until_idle().await;
    assert_eq!(stage.gateway.metric(oldest).await, 0.0);
    stage.stop().await;
}
