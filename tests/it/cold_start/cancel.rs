//! Cancels and looks by id while a statement waits.

use http::Method;

use super::{HELD, SHORT};
use crate::harness::stage::{Plan, Stage};
use crate::harness::webhook::Manner;

async fn waiting() -> Stage {
    let stage = Plan { cold_start: SHORT, ..Plan::default() }.asleep().await;
    stage.webhook.will(Manner::Accept);
    stage
}

#[tokio::test]
async fn peers_L10_a_delete_of_the_synthetic_next_uri_is_204_and_the_end() {
    let stage = waiting().await;
    let mut running = stage.queued("SELECT 1").await;
    running.advance().await.unwrap();
    let answer = running.cancel().await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.raw.len()), (204, 0));
    stage.assert_empty("after the DELETE").await;
    assert!(!running.advance().await.unwrap());
    assert_eq!(running.last().error_name(), Some("USER_CANCELED"));
    stage.sleeper.wake().await;
    stage.until("a", sluice::snapshot::BackendState::Healthy).await;
    assert_eq!(stage.client().rows("SELECT 2").await.len(), 1);
    assert_eq!(stage.sleeper.counts().statements, 1, "what was cancelled was never sent");
    stage.stop().await;
}

#[tokio::test]
async fn peers_L10_a_delete_of_the_id_is_204_and_the_end() {
    let stage = waiting().await;
    let mut running = stage.queued("SELECT 1").await;
    let path = format!("/v1/query/{}", running.id());
    let answer = stage.client().send(Method::DELETE, &path, "").await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.raw.len()), (204, 0));
    stage.assert_empty("after the DELETE").await;
    assert!(!running.advance().await.unwrap());
    assert_eq!(running.last().error_name(), Some("USER_CANCELED"));
    let again = stage.client().send(Method::DELETE, &path, "").await.unwrap();
    assert_eq!(again.status, 204);
    stage.stop().await;
}

#[tokio::test]
async fn a_delete_ends_a_poll_that_is_under_way() {
    let stage = waiting().await;
    let mut running = stage.queued("SELECT 1").await;
    let path = format!("/v1/query/{}", running.id());
    let poll = tokio::spawn(async move {
        while running.advance().await.unwrap() {}
        running.done()
    });
    assert_eq!(stage.client().send(Method::DELETE, &path, "").await.unwrap().status, 204);
    let done = poll.await.unwrap();
    assert_eq!(done.error_name(), Some("USER_CANCELED"));
    stage.stop().await;
}

#[tokio::test]
async fn what_is_known_of_a_waiting_statement_is_told_by_its_id() {
    let stage = waiting().await;
    let running = stage.queued("SELECT 'a secret in SQL'").await;
    let known = stage.client().get(&format!("/v1/query/{}", running.id())).await.unwrap();
    assert_eq!(known.status, 200, "{}", known.text());
    let known = known.json().unwrap();
    assert_eq!(known["queryId"], running.id());
    assert_eq!(known["state"], "QUEUED");
    let slug = &running.next().unwrap().slug;
    assert!(!known.to_string().contains(slug.as_str()), "its token is a secret");
    running.cancel().await.unwrap();
    stage.stop().await;
}

#[tokio::test]
async fn an_unknown_synthetic_id_is_no_one_s() {
    let stage = Plan { cold_start: HELD, ..Plan::default() }.asleep().await;
    let path = "/v1/query/20260101_000000_00000_0zzzz";
    let client = stage.client();
    assert_eq!(client.send(Method::DELETE, path, "").await.unwrap().status, 204, "as Trino does");
    let known = client.get(path).await.unwrap();
    assert!(matches!(known.status.as_u16(), 404 | 410), "{known:?}");
    assert_eq!(stage.webhook.resumes().len(), 0);
    stage.stop().await;
}
