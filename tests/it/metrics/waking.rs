//! Demand without a coordinator, wakes and waits: M7, M9, M10, M14, and what of a wait is the gateway's own time.

use std::time::Duration;

use sluice::snapshot::BackendState;
use tokio::time::Instant;

use super::{Delta, Page, label};
use crate::harness::gateway::Gateway;
use crate::harness::stage::{Held, Plan, Stage};
use crate::harness::wait;
use crate::harness::webhook::Manner;

const HELD: &str = "holdFor: 60s";
/// No page between the first and the last.
const QUICK: &str = "SELECT 1 /* sim: queued=0 running=0 finishing=0 */";

#[tokio::test]
async fn obs_M7_a_statement_counts_as_RESUMING_while_nobody_listens() {
    let stage = Plan { cold_start: HELD, ..Plan::default() }.asleep().await;
    stage.webhook.will(Manner::Accept);
    assert_eq!(stage.gauge("RESUMING").await, 0.0);
    let held = stage.held(&stage.client(), "SELECT 1").await;
    assert_eq!(stage.gauge("RESUMING").await, 1.0);
    stage.sleeper.wake().await;
    assert_eq!(held.rows().await.len(), 1);
    stage.gateway.until_idle().await;
    assert_eq!(stage.gauge("").await, 0.0);
    stage.stop().await;
}

#[tokio::test]
async fn obs_M9_a_503_counts_once_in_each_of_three_ways() {
    let settings = "routingGroups:\n  - name: adhoc\n    backends:\n      - { name: a, url: \"http://127.0.0.1:1\" }\n";
    let gateway = Gateway::start(settings).await;
    wait::until_async("it is known to be away", async || {
        gateway.metric("gateway_backends{routing_group=\"adhoc\",state=\"unhealthy\"}").await == 1.0
    })
    .await;
    let delta = Delta::from(&gateway).await;
    let refused = gateway.client().start("SELECT 1").await.unwrap_err();
    assert_eq!(refused.status(), Some(503));
    delta.is("gateway_503_total", &["adhoc"], 1.0).await;
    delta.is("gateway_unavailable_total", &["adhoc"], 1.0).await;
    delta.is("gateway_unavailable_total", &["reason=\"no_backend\""], 1.0).await;
    delta.is("gateway_requests_total", &["adhoc", "\"503\""], 1.0).await;
    delta.is("gateway_errors_total", &["capacity"], 1.0).await;
    Page::of(&gateway).await.assert_adds_up();
    gateway.stop().await;
}

#[tokio::test]
async fn obs_M10_fifty_statements_are_one_resume_and_forty_nine_that_joined() {
    let cold_start = "holdFor: 60s, maxWaitingPerUser: 100";
    let stage = Plan { cold_start, ..Plan::default() }.asleep().await;
    stage.webhook.will(Manner::Accept);
    let delta = Delta::from(&stage.gateway).await;
    let crowd: Vec<Held> = (0..50)
        .map(|_| {
            let client = stage.client();
            Held::of(tokio::spawn(async move { client.start(QUICK).await }))
        })
        .collect();
    delta.is("gateway_resume_waiters", &["adhoc"], 50.0).await;
    delta.is("gateway_resume_in_progress", &["adhoc"], 1.0).await;
    stage.sleeper.wake().await;
    for held in crowd {
        assert_eq!(held.rows().await.len(), 1);
    }
    delta.is("gateway_auto_resume_total", &["adhoc"], 1.0).await;
    delta.is("gateway_resume_coalesced_total", &["adhoc"], 49.0).await;
    delta.is("gateway_resume_waiters", &["adhoc"], 0.0).await;
    delta.is("gateway_resume_wait_seconds_count", &["adhoc"], 50.0).await;
    delta.is("gateway_resume_in_progress", &["adhoc"], 0.0).await;
    delta.is("gateway_query_events_total", &["resumed"], 50.0).await;
    stage.stop().await;
}

