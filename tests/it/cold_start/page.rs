//! The synthetic page, field by field, and the page for people that its `infoUri` opens (trino-protocol.md 4.4, 4.5).

use http::Method;
use serde_json::{Value, json};

use super::SHORT;
use crate::harness::answer::Answer;
use crate::harness::stage::{Plan, Stage, is_synthetic};
use crate::harness::webhook::Manner;

/// The fields of `stats`, in Trino's order.
const STATS: [&str; 23] = [
    "state",
    "queued",
    "scheduled",
    "nodes",
    "totalSplits",
    "queuedSplits",
    "runningSplits",
    "completedSplits",
    "planningTimeMillis",
    "analysisTimeMillis",
    "cpuTimeMillis",
    "wallTimeMillis",
    "queuedTimeMillis",
    "elapsedTimeMillis",
    "finishingTimeMillis",
    "physicalInputTimeMillis",
    "processedRows",
    "processedBytes",
    "physicalInputBytes",
    "physicalWrittenBytes",
    "internalNetworkInputBytes",
    "peakMemoryBytes",
    "spilledBytes",
];

async fn waiting() -> Stage {
    let stage = Plan { cold_start: SHORT, ..Plan::default() }.asleep().await;
    stage.webhook.will(Manner::Accept);
    stage
}

/// The keys of an object as they stand in the text.
fn keys_in_order(text: &str, keys: &[&str]) -> bool {
    let places: Vec<_> = keys.iter().map(|key| text.find(&format!("\"{key}\":"))).collect();
    places.iter().all(Option::is_some) && places.is_sorted()
}

#[tokio::test]
async fn the_synthetic_page_has_the_shape_of_trinos_own() {
    let stage = waiting().await;
    let mut running = stage.queued("SELECT 1").await;
    for _ in 0..3 {
        let (json, answer) = (running.last().json.clone(), running.last().answer.clone());
        let (id, base) = (running.id().to_owned(), stage.gateway.url());
        assert_eq!(json["infoUri"], format!("{base}/_gateway/queries/{id}"));
        let next = running.next().unwrap();
        let slug = &next.slug;
        assert_eq!(next.uri, format!("{base}/v1/statement/queued/{id}/{slug}/{}", next.token));
        assert_eq!(json["warnings"], json!([]), "the CLI dies of warnings that do not come again");
        check_stats(&json["stats"]);
        let text = answer.text();
        let fields = ["id", "infoUri", "nextUri", "stats", "warnings"];
        assert_eq!(json.as_object().unwrap().len(), fields.len(), "{text}");
        assert!(keys_in_order(&text, &fields) && keys_in_order(&text, &STATS), "{text}");
        assert!(text.starts_with(&format!("{{\"id\":\"{id}\"")), "{text}");
        assert!(!text.contains("null"), "{text}");
        check_headers(&answer);
        running.advance().await.unwrap();
    }
    running.cancel().await.unwrap();
    stage.stop().await;
}

fn check_stats(stats: &Value) {
    let stats = stats.as_object().unwrap();
    assert_eq!(stats.len(), STATS.len(), "{stats:?}");
    assert_eq!((&stats["state"], &stats["queued"]), (&json!("QUEUED"), &json!(true)));
    assert_eq!(stats["scheduled"], false);
    for name in &STATS[3..] {
        let count = stats[*name].as_u64().unwrap_or_else(|| panic!("{name}: {stats:?}"));
        let is_time = matches!(*name, "queuedTimeMillis" | "elapsedTimeMillis");
        assert_eq!(count > 0, is_time, "{name}: {stats:?}");
    }
    assert_eq!(stats["queuedTimeMillis"], stats["elapsedTimeMillis"]);
    assert!(stats["elapsedTimeMillis"].as_u64() >= Some(200), "it was held before");
}

fn check_headers(answer: &Answer) {
    assert_eq!(answer.header("content-type"), "application/json");
    for name in ["x-request-id", "x-trace-id"] {
        assert!(answer.has(name), "{name}");
    }
    // Go fails on it, and no statement has set anything yet.
    assert!(!answer.headers.keys().any(|name| name.as_str().starts_with("x-trino-")));
}

