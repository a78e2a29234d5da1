//! The statement protocol while all goes well: pages, tokens, slugs, waits.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;

use super::target::{LARGE, LONG, Target};
use crate::harness::client::Page;

pub(super) async fn first_page(target: Target) {
    let running = target.client().start("SELECT 1").await.unwrap();
    let page = running.last();
    let info = page.json["infoUri"].as_str().unwrap();
    let path = if target.is_new() { "/ui#/queries/" } else { "/ui/query.html?" };
    assert_eq!(info, format!("{}{path}{}", target.base, page.id));
    let next = page.next.as_ref().unwrap();
    assert_eq!(next.id, page.id);
    assert!(next.uri.starts_with(&format!("{}/v1/statement/queued/", target.base)));
    let stats = &page.json["stats"];
    assert_eq!((&stats["queued"], &stats["scheduled"]), (&true.into(), &false.into()));
    assert!(stats.get("progressPercentage").is_none() && stats.get("rootStage").is_none());
    assert_eq!(stats.get("planningTimeMillis").is_some(), target.is_new());
    assert_eq!(page.json["warnings"], serde_json::json!([]));
    let mut running = running;
    while running.advance().await.unwrap() {}
}

pub(super) async fn chain_of_a_query(target: Target) {
    let done = target.client().query("SELECT 1, 'a' AS b, NULL").await.unwrap();
    assert_eq!(done.rows, [serde_json::json!([1, "a", null])]);
    let columns = done.columns.as_ref().unwrap();
    let names: Vec<&str> =
        columns.as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["_col0", "b", "_col2"]);
    assert_eq!(
        (&columns[0]["type"], &columns[1]["type"]),
        (&"integer".into(), &"varchar(1)".into())
    );
    assert_eq!(columns[1]["typeSignature"]["arguments"][0]["value"], 1);
    for page in &done.pages {
        let Some(next) = &page.next else { continue };
        // A queued page knows nothing but QUEUED.
        assert!(!next.is_queued || page.state == "QUEUED", "{}", page.state);
        assert!(!next.is_queued || page.json.get("columns").is_none());
    }
    let last = done.last();
    assert_eq!(last.state, "FINISHED");
    for field in ["data", "partialCancelUri", "nextUri", "error"] {
        assert!(last.json.get(field).is_none(), "{field}");
    }
    assert!(last.json.get("columns").is_some());
    assert!(last.json["stats"]["rootStage"]["subStages"].is_array());
}

pub(super) async fn rows_of_many_pages(target: Target) {
    let done = target.client().query(LARGE).await.unwrap();
    assert_eq!(done.rows.len(), 30_000);
    let with_data = done.pages.iter().filter(|page| !page.rows().is_empty()).count();
    assert!(with_data >= 3, "{with_data} pages with data");
    let stage = |page: &&Page| page.json["stats"]["rootStage"].is_object();
    assert!(done.pages.iter().filter(stage).count() >= with_data);
}

pub(super) async fn every_token_has_its_slug(target: Target) {
    let client = target.client();
    let done = client.query(LARGE).await.unwrap();
    let nexts: Vec<_> = done.pages.iter().filter_map(|page| page.next.clone()).collect();
    let slugs: HashSet<&str> = nexts.iter().map(|next| next.slug.as_str()).collect();
    assert_eq!(slugs.len(), nexts.len());
    let last = nexts.last().unwrap();
    let wrong_slug = last.uri.replace(&last.slug, &format!("y{}", "0".repeat(40)));
    let answer = client.get(&wrong_slug).await.unwrap();
    target.assert_error(&answer, 404, "Query not found");
    let other_token = format!("{}/99", last.uri.rsplit_once('/').unwrap().0);
    let answer = client.get(&other_token).await.unwrap();
    target.assert_error(&answer, 404, "Query not found");
    let queued_slug = last.uri.replace("/executing/", "/queued/");
    let answer = client.get(&queued_slug).await.unwrap();
    target.assert_error(&answer, 404, "Query not found");
}

