//! What never wakes anybody: only a statement does (promise 5, peers X26).

use std::time::Duration;

use http::Method;
use sluice::snapshot::BackendState;

use super::{ENDLESS, HELD, SHORT};
use crate::harness::stage::{Plan, Stage};
use crate::harness::wait;
use crate::harness::webhook::Manner;

/// Shows that nothing was woken: long enough for a call that was on its way, and then one that is due.
async fn assert_quiet(stage: &Stage, when: &str) {
    wait::pass(Duration::from_millis(700)).await;
    assert_eq!(stage.webhook.resumes().len(), 0, "{when}");
    stage.assert_empty(when).await;
    assert_eq!(stage.client().rows("SELECT 1").await.len(), 1);
    assert_eq!(stage.webhook.resumes().len(), 1, "the driver works: a statement wakes");
}

#[tokio::test]
async fn peers_X26_nothing_but_a_statement_wakes() {
    let stage = Plan { cold_start: HELD, ..Plan::default() }.asleep().await;
    let client = stage.client();
    let old = "20260101_000000_00000_abcde";
    let polls = [
        format!("/v1/statement/queued/{old}/y{}/1", "0".repeat(40)),
        format!("/v1/statement/executing/{old}/y{}/1", "0".repeat(40)),
        format!("/v1/query/{old}"),
        format!("/ui/query.html?{old}"),
        format!("/_gateway/queries/{old}"),
    ];
    let plain = [
        (Method::HEAD, "/v1/statement", 200),
        (Method::GET, "/v1/info", 200),
        (Method::HEAD, "/v1/info", 200),
        (Method::GET, "/v1/info/state", 200),
        (Method::GET, "/v1/info/coordinator", 200),
    ];
    for (method, path, status) in plain {
        let answer = client.send(method.clone(), path, "").await.unwrap();
        assert_eq!(answer.status, status, "{method} {path}");
    }
    let login = client.clone().with("authorization", "Basic dGVzdDp4");
    assert_eq!(login.send(Method::HEAD, "/v1/statement", "").await.unwrap().status, 200);
    for path in ["/", "/ui", "/ui/", "/ui/api/stats", "/v1/query", "/v1/status", "/favicon.ico"] {
        client.get(path).await.unwrap();
    }
    for path in &polls {
        for method in [Method::GET, Method::HEAD, Method::DELETE] {
            client.send(method, path, "").await.unwrap();
        }
    }
    let kill = format!("CALL system.runtime.kill_query('{old}')");
    let killed = client.query(kill).await.unwrap();
    assert_eq!(killed.error_name(), Some("NOT_FOUND"), "as Trino says it");
    for path in ["/v1/node", "/v1/task/x", "/v1/info/state", "/admin"] {
        client.send(Method::PUT, path, "x").await.unwrap();
        client.send(Method::POST, path, "x").await.unwrap();
    }
    assert_quiet(&stage, "none of them is demand").await;
    stage.stop().await;
}

#[tokio::test]
async fn peers_X26_an_empty_or_anonymous_statement_gets_trinos_own_refusal_and_wakes_nobody() {
    let stage = Plan { cold_start: HELD, ..Plan::default() }.asleep().await;
    let empty = stage.client().send(Method::POST, "/v1/statement", "").await.unwrap();
    assert_eq!((empty.status.as_u16(), empty.text().contains("empty")), (400, true), "{empty:?}");
    let nobody = stage.client().without("x-trino-user");
    let answer = nobody.send(Method::POST, "/v1/statement", "SELECT 1").await.unwrap();
    assert_eq!(answer.status, 401, "{}", answer.text());
    let get = stage.client().get("/v1/statement").await.unwrap();
    assert_eq!(get.status, 405, "{}", get.text());
    assert_quiet(&stage, "no statement").await;
    stage.stop().await;
}

#[tokio::test]
async fn peers_X26_who_names_a_user_wakes() {
    for (name, value) in [
        ("x-trino-user", "alice"),
        ("x-trino-original-user", "alice"),
        ("authorization", "Basic YWxpY2U6"),
        ("x-presto-user", "alice"),
    ] {
        let stage = Plan { cold_start: HELD, ..Plan::default() }.asleep().await;
        let client = stage.client().without("x-trino-user").with(name, value);
        let done = client.query("SELECT 1").await.unwrap();
        assert_eq!((done.error_name(), done.rows.len()), (None, 1), "{name}");
        assert_eq!(stage.webhook.resumes().len(), 1, "{name}");
        stage.stop().await;
    }
}

#[tokio::test]
async fn peers_X26_an_oauth2_backend_is_woken_by_anonymous_statements_too() {
    let plan = Plan { cold_start: SHORT, backend: ", challenge: oauth2", ..Plan::default() };
    let stage = plan.asleep().await;
    stage.webhook.will(Manner::Accept);
    let client = stage.client().without("x-trino-user");
    let running = client.start("SELECT 1").await.unwrap();
    stage.webhook.until_resumes(1).await;
    assert_eq!(running.cancel().await.unwrap().status, 204);
    stage.stop().await;
}

#[tokio::test]
async fn peers_X26_a_page_of_an_own_ended_id_wakes_nobody() {
    let stage = Plan::default().awake().await;
    let mut running = stage.client().start(ENDLESS).await.unwrap();
    running.advance_until(|page| page.state == "RUNNING").await.unwrap();
    stage.sleeper.sleep().await;
    stage.until("a", BackendState::Sleeping).await;
    let client = stage.client();
    for path in [
        running.next_uri(),
        format!("/v1/query/{}", running.id()),
        format!("/ui/query.html?{}", running.id()),
    ] {
        for method in [Method::HEAD, Method::GET, Method::DELETE] {
            client.send(method, &path, "").await.unwrap();
        }
    }
    wait::pass(Duration::from_millis(700)).await;
    assert_eq!(stage.webhook.resumes().len(), 0);
    // The coordinator's next process proves the loss of what the last one had.
    stage.sleeper.wake().await;
    stage.stop().await;
}
