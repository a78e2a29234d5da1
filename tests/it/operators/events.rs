//! `/api/v1/events`: every event where it happens, once, newest first, and counted.

use std::sync::Arc;

use serde_json::Value;
use sluice::{
    simulator::{Login, Options},
    snapshot::BackendState,
};

use super::HELD;
use crate::harness::{
    gateway::{Gateway, groups},
    sleeper::Sleeper,
    stage::Plan,
    trino, wait,
    webhook::Manner,
};

/// Type, name and backend of each event that the query string asks for, the newest first.
async fn told(gateway: &Gateway, query: &str) -> Vec<[String; 3]> {
    let (status, page) = gateway.asked(&format!("/api/v1/events{query}")).await;
    assert_eq!(status, 200, "{page}");
    let word = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let rows = page.as_array().unwrap().iter();
    rows.map(|row| ["type", "event", "backend"].map(|key| word(row, key))).collect()
}

fn row(kind: &str, event: &str, backend: &str) -> [String; 3] {
    [kind, event, backend].map(str::to_owned)
}

async fn until_told(gateway: &Gateway, query: &str, expected: &[String; 3]) {
    wait::until_async(&format!("{expected:?}"), async || {
        told(gateway, query).await.contains(expected)
    })
    .await;
}

async fn counted(gateway: &Gateway, event: &str, kind: &str) -> f64 {
    let series = format!("gateway_events_total{{event=\"{event}\",type=\"{kind}\"}}");
    gateway.metric(&series).await
}

#[tokio::test]
async fn obs_L5_a_failing_resume_is_told_from_trigger_to_failure() {
    let stage = Plan { cold_start: HELD, ..Plan::default() }.asleep().await;
    let gateway = &stage.gateway;
    stage.webhook.will(Manner::Refuse(403));
    let before = counted(gateway, "ResumeFailed", "Warning").await;
    let refused = stage.client().send(http::Method::POST, "/v1/statement", "SELECT 1").await;
    assert_eq!(refused.unwrap().status, 503);
    let failed = row("Warning", "ResumeFailed", "a");
    until_told(gateway, "?type=Warning&routing_group=adhoc", &failed).await;
    let all = told(gateway, "?routing_group=adhoc").await;
    let at = |wanted: &[String; 3]| all.iter().position(|each| each == wanted).unwrap();
    let triggered = row("Normal", "ResumeTriggered", "a");
    assert!(at(&failed) < at(&triggered), "the newest first: {all:?}");
    let warnings = told(gateway, "?type=Warning").await;
    assert!(!warnings.contains(&triggered) && warnings.iter().all(|each| each[0] == "Warning"));
    assert_eq!(told(gateway, "?routing_group=none").await, [] as [[String; 3]; 0]);
    assert_eq!(counted(gateway, "ResumeFailed", "Warning").await, before + 1.0);
    stage.stop().await;
}

#[tokio::test]
async fn obs_L5_a_resume_that_succeeds_is_no_warning() {
    let stage = Plan { cold_start: HELD, ..Plan::default() }.asleep().await;
    assert_eq!(stage.client().rows("SELECT 1").await.len(), 1);
    until_told(&stage.gateway, "?type=Normal", &row("Normal", "ResumeSucceeded", "a")).await;
    let all = told(&stage.gateway, "").await;
    assert!(all.contains(&row("Normal", "BackendStateChanged", "a")), "{all:?}");
    assert_eq!(told(&stage.gateway, "?type=Warning").await.len(), 0, "{all:?}");
    stage.stop().await;
}

#[tokio::test]
async fn obs_L5_reloads_and_lost_backends_are_told() {
    let coordinator = trino::trino().await;
    let yaml = groups(&[coordinator.url()], "");
    let gateway = Gateway::start(&yaml).await;
    gateway.until_healthy(1).await;
    gateway.rewrite(&yaml.replace("adhoc", "etl"));
    assert_eq!(gateway.command("/admin/reload").await.0, 200);
    until_told(&gateway, "?type=Normal", &row("Normal", "ConfigReloaded", "")).await;
    gateway.rewrite("bogus: 1");
    assert_eq!(gateway.command("/admin/reload").await.0, 422);
    until_told(&gateway, "?type=Warning", &row("Warning", "ConfigRejected", "")).await;
    drop(coordinator);
    until_told(&gateway, "?routing_group=etl", &row("Warning", "BackendStateChanged", "a")).await;
    gateway.stop().await;
}

#[tokio::test]
async fn obs_L5_an_open_circuit_is_told() {
    let gateway = Gateway::start(&groups(&["http://127.0.0.1:1".to_owned()], "")).await;
    let backend = Arc::clone(&gateway.shared.current.load().backends["a"]);
    for _ in 0..10 {
        sluice::backends::passive::failed(&backend, sluice::metrics::UpstreamError::Refused);
    }
    until_told(&gateway, "?type=Warning", &row("Warning", "CircuitOpened", "a")).await;
    assert_eq!(counted(&gateway, "CircuitOpened", "Warning").await, 1.0, "told once");
    gateway.stop().await;
}

#[tokio::test]
async fn obs_L5_a_suspend_that_unreadable_counts_forbid_is_told() {
    let plan = Plan {
        cold_start: HELD,
        group: "suspend: { afterIdle: 200ms }",
        backend: ", stats: { user: sluice, passwordFile: /nonexistent }",
        ..Plan::default()
    };
    let login = Login::Password("x".to_owned());
    let sleeper = Sleeper::with(Options { ui_login: true, login, ..Options::default() });
    sleeper.wake().await;
    let stage = plan.with(&[&sleeper]).await;
    until_told(&stage.gateway, "", &row("Warning", "SuspendBlocked", "a")).await;
    assert_eq!(stage.webhook.suspends().len(), 0);
    stage.stop().await;
}

#[tokio::test]
async fn obs_L5_the_drain_is_told_while_the_gateway_leaves() {
    let settings = "drain: { wait: 20s, deadline: 1s }";
    let yaml = groups(&["http://127.0.0.1:1".to_owned()], "");
    let gateway = Gateway::start(&format!("{settings}\n{yaml}")).await;
    gateway.terminate();
    until_told(&gateway, "?type=Normal", &row("Normal", "Draining", "")).await;
    gateway.terminate();
    gateway.ended().await;
}

#[tokio::test]
async fn obs_L5_a_wrong_question_is_refused_in_words() {
    let gateway = Gateway::start(&groups(&["http://127.0.0.1:1".to_owned()], "")).await;
    for query in ["?type=Loud", "?type=normal", "?type=Normal&type=Warning"] {
        let (status, page) = gateway.asked(&format!("/api/v1/events{query}")).await;
        assert_eq!(status, 400, "{query}: {page}");
        assert!(page["error"].as_str().unwrap().contains("type"), "{query}: {page}");
    }
    let state = gateway.shared.current.load().backends["a"].state;
    assert_ne!(state, BackendState::Healthy);
    gateway.stop().await;
}