pub(super) async fn last_token_again(target: Target) {
    let client = target.client();
    let mut running = client.start(LARGE).await.unwrap();
    running.advance_until(|page| !page.rows().is_empty()).await.unwrap();
    let fetched = running.asked().to_owned();
    let again = client.get(&fetched).await.unwrap();
    assert_eq!(again.raw, running.last().answer.raw, "the same page, byte by byte");
    // Without a user, from another host: the page was made for the first request.
    let stranger = client.clone().without("x-trino-user").with("host", "other.example.com");
    let again = stranger.get(&fetched).await.unwrap();
    assert_eq!(again.raw, running.last().answer.raw);
    while running.advance().await.unwrap() {}
    assert_eq!(running.done().rows.len(), 30_000);
}

pub(super) async fn older_tokens(target: Target) {
    let client = target.client();
    let done = client.query(LARGE).await.unwrap();
    let nexts: Vec<_> = done.pages.iter().filter_map(|page| page.next.clone()).collect();
    let (queued, executing): (Vec<_>, Vec<_>) = nexts.into_iter().partition(|next| next.is_queued);
    let answer = client.get(&executing[0].uri).await.unwrap();
    target.assert_error(&answer, 410, "HTTP 410 Gone");
    if let [first, .., _] = queued.as_slice() {
        let answer = client.get(&first.uri).await.unwrap();
        target.assert_error(&answer, 410, "Invalid token");
    }
    // The latest queued token leads on to the executing ones for ever.
    let answer = client.get(&queued.last().unwrap().uri).await.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json().unwrap()["nextUri"], executing[0].uri.as_str());
}

pub(super) async fn final_page_again(target: Target) {
    let client = target.client();
    let done = client.query("SELECT 1").await.unwrap();
    let asked = done.pages[done.pages.len() - 2].next.as_ref().unwrap();
    for _ in 0..2 {
        let again = client.get(&asked.uri).await.unwrap();
        assert_eq!(again.raw, done.last().answer.raw);
    }
}

pub(super) async fn long_poll(target: Target) {
    let mut running = target.client().start(LONG).await.unwrap();
    running.advance_until(|page| page.state == "RUNNING").await.unwrap();
    // The plan may still be moving in the first polls.
    for _ in 0..3 {
        running.advance().await.unwrap();
    }
    let started = Instant::now();
    running.advance().await.unwrap();
    let took = started.elapsed();
    let expected = Duration::from_millis(900)..Duration::from_millis(2500);
    assert!(expected.contains(&took), "an empty poll took {took:?}");
    assert!(running.last().rows().is_empty());
    assert_eq!(running.cancel().await.unwrap().status, 204);
}

pub(super) async fn long_poll_of_a_finished_query(target: Target) {
    let started = Instant::now();
    target.client().query("SELECT 1").await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(3));
}

pub(super) async fn statement_without_rows(target: Target) {
    let done =
        target.client().query("CREATE SCHEMA IF NOT EXISTS memory.conformance").await.unwrap();
    assert_eq!(done.error_name(), None);
    assert_eq!(done.last().json["updateType"], "CREATE SCHEMA");
    assert!(done.rows.is_empty());
    assert!(done.last().json.get("updateCount").is_none());
    assert!(done.last().json["stats"].get("rootStage").is_none());
}

pub(super) async fn written_rows(target: Target) {
    let client = target.client();
    client.query("DROP TABLE IF EXISTS memory.default.conformance").await.unwrap();
    let created = client
        .query("CREATE TABLE memory.default.conformance AS SELECT 1 AS a UNION ALL SELECT 2 /* sim: rows=2 */")
        .await
        .unwrap();
    assert_eq!(created.last().json["updateType"], "CREATE TABLE");
    assert_eq!(created.last().json["updateCount"], 2);
    assert_eq!(created.rows, [serde_json::json!([2])]);
    assert_eq!(created.columns.unwrap()[0]["name"], "rows");
    let dropped = client.query("DROP TABLE memory.default.conformance").await.unwrap();
    assert_eq!(dropped.last().json["updateType"], "DROP TABLE");
}
