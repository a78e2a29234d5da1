//! Backends that go while somebody needs them, and a driver that is gone while nobody does.

use std::time::Duration;

use http::Method;
use sluice::snapshot::BackendState;

use super::{ENDLESS, HELD, SHORT};
use crate::harness::client::Client;
use crate::harness::sleeper::Sleeper;
use crate::harness::stage::{Held, Plan};
use crate::harness::trino;
use crate::harness::wait;
use crate::harness::webhook::Manner;

/// Probes that come too late to see anything: statements find out.
const SLOW_PROBES: &str = "health: { bind: \"127.0.0.1:0\", interval: 1h, timeout: 1s }";

#[tokio::test]
async fn a_statement_that_a_ready_backend_refuses_is_demand_and_wakes_it() {
    let plan = Plan { cold_start: HELD, more: SLOW_PROBES, ..Plan::default() };
    let stage = plan.awake().await;
    assert_eq!(stage.client().rows("SELECT 1").await.len(), 1);
    stage.sleeper.sleep().await;
    assert_eq!(stage.client().rows("SELECT 2").await.len(), 1, "its client noticed nothing");
    assert_eq!(stage.webhook.resumes().len(), 1);
    stage.stop().await;
}

#[tokio::test]
async fn a_refused_statement_shows_as_demand_before_its_answer() {
    let plan = Plan { cold_start: SHORT, more: SLOW_PROBES, ..Plan::default() };
    let stage = plan.awake().await;
    stage.webhook.will(Manner::Accept);
    stage.sleeper.sleep().await;
    let mut running = stage.queued("SELECT 1").await;
    stage.webhook.until_resumes(1).await;
    assert_eq!(stage.gauge("RESUMING").await, 1.0);
    stage.sleeper.wake().await;
    while running.advance().await.unwrap() {}
    assert_eq!(running.done().rows.len(), 1);
    stage.stop().await;
}

#[tokio::test]
async fn a_refused_poll_is_no_demand() {
    let plan = Plan { cold_start: HELD, more: SLOW_PROBES, ..Plan::default() };
    let stage = plan.awake().await;
    let mut running = stage.client().start(ENDLESS).await.unwrap();
    running.advance_until(|page| page.state == "RUNNING").await.unwrap();
    stage.sleeper.sleep().await;
    let broken = running.advance().await.unwrap_err();
    assert_eq!(broken.status(), Some(503), "{broken}");
    wait::pass(Duration::from_millis(700)).await;
    assert_eq!(stage.webhook.resumes().len(), 0, "a known id is never re-bound");
    stage.sleeper.wake().await;
    wait::until_async("the loss is proven", async || {
        let _ = running.advance().await;
        stage.gateway.in_flight() == 0
    })
    .await;
    stage.stop().await;
}

#[tokio::test]
async fn a_backend_that_dies_during_the_release_is_woken_again_and_nothing_is_lost() {
    let stage = Plan { cold_start: HELD, ..Plan::default() }.asleep().await;
    stage.webhook.will(Manner::Accept);
    let client = stage.client();
    // Slow start: nobody else is sent before the first has its answer.
    let stalled = "SELECT 1 /* sim: at=post ending=stall */";
    let first = stage.held(&client, stalled).await;
    let mut others = Vec::new();
    for number in 0..9 {
        others.push(stage.held(&client, &format!("SELECT {number}")).await);
    }
    stage.sleeper.wake().await;
    wait::until("the first is with the coordinator", || stage.sleeper.counts().statements > 0)
        .await;
    assert_eq!(stage.sleeper.counts().statements, 1, "one at a time until one was answered");
    assert!(others.iter().all(|other| !other.is_answered()));
    first.leave();
    stage.sleeper.sleep().await;
    stage.webhook.until_resumes(2).await;
    stage.sleeper.wake().await;
    for other in others {
        assert_eq!(other.rows().await.len(), 1);
    }
    stage.stop().await;
}

#[tokio::test]
async fn a_connection_that_dies_at_the_hand_over_keeps_the_statement_in_its_place() {
    for ending in ["die", "die:head", "status:502", "status:503"] {
        let stage = Plan { cold_start: SHORT, ..Plan::default() }.asleep().await;
        stage.webhook.will(Manner::Accept);
        let sql = format!("SELECT 1 /* sim: at=post ending={ending} times=1 */");
        let mut running = stage.queued(&sql).await;
        stage.sleeper.wake().await;
        while running.advance().await.unwrap_or_else(|broken| panic!("{ending}: {broken}")) {}
        let done = running.done();
        assert_eq!((done.error_name(), done.rows.len()), (None, 1), "{ending}");
        assert_eq!(stage.sleeper.counts().statements, 2, "{ending}: sent once more");
        stage.stop().await;
    }
}

