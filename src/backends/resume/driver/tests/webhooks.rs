//! Webhooks, and `external`, which calls nobody.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::{
    Action, CallError, TRACE, call, deserted,
    double::{Asked, Double, Reply, reply, with},
    driver, nowhere, permanent, transient,
};
use crate::backends::resume::driver::{Accepted, How};

const SECRET: &str = "key";

/// Takes only what is documented.
fn strict(asked: &Asked) -> Reply {
    let body = asked.json();
    let expected = json!({"group": "etl", "backend": "trino-a", "reason": "no_running_backend", "wakeId": "wake-1", "attempt": 2});
    let right = match asked.path.as_str() {
        "/resume?key=hunter2" | "/suspend" => asked.method == Method::POST,
        _ => return reply(404, &json!({})),
    };
    match () {
        () if !right => reply(405, &json!({})),
        () if asked.header("content-type") != "application/json" => reply(415, &json!({})),
        () if asked.header("idempotency-key") != "wake-1" => reply(428, &json!({})),
        () if body != expected => reply(400, &json!({})),
        () => reply(204, &json!({})),
    }
}

fn webhook(url: &str, more: &[(&str, &str)]) -> Value {
    let mut webhook = json!({"resumeUrl": format!("{url}/resume?key=hunter2"), "suspendUrl": format!("{url}/suspend")});
    for (key, value) in more {
        webhook[*key] = json!(value);
    }
    json!({"callTimeout": "20s", "webhook": webhook})
}

#[tokio::test]
async fn resume_and_suspend_are_posted() {
    let hook = Double::start(strict).await;
    let driver = driver(nowhere(), webhook(&hook.url, &[]));
    for action in [Action::Resume, Action::Suspend] {
        assert_eq!(driver.call(call(action)).await.unwrap(), How::Triggered.into());
    }
    assert_eq!(hook.lines(), ["POST /resume?key=hunter2", "POST /suspend"]);
    let first = &hook.asked()[0];
    assert_eq!((first.header("traceparent"), first.header("authorization")), (TRACE, ""));
    assert!(first.header("user-agent").starts_with("sluice/"));
}

#[tokio::test]
async fn tokens_and_signatures_are_made_anew_for_each_call() {
    let folder = tempfile::tempdir().unwrap();
    let (token, secret) = (folder.path().join("token"), folder.path().join("secret"));
    std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
    let hook = Double::start(strict).await;
    let files = [("tokenFile", token.to_str().unwrap()), ("secretFile", secret.to_str().unwrap())];
    let driver = driver(nowhere(), webhook(&hook.url, &files));
    for text in ["one", "two\n"] {
        std::fs::write(&token, text).unwrap();
        driver.call(call(Action::Resume)).await.unwrap();
    }
    let asked = hook.asked();
    assert_eq!(
        (asked[0].header("authorization"), asked[1].header("authorization")),
        ("Bearer one", "Bearer two")
    );
    // As `openssl dgst -sha256 -hmac key` says of this body.
    let body = r#"{"attempt":2,"backend":"trino-a","group":"etl","reason":"no_running_backend","wakeId":"wake-1"}"#;
    assert_eq!(asked[0].body, body);
    assert_eq!(
        asked[0].header("x-sluice-signature"),
        "sha256=0b172ddb91ec3e69f9f0ccbf0b6ef32d41b696fea6c2b13f387f600970ed7d62"
    );
    std::fs::remove_file(&secret).unwrap();
    let error = driver.call(call(Action::Resume)).await.unwrap_err();
    assert!(permanent(&error).contains("secret cannot be read"), "{error}");
    std::fs::write(&token, " ").unwrap();
    std::fs::write(&secret, SECRET).unwrap();
    let error = driver.call(call(Action::Resume)).await.unwrap_err();
    assert!(permanent(&error).contains("token is empty"), "{error}");
}

async fn answered(
    answer: impl Fn() -> Reply + Send + Sync + 'static,
) -> Result<Accepted, CallError> {
    let hook = Double::start(move |_| answer()).await;
    let answer = driver(nowhere(), webhook(&hook.url, &[])).call(call(Action::Resume)).await;
    assert!(!format!("{answer:?}").contains("hunter2"), "{answer:?}");
    assert_eq!(hook.lines().len(), 1);
    answer
}

#[tokio::test]
async fn every_status_means_something() {
    for status in [200, 201, 202, 204] {
        let accepted = answered(move || reply(status, &json!({}))).await.unwrap();
        assert_eq!(accepted.how, How::Triggered);
    }
    assert_eq!(answered(|| reply(409, &json!({}))).await.unwrap().how, How::Already);
    for status in [429, 503] {
        let gated =
            answered(move || with(reply(status, &json!({})), "retry-after", "9")).await.unwrap();
        assert_eq!(gated, Accepted { how: How::Gated, retry_after: Some(Duration::from_secs(9)) });
        let error = answered(move || reply(status, &json!({}))).await.unwrap_err();
        assert!(transient(&error).contains(&status.to_string()), "{error}");
    }
    for status in [400, 401, 403, 404, 405, 422] {
        let error =
            answered(move || reply(status, &json!({"error": "hunter2"}))).await.unwrap_err();
        assert!(permanent(&error).contains(&status.to_string()), "{error}");
    }
    for status in [408, 500, 502, 504] {
        let error = answered(move || reply(status, &json!({}))).await.unwrap_err();
        assert!(transient(&error).contains(&status.to_string()), "{error}");
    }
    let error = answered(|| with(reply(307, &json!({})), "location", "http://127.0.0.1:1/")).await;
    assert!(permanent(&error.unwrap_err()).contains("configure the final URL"));
}

#[tokio::test]
async fn hanging_and_refusing_end_the_call() {
    let hook = Double::start(|_| None).await;
    let mut hanging = webhook(&hook.url, &[]);
    hanging["callTimeout"] = json!("50ms");
    let error = driver(nowhere(), hanging).call(call(Action::Resume)).await.unwrap_err();
    assert_eq!(error, CallError::Timeout);
    let driver = driver(nowhere(), webhook(&deserted().await, &[]));
    let error = driver.call(call(Action::Resume)).await.unwrap_err();
    assert!(transient(&error).contains("cannot be reached"), "{error}");
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[tokio::test]
async fn what_has_no_suspend_says_so() {
    let webhook = json!({"webhook": {"resumeUrl": "http://127.0.0.1:1/"}});
    let error = driver(nowhere(), webhook).call(call(Action::Suspend)).await.unwrap_err();
    assert!(permanent(&error).contains("suspendUrl"), "{error}");
    let external = driver(nowhere(), json!({"external": {}}));
    assert_eq!(external.call(call(Action::Resume)).await.unwrap(), How::Triggered.into());
    let error = external.call(call(Action::Suspend)).await.unwrap_err();
    assert!(permanent(&error).contains("suspends nothing"), "{error}");
}
