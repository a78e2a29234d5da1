//! One wake for everybody who asks: single flight, retries, the end at readiness, the next sleep.

use sluice::snapshot::BackendState;
use tokio::task::JoinSet;

use super::{HELD, SHORT};
use crate::harness::client::Client;
use crate::harness::sleeper::Sleeper;
use crate::harness::stage::{Plan, is_synthetic};
use crate::harness::wait;
use crate::harness::webhook::Manner;

/// Statements at the same time.
const CROWD: usize = 1000;
/// No page between the first and the last.
const QUICK: &str = "SELECT 1 /* sim: queued=0 running=0 finishing=0 */";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scale_9_a_thousand_first_queries_are_one_call() {
    let cold_start = "holdFor: 30s, maxWaiting: 2000, maxWaitingPerUser: 2000";
    let stage = Plan { cold_start, ..Plan::default() }.asleep().await;
    stage.webhook.will(Manner::Accept);
    let mut crowd = JoinSet::new();
    for _ in 0..CROWD {
        let client = stage.client();
        crowd.spawn(async move { client.query(QUICK).await });
    }
    wait::until("all are accepted", || stage.gateway.in_flight() == CROWD).await;
    wait::until_async("all wait", async || stage.waiters().await == CROWD as f64).await;
    assert_eq!(stage.webhook.resumes().len(), 1);
    let begun = stage.gateway.metric(r#"gateway_auto_resume_total{routing_group="adhoc"}"#).await;
    assert_eq!(begun, 1.0);
    stage.sleeper.wake().await;
    while let Some(query) = crowd.join_next().await {
        let done = query.unwrap().unwrap();
        assert_eq!((done.error_name(), done.rows.len()), (None, 1));
    }
    assert_eq!(stage.webhook.resumes().len(), 1, "readiness ends it");
    assert_eq!(stage.sleeper.counts().statements, CROWD as u64, "each was sent once");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_X20_a_thousand_refused_requests_are_one_call() {
    let stage = Plan { cold_start: "mode: reject", ..Plan::default() }.asleep().await;
    stage.webhook.will(Manner::Hang);
    let mut crowd = JoinSet::new();
    for number in 0..CROWD {
        let client = stage.user(&format!("user-{}", number % 7));
        crowd.spawn(async move { client.start("SELECT 1").await.unwrap_err().status() });
    }
    while let Some(status) = crowd.join_next().await {
        assert_eq!(status.unwrap(), Some(503));
    }
    assert_eq!(stage.webhook.resumes().len(), 1);
    assert_eq!(stage.unavailable("resuming").await, CROWD as f64);
    stage.stop().await;
}

#[tokio::test]
async fn scale_9_a_call_says_what_it_is_for() {
    let stage = Plan { cold_start: HELD, ..Plan::default() }.asleep().await;
    assert_eq!(stage.client().rows("SELECT 1").await.len(), 1);
    let calls = stage.webhook.resumes();
    let [call] = calls.as_slice() else { panic!("{calls:?}") };
    assert_eq!((&call.json["group"], &call.json["backend"]), (&"adhoc".into(), &"a".into()));
    assert!(call.json["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{call:?}");
    assert_eq!(call.json["attempt"], 1);
    assert!(!call.key().is_empty());
    assert_eq!(call.json["wakeId"], call.key().as_str());
    let kind = call.headers["content-type"].to_str().unwrap();
    assert!(kind.starts_with("application/json"), "{kind}");
    stage.stop().await;
}

#[tokio::test]
async fn scale_9_a_failing_call_is_retried_and_readiness_ends_it() {
    let stage = Plan { cold_start: HELD, ..Plan::default() }.asleep().await;
    stage.webhook.first(&[Manner::Refuse(500), Manner::Refuse(503)]);
    let held = stage.held(&stage.client(), "SELECT 1").await;
    assert_eq!(held.rows().await.len(), 1);
    let calls = stage.webhook.resumes();
    assert_eq!(calls.len(), 3, "{calls:?}");
    let attempts: Vec<_> = calls.iter().filter_map(|call| call.json["attempt"].as_u64()).collect();
    assert_eq!(attempts, [1, 2, 3]);
    assert!(calls.iter().all(|call| call.key() == calls[0].key()), "one wake: {calls:?}");
    let begun = stage.gateway.metric(r#"gateway_auto_resume_total{routing_group="adhoc"}"#).await;
    assert_eq!(begun, 1.0, "one resume, three calls");
    for (outcome, count) in [("failure", 2.0), ("success", 1.0)] {
        let series = format!(
            "gateway_resume_provider_requests_total{{outcome=\"{outcome}\",provider=\"webhook\"}}"
        );
        assert_eq!(stage.gateway.metric(&series).await, count, "{series}");
    }
    stage.stop().await;
}

#[tokio::test]
async fn scale_9_a_failing_call_is_not_retried_for_nobody() {
    let more = "queries: { unmetLease: 1ms, linger: 1ms }";
    let stage = Plan { cold_start: SHORT, more, ..Plan::default() }.asleep().await;
    stage.webhook.will(Manner::Refuse(500));
    let running = stage.queued("SELECT 1").await;
    stage.webhook.until_resumes(2).await;
    running.cancel().await.unwrap();
    let calls = stage.webhook.resumes().len();
    // The next try would come after about two seconds.
    wait::pass(std::time::Duration::from_secs(5)).await;
    assert!(stage.webhook.resumes().len() <= calls + 1, "{:?}", stage.webhook.resumes());
    stage.stop().await;
}

#[tokio::test]
async fn peers_X21_a_target_that_was_suspended_again_resumes_at_once() {
    let stage = Plan { cold_start: HELD, ..Plan::default() }.asleep().await;
    let mut keys = Vec::new();
    for wake in 1..=3 {
        assert_eq!(stage.client().rows("SELECT 1").await.len(), 1);
        let calls = stage.webhook.resumes();
        assert_eq!(calls.len(), wake, "no call is gated by the one before");
        keys.push(calls[wake - 1].key());
        stage.sleeper.sleep().await;
        stage.until("a", BackendState::Sleeping).await;
    }
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 3, "each wake has its own key");
    stage.stop().await;
}

#[tokio::test]
async fn peers_L7_the_hand_over_comes_on_the_very_poll_that_is_open_at_readiness() {
    let slow = Sleeper::slow();
    let stage = Plan { cold_start: SHORT, ..Plan::default() }.with(&[&slow]).await;
    let mut running = stage.queued("SELECT 1").await;
    wait::until("the process is up", || slow.counts().probes > 0).await;
    let is_ready = || {
        let snapshot = stage.gateway.shared.current.load();
        snapshot.backends.values().all(|backend| backend.state == BackendState::Healthy)
    };
    running.advance().await.unwrap();
    assert!(is_synthetic(running.id()) && !is_ready());
    slow.ready();
    let mut polls = 0;
    while is_synthetic(running.id()) {
        let was_ready = is_ready();
        running.advance().await.unwrap();
        polls += 1;
        // A poll that is open when readiness is seen answers with Trino's own page, and so does every later one.
        let missed = is_synthetic(running.id()) && (was_ready || is_ready());
        assert!(!missed, "poll {polls} was open at readiness and got a synthetic page");
        assert!(polls < 30, "never ready");
    }
    while running.advance().await.unwrap() {}
    assert_eq!(running.done().rows.len(), 1);
    stage.stop().await;
}

#[tokio::test]
async fn scale_9_a_post_that_is_held_at_readiness_gets_the_real_page() {
    let slow = Sleeper::slow();
    let stage = Plan { cold_start: HELD, ..Plan::default() }.with(&[&slow]).await;
    let held = stage.held(&stage.gateway.client(), "SELECT 1").await;
    wait::until("the process is up", || slow.counts().probes > 2).await;
    assert!(!held.is_answered(), "a coordinator that is starting gets no statement");
    assert_eq!(slow.counts().statements, 0);
    stage.until("a", BackendState::Resuming).await;
    slow.ready();
    // This client accepts no other id: nothing synthetic was handed out.
    assert_eq!(held.rows().await.len(), 1);
    stage.stop().await;
}

#[tokio::test]
async fn a_backend_that_somebody_else_woke_becomes_ready_without_us() {
    let stage = Plan { cold_start: HELD, ..Plan::default() }.asleep().await;
    stage.sleeper.wake().await;
    stage.until("a", BackendState::Healthy).await;
    let client: Client = stage.gateway.client();
    assert_eq!(client.rows("SELECT 1").await.len(), 1);
    assert_eq!(stage.webhook.resumes().len(), 0);
    stage.sleeper.sleep().await;
    stage.until("a", BackendState::Sleeping).await;
    // And while our own call gets nowhere.
    stage.webhook.will(Manner::Refuse(503));
    let held = stage.held(&client, "SELECT 1").await;
    stage.webhook.until_resumes(1).await;
    stage.sleeper.wake().await;
    assert_eq!(held.rows().await.len(), 1);
    stage.stop().await;
}