/// Resumes that ended: success, failure, timeout, rejected.
async fn attempts(delta: &Delta<'_>) -> [f64; 4] {
    let of = async |outcome: &str| {
        let outcome = label("outcome", outcome);
        delta.of("gateway_resume_attempts_total", &["adhoc", &outcome]).await
    };
    [of("success").await, of("failure").await, of("timeout").await, of("rejected").await]
}

async fn last_success(delta: &Delta<'_>) -> f64 {
    delta.of("gateway_resume_last_success_timestamp_seconds", &["adhoc"]).await
}

#[tokio::test]
async fn obs_M14_a_resume_that_succeeds_is_timed_and_remembered() {
    let stage = Plan { cold_start: HELD, ..Plan::default() }.asleep().await;
    stage.webhook.will(Manner::Accept);
    let delta = Delta::from(&stage.gateway).await;
    let began = Instant::now();
    let held = stage.held(&stage.client(), QUICK).await;
    wait::pass(Duration::from_millis(400)).await;
    let delay = began.elapsed().as_secs_f64();
    stage.sleeper.wake().await;
    assert_eq!(held.rows().await.len(), 1);
    delta.is("gateway_resume_attempts_total", &["success"], 1.0).await;
    assert_eq!(attempts(&delta).await, [1.0, 0.0, 0.0, 0.0]);
    let took = delta.of("gateway_resume_duration_seconds_sum", &["success"]).await;
    assert!(took >= 0.4 && took < delay + 1.0, "{took} s for {delay} s");
    assert!(last_success(&delta).await > 1.7e9);
    delta.is("gateway_resume_provider_requests_total", &["webhook", "success"], 1.0).await;
    // Of the wait nothing was the gateway's own.
    delta.is("gateway_overhead_seconds_count", &["statement_submit"], 1.0).await;
    let own = delta.of("gateway_overhead_seconds_sum", &["statement_submit"]).await;
    let whole = delta.of("gateway_http_request_duration_seconds_sum", &["statement_submit"]).await;
    assert!(whole >= 0.4 && own < 0.1, "{own} s of {whole} s");
    let waited = delta.of("gateway_step_duration_seconds_sum", &["resume_wait"]).await;
    assert!(waited >= 0.4 && waited <= whole, "{waited} s of {whole} s");
    stage.stop().await;
}

/// One statement that is refused in the end.
async fn refused(stage: &Stage) {
    let held = stage.held(&stage.client(), "SELECT 1").await;
    assert_eq!(held.answer().await.unwrap_err().status(), Some(503));
}

#[tokio::test]
async fn obs_M14_a_resume_that_fails_or_hangs_counts_as_that_and_moves_no_time_stamp() {
    for (manner, resume, wanted) in [
        (Manner::Refuse(500), ", deadline: 1s", [0.0, 1.0, 0.0, 0.0]),
        (Manner::Accept, ", deadline: 1s", [0.0, 0.0, 1.0, 0.0]),
        (Manner::Refuse(403), "", [0.0, 0.0, 0.0, 1.0]),
    ] {
        let stage = Plan { cold_start: HELD, resume, ..Plan::default() }.asleep().await;
        stage.webhook.will(manner);
        let delta = Delta::from(&stage.gateway).await;
        let began = Instant::now();
        if manner != Manner::Refuse(403) {
            refused(&stage).await;
        } else {
            // It may be refused before anybody sees it wait.
            let answer = stage.client().start("SELECT 1").await;
            assert_eq!(answer.unwrap_err().status(), Some(503));
        }
        let whole = began.elapsed().as_secs_f64();
        stage.until("a", BackendState::Unhealthy).await;
        wait::until_async(&format!("attempts after {manner:?}"), async || {
            attempts(&delta).await == wanted
        })
        .await;
        assert_eq!(last_success(&delta).await, 0.0);
        let took = delta.of("gateway_resume_duration_seconds_sum", &["adhoc"]).await;
        let least = if manner != Manner::Refuse(403) { 1.0 } else { 0.0 };
        assert!(took >= least && took < whole + 1.0, "{took} s for {whole} s");
        Page::of(&stage.gateway).await.assert_adds_up();
        stage.stop().await;
    }
}
