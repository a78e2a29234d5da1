//! The rare ends: each is told once, as what it was, and no client fills the memory with what it calls itself.

use http::Method;
use serde_json::{Value, json};

use super::audit::{lines, place, started};
use crate::harness::{
    canned::{self, Canned},
    gateway::{Gateway, groups},
    raw::{Raw, post},
    stage::Plan,
    trino, wait,
    webhook::Manner,
};

async fn counted(gateway: &Gateway, status: &str) -> f64 {
    let series = format!(
        r#"gateway_queries_total{{routing_group="adhoc",statement_type="query",status="{status}"}}"#
    );
    gateway.metric(&series).await
}

fn leaked(yaml: String) -> &'static str {
    Box::leak(yaml.into_boxed_str())
}

#[tokio::test]
async fn a_client_that_leaves_before_its_first_answer_is_told_as_canceled() {
    let coordinator = trino::trino().await;
    let (_folder, path, yaml) = place("");
    let gateway = started(&yaml, &coordinator.url()).await;
    let mut raw = Raw::to(gateway.addresses.data).await;
    raw.send(post("", "SELECT 1 /* sim: ending=stall at=post */")).await;
    wait::until("it is with its coordinator", || coordinator.counts().statements == 1).await;
    drop(raw);
    let told = lines(&path, 1).await.remove(0);
    assert_eq!((&told["status"], &told["http_status"]), (&"canceled".into(), &499.into()));
    assert_eq!((&told["routing_group"], &told["query_id"]), (&"adhoc".into(), &Value::Null));
    assert_eq!(counted(&gateway, "canceled").await, 1.0);
    gateway.stop().await;
    lines(&path, 1).await;
}

#[tokio::test]
async fn an_answer_without_an_id_is_told_as_rejected() {
    let trino = Canned::start(|_| canned::page("{}")).await;
    let (_folder, path, yaml) = place("");
    let gateway = started(&yaml, &trino.url()).await;
    gateway.client().send(Method::POST, "/v1/statement", "SELECT 1").await.unwrap();
    let told = lines(&path, 1).await.remove(0);
    assert_eq!((&told["status"], &told["backend"]), (&"rejected".into(), &"a".into()));
    assert_eq!((counted(&gateway, "rejected").await, gateway.in_flight()), (1.0, 0));
    gateway.stop().await;
}

#[tokio::test]
async fn a_wait_that_was_too_long_is_told_as_rejected() {
    let (_folder, path, yaml) = place("");
    let plan =
        Plan { more: leaked(yaml), cold_start: "mode: hold, holdFor: 300ms", ..Plan::default() };
    let stage = plan.asleep().await;
    stage.webhook.will(Manner::Accept);
    let answer = stage.client().send(Method::POST, "/v1/statement", "SELECT 1").await.unwrap();
    assert_eq!(answer.status, 503);
    let told = lines(&path, 1).await.remove(0);
    assert_eq!((&told["status"], &told["http_status"]), (&"rejected".into(), &503.into()));
    assert!(told["resume_waited_ms"].as_u64().unwrap() >= 100, "{told}");
    let wait = r#"gateway_resume_wait_seconds_count{outcome="timeout",routing_group="adhoc"}"#;
    assert_eq!(stage.gateway.metric(wait).await, 1.0);
    stage.stop().await;
}

#[tokio::test]
async fn a_kill_that_nobody_can_do_is_told_as_one_and_is_no_demand() {
    let (_folder, path, yaml) = place("");
    let gateway = Gateway::start(&(yaml + &groups(&["http://127.0.0.1:1".to_owned()], ""))).await;
    let sql = "CALL system.runtime.kill_query('20241030_150409_00000_zhg55', 'geheim')";
    let done = gateway.client().query(sql).await.unwrap();
    assert_eq!(done.error_name(), Some("NOT_FOUND"));
    let told = lines(&path, 1).await.remove(0);
    assert_eq!((&told["status"], &told["error_name"]), (&"error".into(), &"NOT_FOUND".into()));
    let demand = r#"gateway_demand{routing_group="adhoc"}"#;
    assert_eq!(gateway.metric(demand).await, 0.0);
    for series in [
        r#"gateway_errors_total{operation="query_kill",type="capacity"}"#,
        r#"gateway_queries_total{routing_group="adhoc",statement_type="utility",status="rejected"}"#,
    ] {
        assert_eq!(gateway.metric(series).await, 0.0, "{series}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn the_words_of_a_kill_are_for_the_killed_only() {
    let (_folder, path, yaml) = place("");
    let plan = Plan { more: leaked(yaml), cold_start: "holdFor: 200ms", ..Plan::default() };
    let stage = plan.asleep().await;
    stage.webhook.close();
    let mut waiting = stage.queued("SELECT 1").await;
    let call = format!("CALL system.runtime.kill_query('{}', 'geheim')", waiting.id());
    stage.client().query(call).await.unwrap();
    while waiting.advance().await.unwrap() {}
    let message = waiting.last().json["error"]["message"].to_string();
    assert!(message.contains("geheim"), "{message}");
    lines(&path, 2).await;
    let url = format!("http://{}/api/v1/queries", stage.gateway.addresses.admin);
    let told = reqwest::get(url).await.unwrap().text().await.unwrap();
    assert!(told.contains("killed") && !told.contains("geheim"), "{told}");
    stage.stop().await;
}

#[tokio::test]
async fn what_a_client_calls_itself_is_cut() {
    let coordinator = trino::trino().await;
    let (_folder, path, yaml) = place("");
    let gateway = started(&yaml, &coordinator.url()).await;
    let long = "é".repeat(50_000);
    let client = gateway.client().with("x-trino-source", &"s".repeat(3_000));
    client.with("x-trino-user", &"u".repeat(3_000)).query("SELECT 1").await.unwrap();
    let told = lines(&path, 1).await.remove(0);
    for key in ["source", "username"] {
        assert_eq!(told[key].as_str().unwrap().len(), 256, "{key}");
    }
    assert_eq!(sluice::queries::story::cut(&long).len(), 256, "between two letters");
    let seen = coordinator.seen();
    let sent = seen.iter().find(|seen| seen.path == "/v1/statement").unwrap();
    assert_eq!(sent.headers["x-trino-user"].len(), 3_000, "the coordinator hears all of it");
    gateway.stop().await;
}

#[tokio::test]
async fn the_level_of_the_log_takes_no_slip_and_stays_over_a_reload() {
    let coordinator = trino::trino().await;
    let gateway = Gateway::before(&[&coordinator]).await;
    let url = format!("http://{}/admin/log-level", gateway.addresses.admin);
    let say = async |level: &str| {
        let body = json!({ "level": level });
        let answer = reqwest::Client::new().post(&url).json(&body).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json::<Value>().await.unwrap())
    };
    assert_eq!(say("wran").await.0, 400);
    assert_eq!(say("debug, sluice=trace").await.0, 400);
    assert_eq!(say("debug").await, (200, json!({ "level": "debug" })));
    assert_eq!(gateway.command("/admin/reload").await.0, 200);
    let now: Value = reqwest::get(&url).await.unwrap().json().await.unwrap();
    assert_eq!(now["level"], "debug");
    let wrong = format!("http://{}/api/v1/queries?limit=x", gateway.addresses.admin);
    let refused = reqwest::get(wrong).await.unwrap();
    assert_eq!(refused.status(), 400);
    assert!(refused.json::<Value>().await.unwrap()["error"].is_string());
    gateway.stop().await;
}
