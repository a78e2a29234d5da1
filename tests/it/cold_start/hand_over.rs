//! From the synthetic page to Trino's own: rows, the real id, and the first id that lives on as its alias.

use http::Method;
use sluice::snapshot::BackendState;

use super::{ENDLESS, HELD, SHORT};
use crate::harness::client::Running;
use crate::harness::stage::{Plan, Stage, is_synthetic};
use crate::harness::webhook::Manner;

/// A query that waited and now runs: its first id, and the query under its real one.
async fn handed_over(stage: &Stage, sql: &str) -> (String, Running) {
    let (first, _, running) = handed_over_at(stage, sql).await;
    (first, running)
}

/// The same with the `nextUri` whose answer was the real page.
async fn handed_over_at(stage: &Stage, sql: &str) -> (String, String, Running) {
    stage.webhook.will(Manner::Accept);
    let mut running = stage.queued(sql).await;
    let first = running.id().to_owned();
    stage.sleeper.wake().await;
    running.advance_until(|page| !is_synthetic(&page.id)).await.unwrap();
    let at = running.asked().to_owned();
    running.advance_until(|page| page.state == "RUNNING").await.unwrap();
    (first, at, running)
}

async fn short() -> Stage {
    Plan { cold_start: SHORT, ..Plan::default() }.asleep().await
}

#[tokio::test]
async fn the_rows_come_under_the_real_id_and_the_statement_as_it_was_sent() {
    let stage = short().await;
    let client = stage
        .client()
        .with("x-trino-catalog", "tpch")
        .with("x-trino-session", "a=1")
        .and("x-trino-session", "b=2")
        .with("x-trino-client-tags", "one,two")
        .with("authorization", "Basic dGVzdDo=");
    let sql = "SELECT * FROM sim.rows(3000) /* sim: queued=2 */";
    stage.webhook.will(Manner::Accept);
    let mut running = client.start(sql).await.unwrap();
    assert!(is_synthetic(running.id()));
    stage.sleeper.wake().await;
    while running.advance().await.unwrap() {}
    let done = running.done();
    assert_eq!((done.error_name(), done.rows.len()), (None, 3000));
    assert!(!is_synthetic(done.id()));
    let sent = stage.sleeper.statements();
    let [sent] = sent.as_slice() else { panic!("{sent:?}") };
    assert_eq!(sent.text(), sql);
    let sessions: Vec<_> = sent.headers.get_all("x-trino-session").iter().collect();
    assert_eq!(sessions, ["a=1", "b=2"], "lines as they came");
    for (name, value) in [
        ("x-trino-user", "test"),
        ("x-trino-catalog", "tpch"),
        ("x-trino-client-tags", "one,two"),
        ("authorization", "Basic dGVzdDo="),
    ] {
        assert_eq!(sent.header(name), Some(value), "{name}");
    }
    stage.stop().await;
}

#[tokio::test]
async fn the_last_phase_of_a_cold_start_ends_with_its_first_answer() {
    let stage = short().await;
    stage.webhook.will(Manner::Accept);
    let phase =
        r#"gateway_cold_start_phase_seconds_count{phase="first_byte",routing_group="adhoc"}"#;
    assert_eq!(stage.gateway.metric(phase).await, 0.0);
    let mut waiting = Vec::new();
    for _ in 0..3 {
        waiting.push(stage.queued("SELECT 1").await);
    }
    stage.sleeper.wake().await;
    for mut running in waiting {
        while running.advance().await.unwrap() {}
    }
    assert_eq!(stage.gateway.metric(phase).await, 1.0, "once for each cold start");
    stage.client().query("SELECT 1").await.unwrap();
    assert_eq!(stage.gateway.metric(phase).await, 1.0, "a warm statement is none");
    stage.stop().await;
}

#[tokio::test]
async fn the_first_id_is_an_alias_for_what_is_known_of_the_query() {
    let stage = short().await;
    let (first, running) = handed_over(&stage, ENDLESS).await;
    let client = stage.client();
    let known = client.get(&format!("/v1/query/{first}")).await.unwrap();
    assert_eq!(known.status, 200, "{}", known.text());
    assert_eq!(known.json().unwrap()["queryId"], running.id());
    running.cancel().await.unwrap();
    stage.stop().await;
}

