//! Clients that leave: while posting, while waiting, in the middle of a page.

use super::{next_uri, until_no_connection};
use crate::harness::{
    gateway::Gateway,
    raw::{Raw, post},
    trino, wait,
};

/// How many requests of that operation and method their clients have left.
async fn left(gateway: &Gateway, operation: &str, method: &str) -> f64 {
    let series = format!(
        "gateway_http_requests_total{{method=\"{method}\",operation=\"{operation}\",status_code=\"499\"}}"
    );
    gateway.metric(&series).await
}

async fn until_left(gateway: &Gateway, operation: &str, method: &str) {
    wait::until_async("a request counted as left", async || {
        left(gateway, operation, method).await == 1.0
    })
    .await;
    until_no_connection(gateway).await;
}

#[tokio::test]
async fn a_client_that_leaves_while_posting_leaves_nothing() {
    let coordinator = trino::trino().await;
    let gateway = Gateway::before(&[&coordinator]).await;
    let mut raw = Raw::to(gateway.addresses.data).await;
    raw.send("POST /v1/statement HTTP/1.1\r\nhost: gw\r\nx-trino-user: u\r\ncontent-length: 100\r\n\r\nSELECT 1").await;
    drop(raw);
    until_no_connection(&gateway).await;
    until_left(&gateway, "statement_submit", "POST").await;
    super::stop_untouched(gateway, &coordinator).await;
}

#[tokio::test]
async fn a_client_that_leaves_before_the_head_of_a_posts_answer_gives_its_lease_back() {
    let coordinator = trino::trino().await;
    let gateway = Gateway::before(&[&coordinator]).await;
    let mut raw = Raw::to(gateway.addresses.data).await;
    raw.send(post("", "SELECT 1 /* sim: ending=stall at=post */")).await;
    wait::until("an accepted statement", || gateway.in_flight() == 1).await;
    wait::until("it is with its coordinator", || coordinator.counts().statements == 1).await;
    drop(raw);
    gateway.until_idle().await;
    until_left(&gateway, "statement_submit", "POST").await;
    assert!(gateway.shared.table.is_empty());
    gateway.stop().await;
}

#[tokio::test]
async fn a_client_that_leaves_a_long_poll_leaves_its_query_alone() {
    leaves_a_long_poll("").await;
}

/// Nobody reads the body of a poll, and what has come of this one is not all of it.
#[tokio::test]
async fn a_client_that_leaves_a_long_poll_that_bears_a_body_is_noticed() {
    leaves_a_long_poll("content-length: 500000\r\n").await;
    leaves_a_long_poll("transfer-encoding: chunked\r\n").await;
}

async fn leaves_a_long_poll(of_body: &str) {
    let coordinator = trino::trino().await;
    let gateway = Gateway::before(&[&coordinator]).await;
    let mut running =
        gateway.client().start("SELECT 1 /* sim: running=0 ending=stall at=0 */").await.unwrap();
    running
        .advance_until(|page| page.next.as_ref().is_some_and(|next| !next.is_queued))
        .await
        .unwrap();
    let next = running.next_uri();
    let path = &next[next.find("/v1/").unwrap()..];
    let polls = coordinator.counts().polls;
    let mut raw = Raw::to(gateway.addresses.data).await;
    let body = if of_body.is_empty() { "" } else { "3\r\nabc\r\n" };
    raw.send(format!("GET {path} HTTP/1.1\r\nhost: gw\r\n{of_body}\r\n{body}")).await;
    wait::until("the poll is with its coordinator", || coordinator.counts().polls > polls).await;
    drop(raw);
    wait::until_async("a poll counted as left", async || {
        left(&gateway, "statement_executing", "GET").await == 1.0
    })
    .await;
    assert_eq!(gateway.in_flight(), 1);
    assert_eq!(running.cancel().await.unwrap().status, 204);
    gateway.stop().await;
}

#[tokio::test]
async fn a_client_that_leaves_in_mid_page_ends_the_exchange_with_the_coordinator() {
    let coordinator = trino::trino().await;
    let gateway = Gateway::before(&[&coordinator]).await;
    let sql = "SELECT * FROM t /* sim: running=0 pages=2 bytes=64MiB */";
    let mut told = Raw::ask(gateway.addresses.data, post("", sql)).await;
    let mut next = next_uri(&told).unwrap();
    while next.contains("/queued/") {
        let path = &next[next.find("/v1/").unwrap()..];
        told = Raw::ask(gateway.addresses.data, format!("GET {path} HTTP/1.1\r\nhost: gw\r\n\r\n"))
            .await;
        next = next_uri(&told).unwrap();
    }
    let path = &next[next.find("/v1/").unwrap()..];
    let mut raw = Raw::to(gateway.addresses.data).await;
    raw.send(format!("GET {path} HTTP/1.1\r\nhost: gw\r\n\r\n")).await;
    assert_eq!(raw.read_some(1 << 20).await, 1 << 20);
    drop(raw);
    until_left(&gateway, "statement_executing", "GET").await;
    assert_eq!(gateway.in_flight(), 1, "the page went on, so does the query");
    let gone = gateway.client().send(http::Method::DELETE, path, "").await.unwrap();
    assert_eq!(gone.status, 204);
    gateway.stop().await;
}
