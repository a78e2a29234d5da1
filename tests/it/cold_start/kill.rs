//! `kill_query` of a statement that waits: ended here, answered as Trino answers a CALL.

use http::Method;
use sluice::simulator::Simulator;

use super::{ENDLESS, SHORT};
use crate::harness::client::{Client, Done};
use crate::harness::stage::{Plan, Stage};
use crate::harness::trino;
use crate::harness::webhook::Manner;

async fn waiting() -> Stage {
    let stage = Plan { cold_start: SHORT, ..Plan::default() }.asleep().await;
    stage.webhook.will(Manner::Accept);
    stage
}

#[tokio::test]
async fn kill_query_of_a_waiting_statement_ends_it() {
    for call in [
        "CALL system.runtime.kill_query('ID', 'enough')",
        "CALL system.runtime.kill_query(query_id => 'ID', message => 'enough')",
        "/* now */ call System.Runtime.Kill_Query ( 'ID' )",
    ] {
        let stage = waiting().await;
        let mut running = stage.queued("SELECT 1").await;
        let killed = stage.client().query(call.replace("ID", running.id())).await.unwrap();
        assert_eq!(killed.error_name(), None, "{call}: {:?}", killed.last().json);
        assert_eq!(killed.last().state, "FINISHED");
        stage.assert_empty("the call ended it and does not count itself").await;
        while running.advance().await.unwrap() {}
        let done = running.done();
        assert_eq!(done.error_name(), Some("ADMINISTRATIVELY_KILLED"), "{call}");
        let message = done.last().json["error"]["message"].as_str().unwrap();
        assert_eq!(message.contains("enough"), call.contains("enough"), "{message}");
        stage.sleeper.wake().await;
        stage.until("a", sluice::snapshot::BackendState::Healthy).await;
        assert_eq!(stage.sleeper.counts().statements, 0);
        stage.stop().await;
    }
}

/// The shape of a CALL's answer: the fields of its last page and what it says of itself.
fn shape(done: &Done) -> (Vec<String>, String, String, usize) {
    let json = &done.last().json;
    let keys = json.as_object().unwrap().keys().cloned().collect();
    let update = json["updateType"].as_str().unwrap_or_default().to_owned();
    (keys, update, done.last().state.clone(), done.rows.len())
}

#[tokio::test]
async fn the_answer_of_the_call_is_that_of_a_coordinator() {
    let real: Simulator = trino::trino().await;
    let direct = Client::new(real.url());
    let mut target = direct.start(ENDLESS).await.unwrap();
    target.advance().await.unwrap();
    let call = |id: &str| format!("CALL system.runtime.kill_query('{id}', 'enough')");
    let expected = direct.query(call(target.id())).await.unwrap();
    let unknown = direct.query(call("20260101_000000_00000_zzzzz")).await.unwrap();

    let stage = waiting().await;
    let mut running = stage.queued("SELECT 1").await;
    let got = stage.client().query(call(running.id())).await.unwrap();
    assert_eq!(shape(&got), shape(&expected), "{:?}", got.last().json);
    while target.advance().await.unwrap() {}
    while running.advance().await.unwrap() {}
    let (target, running) = (target.done(), running.done());
    for field in ["message", "errorCode", "errorName", "errorType"] {
        let (real, ours) = (&target.last().json["error"], &running.last().json["error"]);
        assert_eq!(ours[field], real[field], "{field}");
    }
    // With no living owner: a QUEUED page, then NOT_FOUND, and nothing wakes.
    let calls = stage.webhook.resumes().len();
    let got = stage.client().query(call("20260101_000000_00000_zzzzz")).await.unwrap();
    for field in ["errorCode", "errorName", "errorType"] {
        let (real, ours) = (&unknown.last().json["error"], &got.last().json["error"]);
        assert_eq!(ours[field], real[field], "{field}: {ours}");
    }
    assert_eq!(stage.webhook.resumes().len(), calls);
    stage.stop().await;
}

#[tokio::test]
async fn a_kill_of_what_has_ended_says_so() {
    let stage = waiting().await;
    let running = stage.queued("SELECT 1").await;
    running.cancel().await.unwrap();
    let call = format!("CALL system.runtime.kill_query('{}')", running.id());
    let killed = stage.client().query(call).await.unwrap();
    assert!(killed.error_name().is_some(), "{:?}", killed.last().json);
    stage.assert_empty("after the kill").await;
    stage.stop().await;
}

#[tokio::test]
async fn the_verbs_of_the_console_reach_a_waiting_statement() {
    for verb in ["killed", "preempted"] {
        let stage = waiting().await;
        let mut running = stage.queued("SELECT 1").await;
        let path = format!("/v1/query/{}/{verb}", running.id());
        let answer = stage.client().send(Method::PUT, &path, "enough").await.unwrap();
        assert_eq!(answer.status, 202, "{verb}: {}", answer.text());
        while running.advance().await.unwrap() {}
        let error = &running.last().json["error"];
        assert!(error["message"].as_str().unwrap().contains("enough"), "{verb}: {error}");
        stage.stop().await;
    }
}
