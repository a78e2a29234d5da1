//! Requests whose bytes are wrong: cut, slow, too long, or meant to be read in two ways.

use std::time::Duration;

use tokio::io::AsyncWriteExt;

use super::{cancel, gateway, roomy, stop_untouched};
use crate::harness::{
    gateway::Gateway,
    raw::{Raw, post},
    trino, wait,
};

#[tokio::test]
async fn half_a_request_line_costs_its_connection_only() {
    let coordinator = trino::trino().await;
    let gateway = gateway(&[&coordinator], ", headerTimeout: 300ms").await;
    let mut silent = Raw::to(gateway.addresses.data).await;
    silent.send("POST /v1/state").await;
    assert!(silent.is_ended().await, "cut after headerTimeout");
    let mut gone = Raw::to(gateway.addresses.data).await;
    gone.send("GET /v1/in").await;
    drop(gone);
    stop_untouched(gateway, &coordinator).await;
}

#[tokio::test]
async fn dribbled_headers_end_after_the_header_timeout_however_steadily_they_come() {
    let coordinator = trino::trino().await;
    let gateway = gateway(&[&coordinator], ", headerTimeout: 400ms").await;
    let mut raw = Raw::to(gateway.addresses.data).await;
    raw.send("POST /v1/statement HTTP/1.1\r\n").await;
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    let started = std::time::Instant::now();
    let mut lines = 0;
    while raw.stream.write_all(b"x-dribble: 1\r\n").await.is_ok() {
        ticks.tick().await;
        lines += 1;
        assert!(started.elapsed() < Duration::from_secs(15), "still open after {lines} lines");
    }
    stop_untouched(gateway, &coordinator).await;
}

#[tokio::test]
async fn an_idle_connection_outlives_the_header_timeout_and_ends_with_the_idle_one() {
    let coordinator = trino::trino().await;
    let gateway = gateway(&[&coordinator], ", headerTimeout: 200ms, idleTimeout: 1500ms").await;
    let mut raw = Raw::to(gateway.addresses.data).await;
    raw.send("GET /v1/info HTTP/1.1\r\nhost: gw\r\n\r\n").await;
    assert_eq!(raw.answer().await.status(), 200);
    wait::pass(Duration::from_millis(500)).await;
    raw.send("GET /v1/info HTTP/1.1\r\nhost: gw\r\n\r\n").await;
    assert_eq!(raw.answer().await.status(), 200, "idle is not dribbling");
    assert!(raw.is_ended().await, "idle for too long");
    stop_untouched(gateway, &coordinator).await;
}

#[tokio::test]
async fn a_thousand_header_lines_and_a_mebibyte_of_headers_pass() {
    let coordinator = roomy().await;
    let gateway = Gateway::before(&[&coordinator]).await;
    let many: String = (0..990).map(|n| format!("x-line-{n}: {n}\r\n")).collect();
    let large = format!("x-large: {}\r\n", "v".repeat(127 * 1024)).repeat(8);
    for headers in [many, large] {
        coordinator.forget();
        let told = Raw::ask(gateway.addresses.data, post(&headers, "SELECT 1")).await;
        assert_eq!(told.status(), 200, "{}", told.head);
        cancel(&gateway, &told).await;
        let seen = coordinator.seen();
        let post = seen.iter().find(|seen| seen.method == "POST").unwrap();
        let sent = headers.lines().count();
        let came = post.headers.iter().filter(|(name, _)| name.as_str().starts_with("x-l")).count();
        assert_eq!(came, sent);
    }
    gateway.stop().await;
}

#[tokio::test]
async fn more_headers_than_that_are_431() {
    let coordinator = roomy().await;
    let gateway = Gateway::before(&[&coordinator]).await;
    let many: String = (0..1_300).map(|n| format!("x-line-{n}: {n}\r\n")).collect();
    let large = format!("x-large: {}\r\n", "v".repeat(256 * 1024)).repeat(6);
    for headers in [many, large] {
        let told = Raw::ask(gateway.addresses.data, post(&headers, "SELECT 1")).await;
        assert_eq!(told.status(), 431, "{}", told.head);
    }
    stop_untouched(gateway, &coordinator).await;
}

#[tokio::test]
async fn a_body_longer_than_its_length_is_one_statement_and_a_broken_request() {
    let coordinator = trino::trino().await;
    let gateway = Gateway::before(&[&coordinator]).await;
    let mut raw = Raw::to(gateway.addresses.data).await;
    raw.send(post("", "SELECT 1") + "; DROP TABLE t").await;
    let told = raw.answer().await;
    assert_eq!(told.status(), 200);
    raw.stream.shutdown().await.unwrap();
    let rest = raw.answer().await;
    assert!(matches!(rest.status(), 0 | 400), "{rest:?}");
    cancel(&gateway, &told).await;
    let statements: Vec<String> =
        coordinator.seen().iter().filter(|s| s.method == "POST").map(|s| s.text()).collect();
    assert_eq!(statements, ["SELECT 1"]);
    gateway.stop().await;
}

#[tokio::test]
async fn a_body_shorter_than_its_length_is_no_statement() {
    let coordinator = trino::trino().await;
    let gateway = Gateway::before(&[&coordinator]).await;
    let mut raw = Raw::to(gateway.addresses.data).await;
    raw.send("POST /v1/statement HTTP/1.1\r\nhost: gw\r\nx-trino-user: u\r\ncontent-length: 100\r\n\r\nSELECT 1").await;
    raw.stream.shutdown().await.unwrap();
    let told = raw.answer().await;
    assert!(matches!(told.status(), 0 | 400), "{told:?}");
    stop_untouched(gateway, &coordinator).await;
}

