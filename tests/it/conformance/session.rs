//! What a client carries from statement to statement, and spooled results.

use super::target::{LARGE, Target};
use crate::harness::client::Done;

async fn run(target: &Target, headers: &[(&str, &str)], sql: &str) -> Done {
    let mut client = target.client();
    for (name, value) in headers {
        client = client.with(name, value);
    }
    client.query(sql.to_owned()).await.unwrap()
}

pub(super) async fn set_and_reset(target: Target) {
    let set = run(&target, &[], "SET SESSION query_priority = 3").await;
    assert_eq!(set.header("x-trino-set-session"), Some("query_priority=3"));
    assert_eq!(set.last().json["updateType"], "SET SESSION");
    // None at all where the page that ends it is still a queued one, as it happens with 435 on a busy machine.
    let columns = set.last().json.get("columns");
    assert!(columns.is_none_or(|columns| columns == &serde_json::json!([])), "{columns:?}");
    let reset = run(&target, &[], "RESET SESSION query_priority").await;
    assert_eq!(reset.header("x-trino-clear-session"), Some("query_priority"));
    assert_eq!(reset.last().json["updateType"], "RESET SESSION");
}

pub(super) async fn use_schema(target: Target) {
    let done = run(&target, &[], "USE tpch.sf1").await;
    assert_eq!(done.header("x-trino-set-catalog"), Some("tpch"));
    assert_eq!(done.header("x-trino-set-schema"), Some("sf1"));
    assert_eq!(done.last().json["updateType"], "USE");
}

pub(super) async fn prepared(target: Target) {
    let prepare = run(&target, &[], "PREPARE p FROM SELECT ?, 'a'").await;
    let added = prepare.header("x-trino-added-prepare").unwrap().to_owned();
    assert!(added.starts_with("p=SELECT"), "{added}");
    assert_eq!(prepare.last().json["updateType"], "PREPARE");
    let carried = [("x-trino-prepared-statement", added.as_str())];
    let executed = run(&target, &carried, "EXECUTE p USING 42").await;
    assert_eq!(executed.rows, [serde_json::json!([42, "a"])]);
    let dropped = run(&target, &carried, "DEALLOCATE PREPARE p").await;
    assert_eq!(dropped.header("x-trino-deallocated-prepare"), Some("p"));
    assert_eq!(dropped.last().json["updateType"], "DEALLOCATE");
}

pub(super) async fn unprepared(target: Target) {
    for sql in ["EXECUTE nope", "DEALLOCATE PREPARE nope"] {
        let done = run(&target, &[], sql).await;
        assert_eq!(done.error_name(), Some("NOT_FOUND"), "{sql}");
        assert_eq!(done.last().json["error"]["message"], "Prepared statement not found: nope");
    }
}

pub(super) async fn immediate(target: Target) {
    let done = run(&target, &[], "EXECUTE IMMEDIATE 'SELECT ''it'', ?' USING 7").await;
    assert_eq!(done.rows, [serde_json::json!(["it", 7])]);
}

pub(super) async fn transaction(target: Target) {
    for end in ["COMMIT", "ROLLBACK"] {
        let started =
            run(&target, &[("x-trino-transaction-id", "NONE")], "START TRANSACTION").await;
        let id = started.header("x-trino-started-transaction-id").expect("an id").to_owned();
        assert_eq!(started.last().json["updateType"], "START TRANSACTION");
        let within = [("x-trino-transaction-id", id.as_str())];
        assert_eq!(run(&target, &within, "SELECT 1").await.rows, [serde_json::json!([1])]);
        let ended = run(&target, &within, end).await;
        assert_eq!(ended.header("x-trino-clear-transaction-id"), Some("true"));
        assert_eq!(ended.last().json["updateType"], end);
        let after = run(&target, &within, "SELECT 1").await;
        assert_eq!(after.error_name(), Some("UNKNOWN_TRANSACTION"));
    }
}

pub(super) async fn unknown_transaction(target: Target) {
    let id = "aaaaaaaa-0000-4000-8000-000000000000";
    let done = run(&target, &[("x-trino-transaction-id", id)], "SELECT 1").await;
    assert_eq!(done.error_name(), Some("UNKNOWN_TRANSACTION"));
    let words = format!(
        "Unknown transaction ID: {id}. Possibly expired? Commands ignored until end of transaction block"
    );
    assert_eq!(done.last().json["error"]["message"], words);
}

pub(super) async fn no_transaction(target: Target) {
    for headers in [&[][..], &[("x-trino-transaction-id", "NONE")]] {
        let done = run(&target, headers, "COMMIT").await;
        assert_eq!(done.error_name(), Some("NOT_IN_TRANSACTION"));
        assert_eq!(done.last().json["error"]["message"], "No transaction in progress");
    }
}

pub(super) async fn client_without_transactions(target: Target) {
    let done = run(&target, &[], "START TRANSACTION").await;
    assert_eq!(done.error_name(), Some("INCOMPATIBLE_CLIENT"));
}

pub(super) async fn spooled(target: Target) {
    if !target.spools {
        return;
    }
    let encoding = [("x-trino-query-data-encoding", "json+zstd,json+lz4,json")];
    for (sql, rows) in [("SELECT 1", 1), (LARGE, 30_000)] {
        let done = run(&target, &encoding, sql).await;
        for page in &done.pages {
            // From the POST's answer on.
            assert_eq!(page.answer.header("x-trino-query-data-encoding"), "json+zstd");
        }
        assert_eq!(done.rows.len(), rows);
        let page = done.pages.iter().find(|page| !page.segments().is_empty()).unwrap();
        let segment = &page.segments()[0];
        assert_eq!(segment["type"], "spooled");
        let metadata = &segment["metadata"];
        assert!(metadata["segmentSize"].is_u64() && metadata["rowOffset"] == 0);
        assert_eq!(metadata.get("uncompressedSize").is_some(), rows > 1);
        assert!(metadata["expiresAt"].is_string());
        let (uri, ack) = (segment["uri"].as_str().unwrap(), segment["ackUri"].as_str().unwrap());
        let (_, identifier) = uri.split_once("/v1/spooled/download/").unwrap();
        assert!(identifier.len() > 100 && ack.ends_with(identifier));
        // The client has acknowledged it: it is gone.
        for uri in [uri, ack] {
            let answer = target.client().get(uri).await.unwrap();
            assert_eq!(answer.status, 500);
            assert!(answer.text().starts_with("java.io.IOException: Segment not found or expired"));
        }
    }
    let answer = target.client().get("/v1/spooled/download/abc").await.unwrap();
    let words = "java.lang.RuntimeException: Could not decode segment identifier from URI";
    assert!(answer.text().starts_with(words));
}

pub(super) async fn spooled_unknown_encoding(target: Target) {
    let done = run(&target, &[("x-trino-query-data-encoding", "parquet")], "SELECT 1").await;
    assert_eq!(done.header("x-trino-query-data-encoding"), None);
    assert_eq!(done.rows, [serde_json::json!([1])]);
}