#[tokio::test]
async fn scale_13_a_poll_on_a_suspending_backend_resumes_nothing_and_is_answered() {
    let stage = Plan { cold_start: HELD, ..Plan::default() }.awake().await;
    let mut running = stage.client().start(ENDLESS).await.unwrap();
    running.advance_until(|page| page.state == "RUNNING").await.unwrap();
    let (status, words) = stage.gateway.command("/admin/groups/adhoc/suspend").await;
    assert!((200..300).contains(&status), "{status}: {words}");
    stage.until("a", BackendState::Draining).await;
    for _ in 0..2 {
        assert!(running.advance().await.unwrap(), "its coordinator answers");
        assert_eq!(running.heartbeat().await.unwrap().status, 200);
    }
    assert_eq!(stage.sleeper.simulator().state_of(running.id()), Some("RUNNING"));
    assert_eq!((stage.webhook.resumes().len(), stage.webhook.suspends().len()), (0, 0));
    running.cancel().await.unwrap();
    wait::until("it sleeps when the last query has ended", || stage.webhook.suspends().len() == 1)
        .await;
    assert_eq!(stage.webhook.resumes().len(), 0);
    stage.stop().await;
}

#[tokio::test]
async fn peers_X6_a_poll_on_a_resuming_backend_reaches_its_coordinator_and_resumes_nothing() {
    let stage = Plan { cold_start: HELD, ..Plan::default() }.awake().await;
    let mut running = stage.client().start(ENDLESS).await.unwrap();
    running.advance_until(|page| page.state == "RUNNING").await.unwrap();
    stage.sleeper.simulator().set_starting(true);
    stage.until("a", BackendState::Resuming).await;
    for _ in 0..2 {
        let id = running.id().to_owned();
        assert!(running.advance().await.unwrap());
        assert_eq!(running.id(), id, "never bound to another");
    }
    assert_eq!(stage.webhook.resumes().len(), 0);
    running.cancel().await.unwrap();
    stage.stop().await;
}

#[tokio::test]
async fn scale_14_with_the_drivers_server_down_ready_groups_serve_and_liveness_is_200() {
    let awake = trino::trino().await;
    let more = "defaultRoutingGroup: adhoc\n\
        rules: [{ name: ready, when: { source: ready }, routingGroup: ready }]";
    let plan = Plan { cold_start: HELD, more, ..Plan::default() };
    let stage = plan.beside(&[&Sleeper::new()], &[("ready", &awake.url())]).await;
    stage.webhook.close();
    let held = stage.held(&stage.client(), "SELECT 1").await;
    let ready: Client = stage.gateway.client().with("x-trino-source", "ready");
    for _ in 0..5 {
        assert_eq!(ready.rows("SELECT 1").await.len(), 1);
    }
    assert_eq!(stage.gateway.health("/healthz").await, (200, "ok".to_owned()));
    assert_eq!(stage.gateway.health("/readyz").await.0, 200);
    assert!(!held.is_answered(), "a call that fails is tried again, its statement waits");
    held.leave();
    stage.stop().await;
}

#[tokio::test]
async fn a_group_with_one_ready_backend_wakes_no_other() {
    let (ready, asleep) = (Sleeper::new(), Sleeper::new());
    ready.wake().await;
    let stage = Plan { cold_start: HELD, ..Plan::default() }.with(&[&ready, &asleep]).await;
    for _ in 0..5 {
        assert_eq!(stage.gateway.client().rows("SELECT 1").await.len(), 1);
    }
    assert_eq!((stage.webhook.resumes().len(), ready.counts().statements), (0, 5));
    // Its loss is the other one's call, or its own.
    ready.sleep().await;
    assert_eq!(stage.client().rows("SELECT 1").await.len(), 1);
    assert_eq!(stage.webhook.resumes().len(), 1);
    stage.stop().await;
}

#[tokio::test]
async fn a_crowd_survives_the_end_of_the_backend_that_it_waits_for() {
    let slow = Sleeper::slow();
    let stage = Plan { cold_start: HELD, ..Plan::default() }.with(&[&slow]).await;
    let mut crowd: Vec<Held> = Vec::new();
    for _ in 0..5 {
        crowd.push(stage.held(&stage.client(), "SELECT 1").await);
    }
    wait::until("it is up", || slow.counts().probes > 0).await;
    slow.sleep().await;
    // The target went back to nothing: it is called again.
    stage.webhook.until_resumes(2).await;
    slow.ready();
    for held in crowd {
        assert_eq!(held.rows().await.len(), 1);
    }
    let answer = stage.client().send(Method::HEAD, "/v1/statement", "").await.unwrap();
    assert_eq!(answer.status, 200);
    stage.stop().await;
}
