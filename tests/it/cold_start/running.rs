//! A group that is full: `maxRunning` makes statements wait though its backends are ready; some never wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::task::JoinSet;

use super::ENDLESS;
use crate::harness::gateway::{Gateway, groups};
use crate::harness::stage::{Plan, is_synthetic};
use crate::harness::{trino, wait};

const ONE: &str = "holdFor: 1s, maxRunning: 1";

#[tokio::test]
async fn a_full_group_lets_wait_and_a_free_place_hands_over() {
    let stage = Plan { cold_start: ONE, ..Plan::default() }.awake().await;
    let running = stage.client().start(ENDLESS).await.unwrap();
    let mut waiting = stage.queued("SELECT 1").await;
    assert_eq!(stage.gauge("RESUMING").await, 1.0, "no coordinator has it");
    assert_eq!(stage.waiters().await, 1.0);
    assert!(waiting.advance().await.unwrap());
    assert!(is_synthetic(waiting.id()));
    assert_eq!(stage.sleeper.counts().statements, 1);
    running.cancel().await.unwrap();
    while waiting.advance().await.unwrap() {}
    assert_eq!(waiting.done().rows.len(), 1);
    assert_eq!(stage.webhook.resumes().len(), 0, "nothing sleeps");
    stage.stop().await;
}

#[tokio::test]
async fn a_group_without_a_driver_can_be_full_too() {
    let coordinator = trino::trino().await;
    let backends = groups(&[coordinator.url()], "");
    let yaml =
        backends.replace("    backends:", &format!("    coldStart: {{ {ONE} }}\n    backends:"));
    let gateway = Gateway::start(&yaml).await;
    gateway.until_healthy(1).await;
    let client = gateway.client().may_change_id();
    let running = client.start(ENDLESS).await.unwrap();
    let mut waiting = client.start("SELECT 1").await.unwrap();
    assert!(is_synthetic(waiting.id()));
    running.cancel().await.unwrap();
    while waiting.advance().await.unwrap() {}
    assert_eq!(waiting.done().rows.len(), 1);
    gateway.stop().await;
}

#[tokio::test]
async fn a_full_group_refuses_at_once_where_it_is_told_to() {
    let cold_start = "mode: reject, maxRunning: 1";
    let stage = Plan { cold_start, ..Plan::default() }.awake().await;
    let running = stage.client().start(ENDLESS).await.unwrap();
    let refused = stage.client().start("SELECT 1").await.unwrap_err();
    assert_eq!(refused.status(), Some(503));
    assert_eq!(stage.unavailable("queue_full").await, 1.0, "{refused}");
    running.cancel().await.unwrap();
    assert_eq!(stage.client().rows("SELECT 1").await.len(), 1);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn never_more_run_than_may() {
    let stage = Plan { cold_start: "holdFor: 5s, maxRunning: 3", ..Plan::default() }.awake().await;
    let stop = Arc::new(AtomicU64::new(0));
    let mut crowd = JoinSet::new();
    for number in 0..24 {
        let client = stage.user(&format!("user-{}", number % 5));
        let stop = Arc::clone(&stop);
        crowd.spawn(async move {
            let done = client.query("SELECT 1 /* sim: running=30ms */").await.unwrap();
            stop.fetch_add(1, Ordering::Relaxed);
            done.rows.len()
        });
    }
    wait::until("all have run", || {
        let living = stage.sleeper.counts().living;
        assert!(living <= 3, "{living} run");
        stop.load(Ordering::Relaxed) == 24
    })
    .await;
    while let Some(rows) = crowd.join_next().await {
        assert_eq!(rows.unwrap(), 1);
    }
    stage.stop().await;
}

#[tokio::test]
async fn statements_of_an_open_transaction_bypass_the_room() {
    let stage = Plan { cold_start: ONE, ..Plan::default() }.awake().await;
    let client = stage.client().with("x-trino-transaction-id", "NONE");
    let begun = client.query("START TRANSACTION").await.unwrap();
    let transaction = begun.header("x-trino-started-transaction-id").unwrap().to_owned();
    let running = stage.client().start(ENDLESS).await.unwrap();
    let waiting = stage.queued("SELECT 1").await;
    // Would they wait, nobody could ever finish: each holds what the other waits for.
    let within = stage.gateway.client().with("x-trino-transaction-id", &transaction);
    for sql in ["SELECT 2", "COMMIT"] {
        let done = within.query(sql).await.unwrap();
        assert_eq!(done.error_name(), None, "{sql}");
        assert!(!is_synthetic(done.id()), "{sql}");
    }
    assert!(is_synthetic(waiting.id()));
    for each in [running, waiting] {
        each.cancel().await.unwrap();
    }
    stage.stop().await;
}

#[tokio::test]
async fn a_kill_bypasses_the_room() {
    let stage = Plan { cold_start: ONE, ..Plan::default() }.awake().await;
    let mut running = stage.client().start(ENDLESS).await.unwrap();
    running.advance_until(|page| page.state == "RUNNING").await.unwrap();
    let mut waiting = stage.queued("SELECT 1").await;
    let call = format!("CALL system.runtime.kill_query('{}', 'enough')", running.id());
    let killed = stage.gateway.client().query(call).await.unwrap();
    assert_eq!(killed.error_name(), None);
    assert!(killed.pages.iter().all(|page| !is_synthetic(&page.id)), "it went straight through");
    while running.advance().await.unwrap() {}
    assert_eq!(running.done().error_name(), Some("ADMINISTRATIVELY_KILLED"));
    while waiting.advance().await.unwrap() {}
    assert_eq!(waiting.done().rows.len(), 1, "the place became free");
    stage.stop().await;
}

#[tokio::test]
async fn a_full_group_still_has_its_bounds_and_its_cancels() {
    let cold_start = "holdFor: 1s, maxRunning: 1, maxWaiting: 1, maxWaitingPerUser: 1";
    let stage = Plan { cold_start, ..Plan::default() }.awake().await;
    let running = stage.client().start(ENDLESS).await.unwrap();
    let waiting = stage.queued("SELECT 1").await;
    assert_eq!(stage.client().start("SELECT 1").await.unwrap_err().status(), Some(503));
    assert_eq!(stage.unavailable("queue_full").await, 1.0);
    assert_eq!(waiting.cancel().await.unwrap().status, 204);
    assert_eq!(stage.gateway.in_flight(), 1);
    running.cancel().await.unwrap();
    assert_eq!(stage.client().rows("SELECT 1").await.len(), 1);
    stage.stop().await;
}
