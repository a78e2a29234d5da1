//! The other ends of a query: errors, cancels, the verbs that kill. `kill_query` is in `kills`.

use http::Method;

use super::target::{LONG, Target};
use crate::harness::client::{Done, Page, Running};

/// A query that is being executed and will not end by itself.
async fn executing(target: &Target) -> Running {
    let mut running = target.client().start(LONG).await.unwrap();
    running.advance_until(|page| page.state == "RUNNING").await.unwrap();
    running
}

fn assert_failed(page: &Page, name: &str, message: &str) {
    assert_eq!(page.error_name(), Some(name));
    assert_eq!(page.json["error"]["message"], message);
    assert_eq!(page.state, "FAILED");
    assert_eq!(page.json["stats"]["queued"], false);
    assert!(page.next.is_none());
}

async fn ended(mut running: Running) -> Done {
    while running.advance().await.unwrap() {}
    running.done()
}

pub(super) async fn syntax_error(target: Target) {
    let done = target.client().query("SELEC 1").await.unwrap();
    let error = &done.last().json["error"];
    assert_eq!((&error["errorName"], &error["errorCode"]), (&"SYNTAX_ERROR".into(), &1.into()));
    assert_eq!(error["errorType"], "USER_ERROR");
    let words = error["message"].as_str().unwrap();
    assert!(words.starts_with("line 1:1: mismatched input 'SELEC'. Expecting: 'ALTER'"), "{words}");
    assert_eq!(error["errorLocation"], serde_json::json!({"lineNumber": 1, "columnNumber": 1}));
    // It comes on a queued page: nothing was executed.
    assert!(done.last().json.get("columns").is_none());
}

pub(super) async fn analysis_error(target: Target) {
    let done = target.client().query("SELECT nope").await.unwrap();
    assert_failed(done.last(), "COLUMN_NOT_FOUND", "line 1:8: Column 'nope' cannot be resolved");
    let info = &done.last().json["error"]["failureInfo"];
    assert!(info["type"].is_string() && info["suppressed"].is_array());
    assert!(info["stack"].as_array().unwrap().len() > 5);
    assert_eq!(info.get("errorInfo").is_some(), target.is_new());
}

pub(super) async fn cancel(target: Target) {
    let running = executing(&target).await;
    for _ in 0..2 {
        let answer = running.cancel().await.unwrap();
        assert_eq!(answer.status, 204);
        assert!(answer.raw.is_empty() && !answer.has("content-type"));
    }
    assert_failed(ended(running).await.last(), "USER_CANCELED", "Query was canceled");
}

pub(super) async fn cancel_before_the_first_poll(target: Target) {
    let running = target.client().start("SELECT 1").await.unwrap();
    assert_eq!(running.cancel().await.unwrap().status, 204);
    let done = ended(running).await;
    assert_eq!(done.pages.len(), 2);
    assert_failed(done.last(), "USER_CANCELED", "Query was canceled");
}

pub(super) async fn killed_by_verb(target: Target) {
    let running = executing(&target).await;
    let path = format!("/v1/query/{}/killed", running.id());
    let answer = target.client().send(Method::PUT, &path, "so it goes").await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.raw.len()), (202, 0));
    let done = ended(running).await;
    let words = "Query killed. Message: so it goes";
    assert_failed(done.last(), "ADMINISTRATIVELY_KILLED", words);
    let answer = target.client().send(Method::PUT, &path, "").await.unwrap();
    assert_eq!(answer.status, 409);
}

pub(super) async fn preempted(target: Target) {
    let running = executing(&target).await;
    let path = format!("/v1/query/{}/preempted", running.id());
    let answer = target.client().send(Method::PUT, &path, "").await.unwrap();
    assert_eq!(answer.status, 202);
    let words = "Query preempted. No message provided.";
    assert_failed(ended(running).await.last(), "ADMINISTRATIVELY_PREEMPTED", words);
}

pub(super) async fn deleted_by_id(target: Target) {
    let running = executing(&target).await;
    let path = format!("/v1/query/{}", running.id());
    for _ in 0..2 {
        let answer = target.client().send(Method::DELETE, &path, "").await.unwrap();
        assert_eq!(answer.status, 204);
    }
    assert_failed(ended(running).await.last(), "USER_CANCELED", "Query was canceled");
    // A query that nobody has polled yet is not known by its id.
    let running = target.client().start("SELECT 1").await.unwrap();
    let path = format!("/v1/query/{}", running.id());
    let answer = target.client().send(Method::DELETE, &path, "").await.unwrap();
    assert_eq!(answer.status, 204);
    assert_eq!(ended(running).await.error_name(), None);
}

pub(super) async fn partial_cancel(target: Target) {
    let client = target.client();
    let running = executing(&target).await;
    let uri = running.last().json["partialCancelUri"].as_str().unwrap().to_owned();
    let answer = client.send(Method::DELETE, &uri, "").await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.raw.len()), (204, 0));
    let wrong = uri.replace("/y", "/y0");
    let answer = client.send(Method::DELETE, &wrong, "").await.unwrap();
    target.assert_error(&answer, 404, "Query not found");
    running.cancel().await.unwrap();
}