#[tokio::test]
async fn the_first_id_leads_a_browser_to_the_query_s_own_page() {
    for path in ["/_gateway/queries/", "/ui/query.html?"] {
        let stage = short().await;
        let (first, running) = handed_over(&stage, ENDLESS).await;
        // Trino 483's page of a query; older ones have it under `/ui/query.html?`.
        let own = format!("/ui/#/queries/{}", running.id());
        let mut at = format!("{path}{first}");
        // It may go by way of the gateway's own page that knows the query's coordinator.
        for _ in 0..3 {
            let page = stage.client().get(&at).await.unwrap();
            assert!(page.status.is_redirection(), "{at}: {page:?}");
            page.header("location").clone_into(&mut at);
            if at.contains(&own) {
                break;
            }
        }
        assert!(at.contains(&own), "{path}: {at}");
        running.cancel().await.unwrap();
        stage.stop().await;
    }
}

#[tokio::test]
async fn the_first_id_is_an_alias_for_the_consoles_own_calls() {
    let stage = short().await;
    let (first, mut running) = handed_over(&stage, ENDLESS).await;
    let path = format!("/ui/api/query/{first}");
    let known = stage.client().get(&path).await.unwrap();
    assert_eq!(known.status, 200, "{path}: {}", known.text());
    assert_eq!(known.json().unwrap()["queryId"], running.id(), "{path}");
    let path = format!("{path}/killed");
    let killed = stage.client().send(Method::PUT, &path, "enough").await.unwrap();
    assert_eq!(killed.status, 202, "{path}: {}", killed.text());
    while running.advance().await.unwrap() {}
    assert_eq!(running.done().error_name(), Some("ADMINISTRATIVELY_KILLED"));
    stage.stop().await;
}

#[tokio::test]
async fn the_late_poll_of_the_first_id_gets_the_real_page_again() {
    let stage = short().await;
    stage.webhook.will(Manner::Accept);
    let mut running = stage.queued("SELECT 1 /* sim: queued=1s */").await;
    stage.sleeper.wake().await;
    running.advance_until(|page| !is_synthetic(&page.id)).await.unwrap();
    let late = running.asked().to_owned();
    let again = stage.client().get(&late).await.unwrap();
    assert_eq!(again.status, 200, "its answer may have been lost: {}", again.text());
    let again = again.json().unwrap();
    assert_eq!(again["id"], running.id());
    assert!(again["nextUri"].is_string(), "{again}");
    assert_eq!(stage.sleeper.counts().statements, 1, "not dispatched twice");
    while running.advance().await.unwrap() {}
    assert_eq!(running.done().rows.len(), 1);
    stage.stop().await;
}

#[tokio::test]
async fn a_cancel_by_the_first_id_reaches_the_query() {
    for by_uri in [true, false] {
        let stage = short().await;
        let (first, at, running) = handed_over_at(&stage, ENDLESS).await;
        let (client, real) = (stage.client(), running.id().to_owned());
        let target = if by_uri { at } else { format!("/v1/query/{first}") };
        assert!(target.contains(&first));
        let answer = client.send(Method::DELETE, &target, "").await.unwrap();
        assert_eq!(answer.status, 204, "{target}");
        assert_eq!(stage.sleeper.simulator().state_of(&real), Some("FAILED"));
        stage.assert_empty("after the cancel").await;
        stage.stop().await;
    }
}

#[tokio::test]
async fn a_kill_by_the_first_id_reaches_the_query() {
    for call in [
        "CALL system.runtime.kill_query('ID', 'enough')",
        "CALL system.runtime.kill_query(message => 'enough', query_id => 'ID')",
    ] {
        let stage = short().await;
        let (first, mut running) = handed_over(&stage, ENDLESS).await;
        let killed = stage.client().query(call.replace("ID", &first)).await.unwrap();
        assert_eq!(killed.error_name(), None, "{:?}", killed.last().json);
        while running.advance().await.unwrap() {}
        assert_eq!(running.done().error_name(), Some("ADMINISTRATIVELY_KILLED"));
        let sent = stage.sleeper.statements().last().unwrap().text();
        assert!(!sent.contains(&first), "the alias gives way to the real id: {sent}");
        stage.stop().await;
    }
}

