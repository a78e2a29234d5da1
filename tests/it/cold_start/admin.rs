//! Resume and suspend by hand: an operator's word holds until an operator says otherwise.

use http::Method;
use sluice::snapshot::BackendState;

use super::{ENDLESS, HELD, SHORT};
use crate::harness::stage::{Plan, Stage};
use crate::harness::wait;
use crate::harness::webhook::Manner;

async fn command(stage: &Stage, verb: &str) {
    let (status, words) = stage.gateway.command(&format!("/admin/groups/adhoc/{verb}")).await;
    assert!((200..300).contains(&status), "{verb}: {status}: {words}");
}

#[tokio::test]
async fn a_resume_by_hand_wakes_without_a_statement() {
    let stage = Plan { cold_start: HELD, ..Plan::default() }.asleep().await;
    command(&stage, "resume").await;
    stage.until("a", BackendState::Healthy).await;
    assert_eq!(stage.webhook.resumes().len(), 1);
    stage.assert_empty("it is no query").await;
    command(&stage, "resume").await;
    assert_eq!(stage.client().rows("SELECT 1").await.len(), 1);
    assert_eq!(stage.webhook.resumes().len(), 1, "it is awake");
    stage.stop().await;
}

#[tokio::test]
async fn a_suspend_by_hand_is_sticky_until_a_resume_by_hand() {
    let stage = Plan { cold_start: HELD, ..Plan::default() }.awake().await;
    command(&stage, "suspend").await;
    wait::until("it is put to sleep", || stage.webhook.suspends().len() == 1).await;
    let call = &stage.webhook.suspends()[0];
    assert_eq!((&call.json["group"], &call.json["backend"]), (&"adhoc".into(), &"a".into()));
    stage.until("a", BackendState::Sleeping).await;
    assert_eq!(stage.status().await["state"], "PAUSED");
    for _ in 0..3 {
        let answer = stage.client().send(Method::POST, "/v1/statement", "SELECT 1").await.unwrap();
        assert_eq!(answer.status, 503);
        assert_eq!(answer.header("x-gateway-reason"), "held_down", "{}", answer.text());
        assert!(answer.text().contains("adhoc"), "{}", answer.text());
        assert!(answer.has("retry-after"));
    }
    assert_eq!(stage.unavailable("held_down").await, 3.0);
    let demand = r#"gateway_demand{routing_group="adhoc"}"#;
    assert_eq!(stage.gateway.metric(demand).await, 0.0, "what is held down is no demand");
    assert_eq!(stage.webhook.resumes().len(), 0);
    command(&stage, "resume").await;
    assert_eq!(stage.client().rows("SELECT 1").await.len(), 1);
    assert_eq!(stage.webhook.resumes().len(), 1);
    stage.stop().await;
}

#[tokio::test]
async fn a_suspend_by_hand_outlives_a_reload_and_somebody_elses_wake() {
    let stage = Plan { cold_start: HELD, ..Plan::default() }.asleep().await;
    command(&stage, "suspend").await;
    assert_eq!(stage.gateway.command("/admin/reload").await.0, 200);
    let answer = stage.client().send(Method::POST, "/v1/statement", "SELECT 1").await.unwrap();
    assert_eq!(answer.header("x-gateway-reason"), "held_down", "{}", answer.text());
    assert_eq!(stage.webhook.resumes().len(), 0);
    command(&stage, "resume").await;
    assert_eq!(stage.client().rows("SELECT 1").await.len(), 1);
    stage.stop().await;
}

#[tokio::test]
async fn a_suspend_by_hand_waits_for_running_queries_and_takes_no_new_ones() {
    let stage = Plan { cold_start: HELD, ..Plan::default() }.awake().await;
    let mut running = stage.client().start(ENDLESS).await.unwrap();
    running.advance_until(|page| page.state == "RUNNING").await.unwrap();
    command(&stage, "suspend").await;
    stage.until("a", BackendState::Draining).await;
    let answer = stage.client().send(Method::POST, "/v1/statement", "SELECT 1").await.unwrap();
    assert_eq!(answer.status, 503);
    let reason = answer.header("x-gateway-reason").to_owned();
    assert!(matches!(reason.as_str(), "held_down" | "draining"), "{reason}: {}", answer.text());
    assert!(running.advance().await.unwrap(), "known ids go on");
    assert_eq!(stage.webhook.suspends().len(), 0, "drained first");
    running.cancel().await.unwrap();
    wait::until("it is put to sleep", || stage.webhook.suspends().len() == 1).await;
    stage.until("a", BackendState::Sleeping).await;
    stage.stop().await;
}

#[tokio::test]
async fn a_suspend_by_hand_ends_the_wait_in_words() {
    let stage = Plan { cold_start: SHORT, ..Plan::default() }.asleep().await;
    stage.webhook.will(Manner::Accept);
    let mut running = stage.queued("SELECT 1").await;
    command(&stage, "suspend").await;
    while running.advance().await.unwrap() {}
    let done = running.done();
    assert_eq!(done.last().state, "FAILED");
    let words = done.last().json["error"]["message"].as_str().unwrap();
    assert!(words.contains("adhoc"), "{words}");
    stage.stop().await;
}

#[tokio::test]
async fn commands_for_groups_that_cannot_be_woken_say_so() {
    let stage = Plan { cold_start: HELD, ..Plan::default() }.asleep().await;
    for verb in ["resume", "suspend"] {
        let (status, words) = stage.gateway.command(&format!("/admin/groups/none/{verb}")).await;
        assert_eq!(status, 404, "{words}");
        assert!(words.contains("none"), "{words}");
    }
    stage.stop().await;
}

#[tokio::test]
async fn a_resume_by_hand_that_fails_shows_on_the_status_page() {
    let stage = Plan { cold_start: HELD, ..Plan::default() }.asleep().await;
    stage.webhook.will(Manner::Refuse(403));
    let (_, words) = stage.gateway.command("/admin/groups/adhoc/resume").await;
    stage.until("a", BackendState::Unhealthy).await;
    let status = stage.status().await;
    assert_eq!(status["state"], "ERROR", "{status} {words}");
    stage.stop().await;
}