#[tokio::test]
async fn peers_G11_what_could_be_read_in_two_ways_is_refused_and_smuggles_nothing() {
    let coordinator = trino::trino().await;
    let gateway = Gateway::before(&[&coordinator]).await;
    let begin = "POST /v1/statement HTTP/1.1\r\nhost: gw\r\nx-trino-user: u\r\n";
    let chunked = "transfer-encoding: chunked\r\n\r\n";
    for rest in [
        "content-length: 8\r\ncontent-length: 9\r\n\r\nSELECT 1",
        "content-length: 8, 9\r\n\r\nSELECT 1",
        "content-length: +8\r\n\r\nSELECT 1",
        "content-length: 0x8\r\n\r\nSELECT 1",
        "content-length: -8\r\n\r\nSELECT 1",
        "transfer-encoding: xchunked\r\n\r\n8\r\nSELECT 1\r\n0\r\n\r\n",
        "transfer-encoding: chunked, gzip\r\n\r\n8\r\nSELECT 1\r\n0\r\n\r\n",
        "transfer-encoding : chunked\r\n\r\n8\r\nSELECT 1\r\n0\r\n\r\n",
        "x-folded: a\r\n b\r\ncontent-length: 8\r\n\r\nSELECT 1",
        "x-zero: a\0b\r\ncontent-length: 8\r\n\r\nSELECT 1",
        "no colon here\r\ncontent-length: 8\r\n\r\nSELECT 1",
        &format!("{chunked}G\r\nSELECT 1\r\n0\r\n\r\n"),
        &format!("{chunked}-8\r\nSELECT 1\r\n0\r\n\r\n"),
        &format!("{chunked}0x8\r\nSELECT 1\r\n0\r\n\r\n"),
        &format!("{chunked}FFFFFFFFFFFFFFFFFF\r\nSELECT 1\r\n0\r\n\r\n"),
        &format!("{chunked}8\r\nSELECT 1XX0\r\n\r\n"),
        &format!("{chunked}8;{}\r\nSELECT 1\r\n0\r\n\r\n", "x".repeat(100_000)),
    ] {
        let told = Raw::ask(gateway.addresses.data, format!("{begin}{rest}")).await;
        assert!(matches!(told.status(), 0 | 400), "{rest:.80}: {told:?}");
    }
    stop_untouched(gateway, &coordinator).await;
}

#[tokio::test]
async fn peers_G11_behind_both_lengths_nothing_is_read_as_a_request() {
    let coordinator = trino::trino().await;
    let gateway = Gateway::before(&[&coordinator]).await;
    let smuggled = "GET /v1/query HTTP/1.1\r\nhost: gw\r\nx-trino-user: smuggler\r\n\r\n";
    let length = format!("content-length: {}\r\n", 18 + smuggled.len());
    let chunked = "transfer-encoding: chunked\r\n".to_owned();
    for both in [format!("{length}{chunked}"), format!("{chunked}{length}")] {
        let mut raw = Raw::to(gateway.addresses.data).await;
        raw.send(format!(
            "POST /v1/statement HTTP/1.1\r\nhost: gw\r\nx-trino-user: u\r\n{both}\r\n8\r\nSELECT 1\r\n0\r\n\r\n{smuggled}"
        ))
        .await;
        let told = raw.answer().await;
        if told.status() == 200 {
            cancel(&gateway, &told).await;
        }
        assert!(raw.is_ended().await, "the connection ends behind it");
    }
    assert!(coordinator.seen().iter().all(|seen| seen.path != "/v1/query"), "smuggled");
    gateway.stop().await;
}

#[tokio::test]
async fn a_stalled_statement_is_408() {
    let coordinator = trino::trino().await;
    let gateway = gateway(&[&coordinator], ", headerTimeout: 300ms").await;
    let mut raw = Raw::to(gateway.addresses.data).await;
    raw.send("POST /v1/statement HTTP/1.1\r\nhost: gw\r\nx-trino-user: u\r\ncontent-length: 100\r\n\r\nSELECT 1").await;
    let told = raw.answer().await;
    assert_eq!(told.status(), 408, "{told:?}");
    assert!(raw.is_ended().await, "what would come of the body is not the next request");
    stop_untouched(gateway, &coordinator).await;
}

#[tokio::test]
async fn a_statement_above_its_limit_is_413_and_one_at_it_passes() {
    let coordinator = trino::trino().await;
    let gateway = gateway(&[&coordinator], ", maxStatementBytes: 1MiB").await;
    let sized = |bytes: usize| format!("SELECT 1 {}", " ".repeat(bytes - 9));
    let rows = gateway.client().rows(sized(1 << 20)).await;
    assert_eq!(rows.len(), 1);
    for bytes in [(1 << 20) + 1, 9 << 20] {
        let refused =
            gateway.client().send(http::Method::POST, "/v1/statement", sized(bytes)).await;
        assert_eq!(refused.unwrap().status, 413);
    }
    let mut raw = Raw::to(gateway.addresses.data).await;
    raw.send("POST /v1/statement HTTP/1.1\r\nhost: gw\r\nx-trino-user: u\r\ncontent-length: 99999999999\r\n\r\n").await;
    assert_eq!(raw.answer().await.status(), 413, "one that nobody would wait for");
    assert_eq!(coordinator.counts().statements, 1);
    gateway.stop().await;
}
