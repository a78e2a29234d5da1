//! Bodies that come late, in pieces, or to nobody; and what becomes of the connection behind them.

use super::{cancel, stop_untouched};
use crate::harness::{
    gateway::Gateway,
    raw::{Raw, post},
    trino, wait,
};

const INFO: &str = "GET /v1/info/state HTTP/1.1\r\nhost: gw\r\naccept: text/plain\r\n\r\n";

#[tokio::test]
async fn a_client_that_waits_to_be_told_is_told_to_go_on() {
    let coordinator = trino::trino().await;
    let gateway = Gateway::before(&[&coordinator]).await;
    let mut raw = Raw::to(gateway.addresses.data).await;
    let whole = post("expect: 100-continue\r\n", "SELECT 1");
    let (head, body) = whole.split_at(whole.len() - "SELECT 1".len());
    raw.send(head).await;
    assert!(raw.begins("HTTP/1.1 100 Continue\r\n\r\n".len()).await, "it is told");
    assert_eq!(coordinator.counts().statements, 0);
    raw.send(body).await;
    let told = raw.answer().await;
    assert_eq!(told.status(), 200, "{told:?}");
    cancel(&gateway, &told).await;
    raw.send(INFO).await;
    assert_eq!(raw.answer().await.text(), "ACTIVE", "the connection goes on");
    gateway.stop().await;
}

#[tokio::test]
async fn who_is_refused_is_not_told_to_go_on() {
    let coordinator = trino::trino().await;
    let gateway = Gateway::before(&[&coordinator]).await;
    let mut raw = Raw::to(gateway.addresses.data).await;
    let head =
        "PUT /v1/nothing HTTP/1.1\r\nhost: gw\r\nexpect: 100-continue\r\ncontent-length: 8\r\n\r\n";
    raw.send(head).await;
    let text = "HTTP/1.1 404";
    assert!(raw.begins(text.len()).await);
    let told = raw.answer().await;
    assert_eq!((told.status(), told.header("connection")), (404, "close"), "{told:?}");
    assert!(raw.is_ended().await, "whether the body will come is not known");
    stop_untouched(gateway, &coordinator).await;
}

#[tokio::test]
async fn a_body_that_nobody_reads_is_passed_over_or_ends_the_connection() {
    let coordinator = trino::trino().await;
    let gateway = Gateway::before(&[&coordinator]).await;
    let unread = |length: usize| {
        format!("PUT /v1/nothing HTTP/1.1\r\nhost: gw\r\ncontent-length: {length}\r\n\r\n")
    };
    let mut raw = Raw::to(gateway.addresses.data).await;
    for body in [format!("{}12345678", unread(8)), unread(0)] {
        raw.send(format!("{body}{INFO}")).await;
        assert_eq!(raw.answer().await.status(), 404);
        assert_eq!(raw.answer().await.text(), "ACTIVE", "behind it");
    }
    let large = unread(4 << 20).into_bytes();
    raw.send([large, vec![b'x'; 4 << 20]].concat()).await;
    let told = raw.answer().await;
    assert_eq!((told.status(), told.is_whole), (404, true), "{told:?}");
    assert_eq!(told.header("connection"), "close");
    stop_untouched(gateway, &coordinator).await;
}

#[tokio::test]
async fn a_statement_in_chunks_of_a_byte_is_one_statement() {
    let coordinator = trino::trino().await;
    let gateway = Gateway::before(&[&coordinator]).await;
    let mut raw = Raw::to(gateway.addresses.data).await;
    let head = "POST /v1/statement HTTP/1.1\r\nhost: gw\r\nx-trino-user: u\r\ntransfer-encoding: chunked\r\n\r\n";
    raw.send(head).await;
    for byte in "SELECT 1".chars() {
        raw.send(format!("1\r\n{byte}\r\n")).await;
        tokio::task::yield_now().await;
    }
    raw.send(format!("0\r\nx-trailer: 1\r\n\r\n{INFO}")).await;
    let told = raw.answer().await;
    assert_eq!(told.status(), 200, "{told:?}");
    assert_eq!(raw.answer().await.text(), "ACTIVE");
    cancel(&gateway, &told).await;
    let seen = coordinator.seen();
    let statements: Vec<_> =
        seen.iter().filter(|seen| seen.method == "POST").map(|seen| seen.text()).collect();
    assert_eq!(statements, ["SELECT 1"]);
    gateway.stop().await;
}

#[tokio::test]
async fn a_connection_of_http_1_0_is_kept_for_who_asks_for_it() {
    let coordinator = trino::trino().await;
    let gateway = Gateway::before(&[&coordinator]).await;
    let old = |line: &str| {
        format!("GET /v1/info/state HTTP/1.0\r\nhost: gw\r\naccept: text/plain\r\n{line}\r\n")
    };
    let mut raw = Raw::to(gateway.addresses.data).await;
    for _ in 0..2 {
        raw.send(old("connection: keep-alive\r\n")).await;
        let told = raw.answer().await;
        assert_eq!((told.status(), told.header("connection")), (200, "keep-alive"), "{told:?}");
        assert!(told.head.starts_with("HTTP/1.0 "), "{told:?}");
    }
    raw.send(old("")).await;
    assert_eq!(raw.answer().await.status(), 200);
    assert!(raw.is_ended().await);
    wait::until_async("no open connection", async || {
        gateway.metric("gateway_client_connections_active").await == 0.0
    })
    .await;
    gateway.stop().await;
}
