//! XTrinode's API server, by its documented contract.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::{
    Action, CallError, Labels, call,
    double::{Asked, Double, Reply, reply, with},
    driver, nowhere, permanent, transient,
};
use crate::{
    backends::resume::driver::{Accepted, How, Surroundings, driver_of},
    config::model::Resume,
};

/// Refuses what it would not understand.
fn strict(asked: &Asked) -> Reply {
    let expected = json!({
        "routingGroup": "etl",
        "candidate": {"namespace": "team-a", "name": "analytics"},
        "reason": "no_running_backend",
    });
    let error =
        |status, code| reply(status, &json!({"error": "refused", "code": code, "details": {}}));
    match () {
        () if asked.path != "/api/v1/resume" => error(404, "NOT_FOUND"),
        () if asked.method != Method::POST => error(405, "METHOD_NOT_ALLOWED"),
        () if asked.header("content-type") != "application/json" => error(415, "MEDIA_TYPE"),
        () if asked.json() != expected => error(400, "BAD_REQUEST"),
        () if asked.header("authorization") != "Bearer resume-only" => error(401, "UNAUTHORIZED"),
        () => {
            let body = json!({"triggered": true, "gated": false, "retryAfter": 30, "key": "rt/team-a/analytics",
                "keyType": "runtime", "leaseUntil": "2026-11-21T12:02:00Z"});
            with(with(reply(202, &body), "retry-after", "30"), "x-lease-acquired", "true")
        }
    }
}

fn api(url: &str, token: &std::path::Path) -> Value {
    json!({"callTimeout": "20s", "xtrinodeApi": {"url": url, "tokenFile": token}})
}

#[tokio::test]
async fn a_resume_is_posted_for_the_groups_labels() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    let server = Double::start(strict).await;
    let triggered = Accepted { how: How::Triggered, retry_after: Some(Duration::from_secs(30)) };
    for base in ["", "/", "/api/v1", "/api/v1/"] {
        std::fs::write(&token, "resume-only\n").unwrap();
        let driver = driver(nowhere(), api(&format!("{}{base}", server.url), &token));
        assert_eq!(driver.call(call(Action::Resume)).await.unwrap(), triggered);
        std::fs::write(&token, "expired").unwrap();
        let error = driver.call(call(Action::Resume)).await.unwrap_err();
        assert!(
            permanent(&error).contains("does not accept our token (401): refused UNAUTHORIZED"),
            "{error}"
        );
    }
    let elsewhere = driver(nowhere(), api(&format!("{}/other", server.url), &token));
    let error = elsewhere.call(call(Action::Resume)).await.unwrap_err();
    assert!(permanent(&error).contains("404"), "{error}");
}

#[tokio::test]
async fn a_token_that_was_replaced_meanwhile_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "expired").unwrap();
    let replaced = token.clone();
    let server = Double::start(move |asked| {
        std::fs::write(&replaced, "resume-only").unwrap();
        strict(asked)
    });
    let server = server.await;
    let driver = driver(nowhere(), api(&server.url, &token));
    assert_eq!(driver.call(call(Action::Resume)).await.unwrap().how, How::Triggered);
    assert_eq!(server.lines().len(), 2);
}

async fn answered(status: u16, body: Value) -> Result<Accepted, CallError> {
    let server = Double::start(move |_| reply(status, &body)).await;
    let resume = json!({"callTimeout": "20s", "xtrinodeApi": {"url": server.url}});
    driver(nowhere(), resume).call(call(Action::Resume)).await
}

#[tokio::test]
async fn a_lease_of_somebody_else_is_a_wake_under_way() {
    let body = json!({"triggered": false, "gated": true, "retryAfter": 77, "key": "pool/etl", "keyType": "pool",
        "leaseUntil": "2026-11-21T12:02:00Z", "error": "resuming", "holder": "other"});
    let gated = Accepted { how: How::Gated, retry_after: Some(Duration::from_secs(77)) };
    assert_eq!(answered(503, body).await.unwrap(), gated);
    let error = answered(503, json!({"error": "overloaded"})).await.unwrap_err();
    assert!(transient(&error).contains("overloaded"), "{error}");
}

#[tokio::test]
async fn refusals_are_told() {
    for status in [400, 403, 404, 405] {
        let error = answered(status, json!({"error": "why", "code": "CODE"})).await.unwrap_err();
        assert!(permanent(&error).ends_with(": why CODE"), "{error}");
    }
    let error = answered(500, json!("no object")).await.unwrap_err();
    assert!(transient(&error).contains("500"), "{error}");
}

#[tokio::test]
async fn it_has_no_suspend_and_needs_a_runtime() {
    let resume = json!({"xtrinodeApi": {}});
    let error = driver(nowhere(), resume.clone()).call(call(Action::Suspend)).await.unwrap_err();
    assert!(permanent(&error).contains("no suspend"), "{error}");
    let (resume, around): (Resume, _) =
        (serde_json::from_value(resume).unwrap(), Surroundings::new(nowhere()).unwrap());
    let labels = Labels { namespace: "", xtrinode: "etl" };
    assert!(driver_of(&resume, labels, &around).unwrap_err().contains("`namespace` and `name`"));
}
