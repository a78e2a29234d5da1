//! What a client reads when it is not let wait: modes `hold` and `reject`, in text, in JSON, in XTrinode's words.

use http::Method;
use serde_json::json;
use sluice::snapshot::BackendState;

use super::HELD;
use crate::harness::answer::Answer;
use crate::harness::client::Client;
use crate::harness::sleeper::Sleeper;
use crate::harness::stage::{Plan, retry_after};
use crate::harness::wait;
use crate::harness::webhook::Manner;

async fn post(client: &Client) -> Answer {
    client.send(Method::POST, "/v1/statement", "SELECT 1").await.unwrap()
}

#[tokio::test]
async fn reject_is_503_in_words_at_once_and_wakes() {
    let stage = Plan { cold_start: "mode: reject", ..Plan::default() }.asleep().await;
    stage.webhook.will(Manner::Accept);
    let answer = post(&stage.client()).await;
    assert_eq!(answer.status, 503);
    let kind = answer.header("content-type").to_owned();
    assert!(kind.starts_with("text/plain"), "{kind}");
    assert_eq!(answer.header("x-gateway-reason"), "resuming");
    assert!((1..=120).contains(&retry_after(&answer)), "{answer:?}");
    let (text, trace) = (answer.text(), answer.header("x-trace-id").to_owned());
    assert!(text.starts_with("adhoc: "), "{text}");
    assert!(text.contains(&format!("[trace {trace}]")), "{text}");
    assert!(text.contains(&format!("retry in {} s", retry_after(&answer))), "{text}");
    stage.webhook.until_resumes(1).await;
    stage.until("a", BackendState::Resuming).await;
    let text = post(&stage.client()).await.text();
    assert!(text.contains("resuming for"), "the age of the resume: {text}");
    stage.sleeper.wake().await;
    stage.until("a", BackendState::Healthy).await;
    assert_eq!(stage.client().rows("SELECT 1").await.len(), 1);
    assert_eq!(stage.webhook.resumes().len(), 1);
    assert_eq!(stage.unavailable("resuming").await, 2.0);
    stage.stop().await;
}

#[tokio::test]
async fn hold_waits_and_then_says_503() {
    let stage = Plan { cold_start: "mode: hold, holdFor: 3s", ..Plan::default() }.asleep().await;
    stage.webhook.will(Manner::Accept);
    let held = stage.held(&stage.client(), "SELECT 1").await;
    let told = held.answer().await.unwrap_err();
    assert_eq!(told.status(), Some(503), "{told}");
    assert_eq!(stage.unavailable("resuming").await, 1.0);
    stage.assert_empty("nobody waits any more").await;
    stage.sleeper.wake().await;
    stage.until("a", BackendState::Healthy).await;
    assert_eq!(stage.sleeper.counts().statements, 0);
    stage.stop().await;
}

#[tokio::test]
async fn hold_forwards_as_soon_as_it_can() {
    let stage = Plan { cold_start: "mode: hold, holdFor: 30s", ..Plan::default() }.asleep().await;
    let client = stage.gateway.client();
    let held = stage.held(&client, "SELECT 1").await;
    assert_eq!(held.rows().await.len(), 1);
    stage.stop().await;
}

#[tokio::test]
async fn a_503_is_json_for_who_asks_for_it() {
    let stage = Plan { cold_start: "mode: reject", ..Plan::default() }.asleep().await;
    stage.webhook.will(Manner::Accept);
    // The first one wakes it; the next one meets a wake under way.
    for (accept, is_first) in
        [("application/json", true), ("text/plain;q=0.5, application/json", false)]
    {
        let answer = post(&stage.client().with("accept", accept)).await;
        assert_eq!(answer.status, 503);
        assert!(answer.header("content-type").starts_with("application/json"), "{answer:?}");
        let page = answer.json().unwrap();
        assert_eq!(page["reason"], "resuming");
        assert_eq!(page["routingGroup"], "adhoc");
        assert_eq!(page["retryAfter"], retry_after(&answer));
        assert_eq!(page["traceId"], answer.header("x-trace-id"));
        assert_eq!(
            (&page["triggered"], &page["gated"]),
            (&json!(is_first), &json!(!is_first)),
            "{page}"
        );
        assert!(page["error"].as_str().is_some_and(|words| words.contains("adhoc")), "{page}");
        assert_eq!(page.as_object().unwrap().len(), 7, "{page}");
        stage.webhook.until_resumes(1).await;
        stage.until("a", BackendState::Resuming).await;
    }
    for accept in ["*/*", "text/plain"] {
        let answer = post(&stage.client().with("accept", accept)).await;
        assert!(answer.header("content-type").starts_with("text/plain"), "{accept}: {answer:?}");
    }
    stage.stop().await;
}

#[tokio::test]
async fn xtrinodes_contract_has_its_words_and_keys() {
    let cold_start = "mode: reject, contract: xtrinode";
    let stage = Plan { cold_start, ..Plan::default() }.asleep().await;
    stage.webhook.will(Manner::Accept);
    let answer = post(&stage.client()).await;
    assert_eq!(answer.status, 503);
    assert!(answer.header("content-type").starts_with("application/json"), "{answer:?}");
    let page = answer.json().unwrap();
    assert_eq!(page["error"], "XTrinode runtime is resuming, please retry");
    assert_eq!((&page["triggered"], &page["gated"]), (&json!(true), &json!(false)), "{page}");
    assert_eq!(page["retryAfter"], retry_after(&answer));
    assert!(retry_after(&answer) >= 5, "its floor");
    assert_eq!(answer.header("x-gateway-reason"), "resuming");
    stage.webhook.until_resumes(1).await;
    stage.stop().await;
}

