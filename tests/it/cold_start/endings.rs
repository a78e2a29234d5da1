//! Every way in which a waiting statement can end: told in words, and nothing is left (peers L4).

use std::time::Duration;

use http::Method;
use tokio::time::Instant;

use super::{HELD, SHORT};
use crate::harness::client::Running;
use crate::harness::gateway::{Gateway, groups};
use crate::harness::raw::{Raw, post};
use crate::harness::stage::{Plan, Stage, is_synthetic};
use crate::harness::webhook::Manner;
use crate::harness::{trino, wait};

async fn waiting() -> Stage {
    let stage = Plan { cold_start: SHORT, ..Plan::default() }.asleep().await;
    stage.webhook.will(Manner::Accept);
    stage
}

/// Follows a statement to its FAILED page and gives its message.
async fn failed(running: &mut Running) -> String {
    while running.advance().await.unwrap() {}
    let page = running.last();
    assert_eq!(page.state, "FAILED", "{:?}", page.json);
    page.json["error"]["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn peers_L4_no_ending_of_a_dispatch_leaks() {
    let stage = waiting().await;
    stage.sleeper.wake().await;
    stage.until("a", sluice::snapshot::BackendState::Healthy).await;
    for status in [400, 401, 403, 404, 429, 500] {
        let sql = format!("SELECT 1 /* sim: at=post ending=status:{status} */");
        let broken = stage.client().start(sql).await.unwrap_err();
        assert_eq!(broken.status(), Some(status));
        stage.assert_empty(&format!("status {status}")).await;
    }
    for name in ["SYNTAX_ERROR", "EXCEEDED_TIME_LIMIT", "GENERIC_INTERNAL_ERROR"] {
        let sql = format!("SELECT 1 /* sim: at=queued ending=fail:{name} */");
        assert_eq!(stage.client().query(sql).await.unwrap().error_name(), Some(name));
        stage.assert_empty(name).await;
    }
    stage.stop().await;
}

#[tokio::test]
async fn peers_X3_404_and_410_behind_the_hand_over_leave_no_ghost() {
    for gone in [404, 410] {
        let stage = waiting().await;
        let sql = format!("SELECT 1 /* sim: at=0 ending=status:{gone} */");
        let mut running = stage.queued(&sql).await;
        stage.sleeper.wake().await;
        let told = loop {
            match running.advance().await {
                Ok(true) => {}
                Ok(false) => panic!("it ended well: {:?}", running.last()),
                Err(broken) => break broken,
            }
        };
        assert_eq!(told.status(), Some(gone));
        stage.assert_empty(&format!("a {gone} to the latest nextUri")).await;
        stage.stop().await;
    }
}

#[tokio::test]
async fn peers_L4_no_ending_of_a_wait_leaks() {
    let stage = waiting().await;
    // By its URI, by its id, by a kill.
    stage.queued("SELECT 1").await.cancel().await.unwrap();
    stage.assert_empty("a cancel").await;
    let running = stage.queued("SELECT 1").await;
    let path = format!("/v1/query/{}", running.id());
    stage.client().send(Method::DELETE, &path, "").await.unwrap();
    stage.assert_empty("a cancel by id").await;
    let running = stage.queued("SELECT 1").await;
    let call = format!("CALL system.runtime.kill_query('{}')", running.id());
    stage.client().query(call).await.unwrap();
    stage.assert_empty("a kill").await;
    // A client that leaves before its first answer, in the midst of its request, and behind it.
    let mut raw = Raw::to(stage.gateway.addresses.data).await;
    raw.send(post("", "SELECT 1")).await;
    wait::until("it is held", || stage.gateway.in_flight() == 1).await;
    drop(raw);
    stage.gateway.until_idle().await;
    stage.assert_empty("its client left").await;
    let series =
        r#"gateway_queries_total{routing_group="adhoc",statement_type="query",status="canceled"}"#;
    assert!(stage.gateway.metric(series).await >= 2.0, "at least the two cancels");
    stage.stop().await;
}

#[tokio::test]
async fn a_waiting_statement_that_nobody_polls_is_given_up() {
    let more = "queries: { abandonAfter: 700ms }";
    let stage = Plan { cold_start: SHORT, more, ..Plan::default() }.asleep().await;
    stage.webhook.will(Manner::Accept);
    let running = stage.queued("SELECT 1").await;
    stage.gateway.until_idle().await;
    stage.assert_empty("nobody came back").await;
    let page = stage.client().get(&running.next_uri()).await.unwrap();
    assert!(matches!(page.status.as_u16(), 200 | 404 | 410), "{page:?}");
    stage.stop().await;
}

#[tokio::test]
async fn a_reload_that_removes_the_group_tells_its_waiting_statements() {
    let stage = waiting().await;
    let mut running = stage.queued("SELECT 1").await;
    let other = trino::trino().await;
    let others =
        groups(&[other.url()], "").replace("adhoc", "other").replace("name: a,", "name: z,");
    stage.gateway.rewrite(&others);
    let (status, words) = stage.gateway.command("/admin/reload").await;
    assert_eq!(status, 200, "{words}");
    let message = failed(&mut running).await;
    assert!(message.contains("adhoc"), "it names the group: {message}");
    stage.gateway.until_idle().await;
    stage.gateway.until_healthy(1).await;
    let done = stage.gateway.client().query("SELECT 1").await.unwrap();
    assert_eq!(done.rows.len(), 1, "the other group works");
    stage.gateway.stop().await;
}

#[tokio::test]
async fn a_reload_that_removes_the_group_answers_held_statements_too() {
    let stage = Plan { cold_start: HELD, ..Plan::default() }.asleep().await;
    stage.webhook.will(Manner::Accept);
    let held = stage.held(&stage.client(), "SELECT 1").await;
    let other = trino::trino().await;
    let others =
        groups(&[other.url()], "").replace("adhoc", "other").replace("name: a,", "name: z,");
    stage.gateway.rewrite(&others);
    assert_eq!(stage.gateway.command("/admin/reload").await.0, 200);
    let told = held.answer().await.unwrap_err();
    assert!(matches!(told.status(), Some(404 | 503)), "{told}");
    assert!(told.to_string().contains("adhoc"), "{told}");
    stage.gateway.stop().await;
}

#[tokio::test]
async fn a_reload_that_keeps_the_group_keeps_its_waiting_statements() {
    let stage = waiting().await;
    let mut running = stage.queued("SELECT 1").await;
    let (status, words) = stage.gateway.command("/admin/reload").await;
    assert_eq!(status, 200, "{words}");
    assert!(running.advance().await.unwrap());
    stage.sleeper.wake().await;
    while running.advance().await.unwrap() {}
    assert_eq!(running.done().rows.len(), 1);
    stage.stop().await;
}

#[tokio::test]
async fn a_gateway_that_stops_with_a_full_room_says_so_and_nothing_hangs() {
    let more = "drain: { wait: 1s, deadline: 10s }";
    let stage = Plan { cold_start: SHORT, more, ..Plan::default() }.asleep().await;
    stage.webhook.will(Manner::Accept);
    let mut polling = Vec::new();
    for _ in 0..5 {
        let mut running = stage.queued("SELECT 1").await;
        polling.push(tokio::spawn(async move {
            let message = failed(&mut running).await;
            (message, running.done())
        }));
    }
    let begun = Instant::now();
    stage.gateway.terminate();
    for each in polling {
        let (message, done) = each.await.unwrap();
        assert!(message.contains("stop") || message.contains("shut"), "{message}");
        assert!(is_synthetic(done.id()));
    }
    stage.gateway.ended().await;
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_gateway_that_stops_answers_what_it_holds() {
    let stage = Plan { cold_start: HELD, ..Plan::default() }.asleep().await;
    stage.webhook.will(Manner::Accept);
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(stage.held(&stage.client(), "SELECT 1").await);
    }
    stage.gateway.terminate();
    for each in held {
        let told = each.answer().await.unwrap_err();
        assert_eq!(told.status(), Some(503), "{told}");
    }
    stage.gateway.ended().await;
}

#[tokio::test]
async fn a_statement_that_comes_while_it_stops_does_not_wait() {
    let more = "drain: { wait: 3s, deadline: 10s }";
    let stage = Plan { cold_start: HELD, more, ..Plan::default() }.asleep().await;
    stage.webhook.will(Manner::Accept);
    stage.gateway.terminate();
    wait::until_async("it drains", async || stage.gateway.health("/readyz").await.0 == 503).await;
    let answer = stage.client().send(Method::POST, "/v1/statement", "SELECT 1").await.unwrap();
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert_eq!(answer.header("x-gateway-reason"), "stopping", "{}", answer.text());
    stage.gateway.ended().await;
}

#[tokio::test]
async fn an_id_that_a_restart_has_lost_is_told_in_a_failed_page() {
    let stage = waiting().await;
    let mut running = stage.queued("SELECT 1").await;
    // Another process behind the same name knows nothing of it.
    let other: Gateway = Gateway::start("routingGroups:\n  - name: adhoc\n    backends:\n      - { name: a, url: \"http://127.0.0.1:1\", resume: { external: {} } }\n").await;
    let path = running.next_uri().replace(&stage.gateway.url(), "");
    let answer = other.client().get(&path).await.unwrap();
    assert_eq!(answer.status, 200, "404 reads badly in every client: {}", answer.text());
    let page = answer.json().unwrap();
    assert_eq!((&page["id"], &page["stats"]["state"]), (&running.id().into(), &"FAILED".into()));
    assert!(page.get("nextUri").is_none(), "{page}");
    let message = page["error"]["message"].as_str().unwrap();
    assert!(message.contains("stopped") || message.contains("restart"), "{message}");
    assert!(!answer.text().contains("null"), "{}", answer.text());
    let head = other.client().send(Method::HEAD, &path, "").await.unwrap();
    assert!(matches!(head.status.as_u16(), 200 | 404), "{head:?}");
    let delete = other.client().send(Method::DELETE, &path, "").await.unwrap();
    assert_eq!(delete.status, 204, "there is nothing left to cancel");
    other.stop().await;
    assert!(running.advance().await.unwrap(), "its own gateway still has it");
    running.cancel().await.unwrap();
    stage.stop().await;
}
