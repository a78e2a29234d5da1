//! Polls of a waiting statement: long ones, repeated ones, wrong ones, several at once, late ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::Method;
use serde_json::Value;
use tokio::time::Instant;

use super::{HELD, SHORT};
use crate::harness::client::Running;
use crate::harness::stage::{Plan, Stage, is_synthetic};
use crate::harness::wait;
use crate::harness::webhook::Manner;

async fn waiting() -> Stage {
    let stage = Plan { cold_start: SHORT, ..Plan::default() }.asleep().await;
    stage.webhook.will(Manner::Accept);
    stage
}

/// A page without what time changes.
fn timeless(mut page: Value) -> Value {
    for name in ["queuedTimeMillis", "elapsedTimeMillis"] {
        page["stats"][name] = Value::Null;
    }
    page
}

#[tokio::test]
async fn a_poll_is_long_and_each_one_goes_on_by_one_token() {
    let stage = waiting().await;
    let mut running = stage.queued("SELECT 1").await;
    let first = running.id().to_owned();
    for token in 2..=4 {
        let begun = Instant::now();
        assert!(running.advance().await.unwrap());
        let took = begun.elapsed();
        assert!(took >= Duration::from_millis(500), "{took:?}: it asks its client to hammer");
        assert!(took < Duration::from_secs(8), "{took:?}: some clients have left by then");
        assert_eq!((running.id(), running.next().unwrap().token), (first.as_str(), token));
    }
    running.cancel().await.unwrap();
    stage.stop().await;
}

#[tokio::test]
async fn the_same_token_answers_the_same_page() {
    let stage = waiting().await;
    let mut running = stage.queued("SELECT 1").await;
    let uri = running.next_uri();
    running.advance().await.unwrap();
    let known = running.last().json.clone();
    let again = stage.client().get(&uri).await.unwrap();
    assert_eq!(again.status, 200);
    assert_eq!(timeless(again.json().unwrap()), timeless(known));
    let next = uri
        .rsplit_once('/')
        .map(|(path, token)| format!("{path}/{}", token.parse::<u64>().unwrap() + 1));
    let after = stage.client().get(&next.unwrap()).await.unwrap();
    assert_eq!(after.status, 200, "a client that counts for itself: {}", after.text());
    assert_eq!(after.json().unwrap()["id"], running.id());
    assert!(running.advance().await.unwrap(), "it goes on");
    running.cancel().await.unwrap();
    stage.stop().await;
}

#[tokio::test]
async fn a_wrong_token_is_404_and_changes_nothing() {
    let stage = waiting().await;
    let mut running = stage.queued("SELECT 1").await;
    running.advance().await.unwrap();
    let next = running.next().unwrap().clone();
    let (id, slug, token) = (&next.id, &next.slug, next.token);
    let queued = format!("{}/v1/statement/queued", stage.gateway.url());
    let other = id.replace(|c: char| c.is_ascii_digit(), "1").replace("_1", "_0");
    for uri in [
        format!("{queued}/{id}/y{}/{token}", "0".repeat(40)),
        format!("{queued}/{id}/{}/{token}", &slug[..20]),
        format!("{queued}/{id}/{slug}/{}", token + 7),
        format!("{queued}/{id}/{slug}/x"),
        format!("{queued}/{id}/{slug}/-1"),
        format!("{}/v1/statement/executing/{id}/{slug}/{token}", stage.gateway.url()),
        format!("{queued}/{other}/y{}/{token}", "0".repeat(40)),
    ] {
        for method in [Method::DELETE, Method::GET, Method::HEAD] {
            let answer = stage.client().send(method.clone(), &uri, "").await.unwrap();
            // An id that nobody knows may be told in a FAILED page: a restart has lost it.
            let is_lost = uri.contains(&other) && matches!(answer.status.as_u16(), 200 | 204);
            assert!(answer.status == 404 || is_lost, "{method} {uri}: {answer:?}");
        }
        assert_eq!((stage.gauge("RESUMING").await, stage.waiters().await), (1.0, 1.0), "{uri}");
    }
    assert!(running.advance().await.unwrap(), "it still waits");
    stage.sleeper.wake().await;
    running.advance_until(|page| !is_synthetic(&page.id)).await.unwrap();
    assert_eq!(stage.sleeper.counts().statements, 1);
    running.cancel().await.unwrap();
    stage.stop().await;
}