#[tokio::test]
async fn a_401_at_the_hand_over_passes_and_other_credentials_go_on() {
    let stage = short().await;
    stage.webhook.will(Manner::Accept);
    let old = stage.client().with("authorization", "Bearer old");
    let mut running =
        old.start("SELECT 1 /* sim: at=post ending=status:401 times=1 */").await.unwrap();
    assert!(is_synthetic(running.id()));
    stage.sleeper.wake().await;
    let refused = loop {
        match running.advance().await {
            Ok(_) => assert!(is_synthetic(running.id())),
            Err(broken) => break broken,
        }
    };
    assert_eq!(refused.status(), Some(401));
    assert_eq!(stage.gauge("").await, 1.0, "it may come back with better credentials");
    let new = stage.client().with("authorization", "Bearer new");
    let page = new.get(&running.next_uri()).await.unwrap();
    assert_eq!(page.status, 200, "{}", page.text());
    let page = page.json().unwrap();
    assert!(!is_synthetic(page["id"].as_str().unwrap()), "{page}");
    let sent = stage.sleeper.statements();
    let sent: Vec<_> = sent.iter().filter_map(|sent| sent.header("authorization")).collect();
    assert_eq!(sent, ["Bearer old", "Bearer new"], "each poll speaks for itself");
    let next = page["nextUri"].as_str().unwrap().to_owned();
    assert_eq!(new.send(Method::DELETE, &next, "").await.unwrap().status, 204);
    stage.stop().await;
}

#[tokio::test]
async fn the_credentials_of_the_poll_are_those_of_the_hand_over() {
    let stage = short().await;
    stage.webhook.will(Manner::Accept);
    let old = stage.client().with("authorization", "Bearer old");
    let running = old.start("SELECT 1").await.unwrap();
    stage.sleeper.wake().await;
    stage.until("a", BackendState::Healthy).await;
    let new = stage.client().with("authorization", "Bearer new");
    let page = new.get(&running.next_uri()).await.unwrap().json().unwrap();
    assert_eq!(stage.sleeper.statements()[0].header("authorization"), Some("Bearer new"));
    let next = page["nextUri"].as_str().unwrap().to_owned();
    assert_eq!(new.send(Method::DELETE, &next, "").await.unwrap().status, 204);
    stage.stop().await;
}

#[tokio::test]
async fn a_poll_that_names_nobody_or_somebody_else_changes_nothing() {
    let stage = short().await;
    stage.webhook.will(Manner::Accept);
    let own = stage.user("alice").with("authorization", "Bearer own");
    let running = own.start("SELECT 1").await.unwrap();
    stage.sleeper.wake().await;
    stage.until("a", BackendState::Healthy).await;
    let other = stage.user("mallory").with("x-trino-catalog", "other");
    let page = other.get(&running.next_uri()).await.unwrap().json().unwrap();
    let sent = stage.sleeper.statements();
    let told =
        ["x-trino-user", "authorization", "x-trino-catalog"].map(|name| sent[0].header(name));
    assert_eq!(told, [Some("alice"), Some("Bearer own"), None], "its own words, not the poll's");
    let next = page["nextUri"].as_str().unwrap().to_owned();
    assert_eq!(own.send(Method::DELETE, &next, "").await.unwrap().status, 204);
    stage.stop().await;
}

#[tokio::test]
async fn a_refusal_at_the_hand_over_passes_and_ends_it() {
    for status in [400, 403, 429] {
        let stage = short().await;
        stage.webhook.will(Manner::Accept);
        let sql = format!("SELECT 1 /* sim: at=post ending=status:{status} */");
        let mut running = stage.queued(&sql).await;
        stage.sleeper.wake().await;
        let refused = loop {
            match running.advance().await {
                Ok(_) => assert!(is_synthetic(running.id())),
                Err(broken) => break broken,
            }
        };
        assert_eq!(refused.status(), Some(status), "{refused}");
        stage.gateway.until_idle().await;
        stage.assert_empty("after a refusal").await;
        stage.stop().await;
    }
}

#[tokio::test]
async fn a_post_that_was_held_long_enough_has_one_id_only() {
    let stage = Plan { cold_start: HELD, ..Plan::default() }.asleep().await;
    // A held POST goes straight to its rows, under one id.
    let done = stage.gateway.client().query("SELECT 1").await.unwrap();
    assert!(!is_synthetic(&done.pages[0].id), "nothing synthetic was needed");
    stage.stop().await;
}