#[tokio::test]
async fn synthetic_ids_keep_trinos_shape_and_their_tokens_are_secrets() {
    let stage = waiting().await;
    let (one, two) = (stage.queued("SELECT 1").await, stage.queued("SELECT 1").await);
    assert_ne!(one.id(), two.id());
    let mark = |id: &str| id.rsplit('_').next().map(str::to_owned);
    assert_eq!(mark(one.id()), mark(two.id()), "the suffix marks the replica");
    let slug = |running: &crate::harness::client::Running| running.next().unwrap().slug.clone();
    assert_ne!(slug(&one), slug(&two));
    // Another statement's token opens nothing.
    let crossed = one.next_uri().replace(&slug(&one), &slug(&two));
    assert_eq!(stage.client().get(&crossed).await.unwrap().status, 404);
    for running in [one, two] {
        running.cancel().await.unwrap();
    }
    stage.stop().await;
}

#[tokio::test]
async fn peers_L8_no_synthetic_page_holds_a_null() {
    let cold_start = "holdFor: 400ms, deadline: 1500ms";
    let more = "queries: { unmetLease: 1ms, linger: 1ms }";
    let stage = Plan { cold_start, more, ..Plan::default() }.asleep().await;
    stage.webhook.will(Manner::Accept);
    let mut texts = Vec::new();
    let client = stage.client();
    // Waiting, cancelled.
    let cancelled = stage.queued("SELECT 1").await;
    texts.push(cancelled.last().answer.text());
    cancelled.cancel().await.unwrap();
    texts.push(client.get(&cancelled.next_uri()).await.unwrap().text());
    // Killed, and the answer of the CALL.
    let mut killed = stage.queued("SELECT 1").await;
    let call = format!("CALL system.runtime.kill_query('{}', 'enough')", killed.id());
    let call = client.query(call).await.unwrap();
    texts.extend(call.pages.iter().map(|page| page.answer.text()));
    while killed.advance().await.unwrap() {}
    texts.extend(killed.done().pages.iter().map(|page| page.answer.text()));
    // Given up.
    let mut given_up = stage.queued("SELECT 1").await;
    while given_up.advance().await.unwrap() {}
    let given_up = given_up.done();
    assert!(given_up.error_name().is_some());
    texts.extend(given_up.pages.iter().map(|page| page.answer.text()));
    for text in texts {
        assert!(text.starts_with('{') && !text.contains("null"), "{text}");
    }
    stage.stop().await;
}

#[tokio::test]
async fn the_info_uri_opens_a_page_for_people_that_says_where_it_stands() {
    let stage = waiting().await;
    let running = stage.queued("SELECT 'a secret in SQL'").await;
    let info = running.last().json["infoUri"].as_str().unwrap().to_owned();
    let client = stage.client().with("accept", "text/html").without("x-trino-user");
    let answer = client.get(&info).await.unwrap();
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").starts_with("text/html"), "{answer:?}");
    let page = answer.text();
    assert!(page.contains("adhoc") && page.contains(running.id()), "{page}");
    let refreshes = answer.has("refresh")
        || page.to_lowercase().replace('"', "").contains("http-equiv=refresh");
    assert!(refreshes, "it refreshes itself: {page}");
    assert!(!page.to_lowercase().contains("<script"), "{page}");
    let slug = &running.next().unwrap().slug;
    assert!(!page.contains(slug.as_str()), "the page tells the token");
    assert!(!page.contains("a secret in SQL"), "the page tells the statement");
    // Trino's own page of the same id leads there.
    let ui = client.get(&format!("/ui/query.html?{}", running.id())).await.unwrap();
    assert!(ui.status.is_redirection(), "{ui:?}");
    let location = ui.header("location").to_owned();
    assert!(location.ends_with(&format!("/_gateway/queries/{}", running.id())), "{location}");
    let unknown = running.id().replace("_0", "_1");
    assert!(!is_synthetic(&unknown));
    for id in [unknown.as_str(), "x", "../admin"] {
        let answer = client.get(&format!("/_gateway/queries/{id}")).await.unwrap();
        assert_eq!(answer.status, 404, "{id}");
    }
    let wrong = client.send(Method::POST, &info, "x").await.unwrap();
    assert!(wrong.status.is_client_error(), "{wrong:?}");
    running.cancel().await.unwrap();
    stage.stop().await;
}