#[tokio::test]
async fn two_polls_at_once_are_one_hand_over() {
    let stage = waiting().await;
    let running = stage.queued("SELECT 1").await;
    let uri = running.next_uri();
    for _ in 0..3 {
        let (one, two) = (stage.client(), stage.client());
        let (one, two) = tokio::join!(one.get(&uri), two.get(&uri));
        let (one, two) = (one.unwrap(), two.unwrap());
        assert_eq!((one.status.as_u16(), two.status.as_u16()), (200, 200));
        let (one, two) = (one.json().unwrap(), two.json().unwrap());
        assert_eq!(one["nextUri"], two["nextUri"]);
    }
    let polls = [stage.client(), stage.client(), stage.client()].map(|client| {
        let uri = uri.clone();
        tokio::spawn(async move {
            loop {
                let answer = client.get(&uri).await.unwrap();
                assert_eq!(answer.status, 200, "{answer:?}");
                let page = answer.json().unwrap();
                if !is_synthetic(page["id"].as_str().unwrap()) {
                    return page;
                }
            }
        })
    });
    stage.sleeper.wake().await;
    let mut pages = Vec::new();
    for poll in polls {
        pages.push(poll.await.unwrap());
    }
    assert_eq!(stage.sleeper.counts().statements, 1, "dispatched once");
    assert!(pages.iter().all(|page| page["id"] == pages[0]["id"]), "{pages:?}");
    let next = pages[0]["nextUri"].as_str().unwrap().to_owned();
    assert_eq!(stage.client().send(Method::DELETE, &next, "").await.unwrap().status, 204);
    stage.stop().await;
}

#[tokio::test]
async fn two_polls_at_once_do_not_drive_each_other() {
    let stage = waiting().await;
    let running = stage.queued("SELECT 1").await;
    let polls = Arc::new(AtomicU64::new(0));
    let pollers = [stage.client(), stage.client()].map(|client| {
        let (uri, polls) = (running.next_uri(), Arc::clone(&polls));
        tokio::spawn(async move {
            while client.get(&uri).await.is_ok() {
                polls.fetch_add(1, Ordering::Relaxed);
            }
        })
    });
    wait::pass(Duration::from_secs(3)).await;
    pollers.iter().for_each(tokio::task::JoinHandle::abort);
    let polls = polls.load(Ordering::Relaxed);
    assert!(polls <= 20, "{polls} answers in 3 s: none of the two polls was long");
    running.cancel().await.unwrap();
    stage.stop().await;
}

#[tokio::test]
async fn peers_L10_a_head_is_a_sign_of_life_and_dispatches_nothing() {
    let stage = waiting().await;
    let mut running = stage.queued("SELECT 1").await;
    let head = running.heartbeat().await.unwrap();
    assert_eq!((head.status.as_u16(), head.raw.len()), (200, 0));
    stage.sleeper.wake().await;
    stage.until("a", sluice::snapshot::BackendState::Healthy).await;
    for _ in 0..3 {
        let head = running.heartbeat().await.unwrap();
        assert_eq!((head.status.as_u16(), head.raw.len()), (200, 0));
    }
    assert_eq!(stage.sleeper.counts().statements, 0, "a HEAD has no effect");
    assert_eq!((stage.gauge("RESUMING").await, stage.waiters().await), (1.0, 1.0));
    running.advance().await.unwrap();
    assert!(!is_synthetic(running.id()));
    while running.advance().await.unwrap() {}
    assert_eq!(running.done().rows.len(), 1, "no page was thrown away");
    stage.stop().await;
}

#[tokio::test]
async fn a_poll_after_the_end_is_told_the_end() {
    let stage = waiting().await;
    let mut running = stage.queued("SELECT 1").await;
    running.cancel().await.unwrap();
    assert!(!running.advance().await.unwrap());
    assert_eq!(running.last().error_name(), Some("USER_CANCELED"));
    let uri = running.asked().to_owned();
    let again = stage.client().get(&uri).await.unwrap().json().unwrap();
    assert_eq!(again["error"]["errorName"], "USER_CANCELED", "as often as it is asked");
    stage.stop().await;
}

#[tokio::test]
async fn a_client_that_leaves_while_it_is_held_leaves_nothing() {
    let stage = Plan { cold_start: HELD, ..Plan::default() }.asleep().await;
    stage.webhook.will(Manner::Accept);
    for _ in 0..3 {
        let held = stage.held(&stage.client(), "SELECT 1").await;
        held.leave();
        stage.gateway.until_idle().await;
        stage.assert_empty("the client left").await;
    }
    stage.sleeper.wake().await;
    stage.until("a", sluice::snapshot::BackendState::Healthy).await;
    assert_eq!(stage.client().rows("SELECT 2").await.len(), 1);
    let sent: Vec<_> = stage.sleeper.statements().iter().map(|seen| seen.text()).collect();
    assert_eq!(sent, ["SELECT 2"], "nothing of theirs was dispatched");
    stage.stop().await;
}

#[tokio::test]
async fn a_client_that_leaves_a_poll_comes_back_to_its_place() {
    let stage = waiting().await;
    let mut running: Running = stage.queued("SELECT 1").await;
    let (client, uri) = (stage.client(), running.next_uri());
    let poll = tokio::spawn(async move { client.get(&uri).await });
    wait::pass(Duration::from_millis(100)).await;
    poll.abort();
    stage.sleeper.wake().await;
    stage.until("a", sluice::snapshot::BackendState::Healthy).await;
    assert_eq!(stage.gauge("").await, 1.0, "its page is out: it may come back");
    while running.advance().await.unwrap() {}
    assert_eq!(running.done().rows.len(), 1);
    assert_eq!(stage.sleeper.counts().statements, 1);
    stage.stop().await;
}