#[tokio::test]
async fn xtrinodes_contract_gates_all_but_the_statement_that_triggered() {
    let cold_start = "mode: reject, contract: xtrinode";
    let stage = Plan { cold_start, ..Plan::default() }.asleep().await;
    stage.webhook.will(Manner::Accept);
    let first = post(&stage.client()).await;
    assert!(!first.has("x-gateway-resume-gated"), "it triggered the resume: {first:?}");
    stage.webhook.until_resumes(1).await;
    stage.until("a", BackendState::Resuming).await;
    for _ in 0..2 {
        let next = post(&stage.client()).await;
        assert_eq!((next.status.as_u16(), next.header("x-gateway-resume-gated")), (503, "true"));
        let page = next.json().unwrap();
        assert_eq!((&page["triggered"], &page["gated"]), (&json!(false), &json!(true)), "{page}");
    }
    assert_eq!(stage.webhook.resumes().len(), 1, "one call for all");
    stage.stop().await;
}

#[tokio::test]
async fn xtrinodes_contract_says_that_a_resume_failed() {
    let cold_start = "mode: reject, contract: xtrinode";
    let stage = Plan { cold_start, ..Plan::default() }.asleep().await;
    stage.webhook.will(Manner::Refuse(403));
    wait::until_async("it has failed", async || {
        let page = post(&stage.client()).await.json().unwrap();
        let has_failed = page["error"] == "Failed to trigger resume";
        assert!(has_failed || page["error"].as_str().unwrap().contains("resuming"), "{page}");
        has_failed
    })
    .await;
    let answer = post(&stage.client()).await;
    assert_eq!(answer.json().unwrap()["retryAfter"], retry_after(&answer));
    stage.stop().await;
}

#[tokio::test]
async fn xtrinodes_contract_does_not_change_what_waits() {
    let cold_start = "holdFor: 400ms, contract: xtrinode";
    let stage = Plan { cold_start, ..Plan::default() }.asleep().await;
    stage.webhook.will(Manner::Accept);
    let mut running = stage.queued("SELECT 1").await;
    stage.sleeper.wake().await;
    while running.advance().await.unwrap() {}
    assert_eq!(running.done().rows.len(), 1);
    stage.stop().await;
}

#[tokio::test]
async fn retry_after_is_learned_from_the_groups_own_cold_starts() {
    let stage =
        Plan { cold_start: "mode: reject", ..Plan::default() }.with(&[&Sleeper::slow()]).await;
    let unlearned = retry_after(&post(&stage.client()).await);
    assert!((1..=120).contains(&unlearned), "{unlearned}");
    wait::until("it is up", || stage.sleeper.counts().probes > 0).await;
    stage.sleeper.ready();
    stage.until("a", BackendState::Healthy).await;
    assert_eq!(stage.client().rows("SELECT 1").await.len(), 1);
    stage.sleeper.sleep().await;
    stage.until("a", BackendState::Sleeping).await;
    stage.webhook.will(Manner::Accept);
    let learned = retry_after(&post(&stage.client()).await);
    assert!(learned >= 1 && learned < unlearned, "{unlearned}, then {learned}");
    // What has passed of the usual time is taken off.
    wait::until_async("it comes down to its floor", async || {
        retry_after(&post(&stage.client()).await) == 1
    })
    .await;
    stage.stop().await;
}

#[tokio::test]
async fn trinos_own_503_passes_unchanged_and_wakes_nobody() {
    let stage = Plan { cold_start: HELD, ..Plan::default() }.awake().await;
    let client = stage.client();
    let sql = "SELECT 1 /* sim: at=post ending=status:503 */";
    let answer = client.send(Method::POST, "/v1/statement", sql).await.unwrap();
    assert_eq!((answer.status.as_u16(), retry_after(&answer)), (503, 1));
    assert_eq!(answer.header("x-gateway-reason"), "");
    assert!(answer.text().contains("the script says so"), "{}", answer.text());
    assert_eq!(stage.webhook.resumes().len(), 0);
    assert_eq!(stage.unavailable("upstream_503").await, 1.0);
    stage.stop().await;
}

#[tokio::test]
async fn the_three_counts_of_503_agree() {
    let stage = Plan { cold_start: "mode: reject", ..Plan::default() }.asleep().await;
    stage.webhook.will(Manner::Accept);
    for _ in 0..5 {
        assert_eq!(post(&stage.client()).await.status, 503);
    }
    let page = stage.gateway.metrics().await;
    let sum = |prefix: &str, wanted: &str| -> f64 {
        let lines = page.lines().filter(|line| line.starts_with(prefix) && line.contains(wanted));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    };
    assert_eq!(sum("gateway_503_total{", "adhoc"), 5.0);
    assert_eq!(sum("gateway_unavailable_total{", "adhoc"), 5.0);
    assert_eq!(sum("gateway_requests_total{", "status_code=\"503\""), 5.0);
    assert_eq!(stage.status().await["state"], "RESUMING");
    stage.stop().await;
}
