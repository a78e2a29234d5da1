//! Pages of any size: byte for byte, in a bounded buffer, with back-pressure in both directions.

#![allow(non_snake_case, reason = "tests bear the ids of the facts")]

use std::time::Duration;

use axum::{body::Body, response::Response};
use bytes::Bytes;
use sluice::simulator::Simulator;

use crate::harness::{
    canned::{self, Asked, Canned, ID},
    chaos::Chaos,
    gateway::{Gateway, groups},
    raw::{Raw, post},
    trino, wait,
};

/// A query whose next page is a large one.
async fn at_its_page(gateway: &Gateway, size: &str, encoding: &str) -> String {
    let sql = format!("SELECT * FROM t /* sim: running=0 pages=1 bytes={size} */");
    let mut running = gateway.client().with("accept-encoding", encoding).start(sql).await.unwrap();
    running
        .advance_until(|page| page.next.as_ref().is_some_and(|next| !next.is_queued))
        .await
        .unwrap();
    running.next_uri()
}

fn path(uri: &str) -> &str {
    &uri[uri.find("/v1/").unwrap()..]
}

async fn end(gateway: Gateway, next: &str) {
    gateway.client().send(http::Method::DELETE, next, "").await.unwrap();
    gateway.stop().await;
}

async fn compare(coordinator: &Simulator, size: &str, encoding: &str) {
    let gateway = Gateway::before(&[coordinator]).await;
    let next = at_its_page(&gateway, size, encoding).await;
    let client = gateway.client().with("accept-encoding", encoding);
    let through = client.get(&next).await.unwrap();
    // The same token again, directly, gives the same page again.
    let direct = client.clone().via(coordinator.addr()).get(&next).await.unwrap();
    assert_eq!(through.header("content-encoding"), direct.header("content-encoding"));
    assert!(through.raw == direct.raw, "{} and {} bytes", through.raw.len(), direct.raw.len());
    end(gateway, &next).await;
}

#[tokio::test]
async fn peers_G1_a_page_of_64_mebibytes_is_byte_exact() {
    compare(&trino::trino().await, "64MiB", "identity").await;
}

#[tokio::test]
async fn peers_G12_compression_passes_end_to_end_untouched() {
    for encoding in ["gzip", "zstd"] {
        let coordinator = trino::trino().await;
        compare(&coordinator, "1MiB", encoding).await;
        let polls = coordinator.seen();
        let poll = polls
            .iter()
            .rev()
            .find(|seen| seen.method == "GET" && seen.path.contains("/executing/"))
            .unwrap();
        assert_eq!(poll.header("accept-encoding"), Some(encoding));
    }
}

#[tokio::test]
async fn peers_G1_a_statement_of_any_bytes_arrives_as_it_was_sent() {
    let coordinator = trino::trino().await;
    let gateway = Gateway::before(&[&coordinator]).await;
    let mut body = b"SELECT 1 -- ".to_vec();
    body.extend((0..=255).cycle().take(3 << 20));
    let answer =
        gateway.client().send(http::Method::POST, "/v1/statement", body.clone()).await.unwrap();
    let seen = coordinator.seen();
    let post = seen.iter().find(|seen| seen.method == "POST").unwrap();
    assert!(post.body == body);
    let next = answer.json().unwrap()["nextUri"].as_str().unwrap().to_owned();
    end(gateway, &next).await;
}

#[tokio::test]
async fn peers_L2_a_slow_client_holds_its_coordinator_back_and_memory_stays_flat() {
    let coordinator = trino::trino().await;
    let chaos = Chaos::before(coordinator.addr()).await;
    let gateway = Gateway::with_backends(&[chaos.url()]).await;
    let next = at_its_page(&gateway, "256MiB", "identity").await;
    let before = chaos.bytes();
    let mut raw = Raw::to(gateway.addresses.data).await;
    raw.send(format!("GET {} HTTP/1.1\r\nhost: gw\r\n\r\n", path(&next))).await;
    assert_eq!(raw.read_some(1 << 20).await, 1 << 20);
    // Until nothing moves any more: every buffer on the way is full.
    let mut last = 0;
    wait::until_async("a standstill", async || {
        wait::pass(Duration::from_millis(300)).await;
        let now = chaos.bytes();
        // Probes come the same way.
        now - std::mem::replace(&mut last, now) < 64 << 10
    })
    .await;
    let moved = chaos.bytes() - before;
    assert!(moved < 48 << 20, "{moved} bytes left the coordinator for a client that took 1 MiB");
    drop(raw);
    end(gateway, &next).await;
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut_off_after_the_write_timeout() {
    let coordinator = trino::trino().await;
    let data = "data: { bind: \"127.0.0.1:0\", workers: 2, writeTimeout: 500ms }\n";
    let gateway = Gateway::start(&format!("{data}{}", groups(&[coordinator.url()], ""))).await;
    gateway.until_healthy(1).await;
    let next = at_its_page(&gateway, "256MiB", "identity").await;
    let mut raw = Raw::to(gateway.addresses.data).await;
    raw.send(format!("GET {} HTTP/1.1\r\nhost: gw\r\n\r\n", path(&next))).await;
    let series = "gateway_http_requests_total{method=\"GET\",operation=\"statement_executing\",status_code=\"499\"}";
    wait::until_async("it is cut off", async || gateway.metric(series).await == 1.0).await;
    drop(raw);
    end(gateway, &next).await;
}

/// A page of 3 MiB and its `nextUri`, which names it again.
fn large_page(asked: &Asked) -> String {
    let base = asked.base();
    let rows = vec![r#"["abcdefghijklmnopqrstuvwxyz"]"#; 100_000].join(",");
    format!(
        r#"{{"id":"{ID}","infoUri":"{base}/ui/query.html?{ID}","nextUri":"{base}{AGAIN}","columns":[],"data":[{rows}],"stats":{{"state":"RUNNING"}},"warnings":[]}}"#
    )
}

const AGAIN: &str = "/v1/statement/executing/20260101_000000_00001_canne/x/1";

/// In chunks of all sizes, or of a stated length.
fn told(asked: &Asked) -> Response {
    if asked.method == http::Method::POST {
        return canned::first(asked, AGAIN);
    }
    if asked.method == http::Method::DELETE {
        return canned::status(204, "");
    }
    let text = Bytes::from(large_page(asked));
    if asked.headers.contains_key("x-trino-stated") {
        return canned::page(text);
    }
    let sizes = [20_000, 32_768, 32_768, 1, 300, 4_095, 16_384, 65_536, 1_048_576].into_iter();
    let pieces = sizes.cycle().scan(text, |left, size| {
        let piece = left.split_to(size.min(left.len()));
        (!piece.is_empty()).then_some(Ok::<_, std::convert::Infallible>(piece))
    });
    canned::page(Body::from_stream(tokio_stream::iter(pieces)))
}

#[tokio::test]
async fn a_large_page_comes_whole_again_and_again_however_it_is_framed_and_is_counted() {
    let coordinator = Canned::start(told).await;
    let gateway = Gateway::with_backends(&[coordinator.url()]).await;
    Raw::ask(gateway.addresses.data, post("", "SELECT 1")).await;
    let mut raw = Raw::to(gateway.addresses.data).await;
    let (mut bytes, mut pages) = (0, 0);
    for stated in ["", "x-trino-stated: 1\r\n"] {
        // The line to the coordinator learns that its pages are large.
        for round in 0..4 {
            raw.send(format!("GET {AGAIN} HTTP/1.1\r\nhost: gw\r\n{stated}\r\n")).await;
            let page = raw.answer().await;
            let expected = large_page(coordinator.asked().last().unwrap());
            assert!(page.is_whole && page.body == expected.as_bytes(), "{stated}{round}");
            (bytes, pages) = (bytes + page.body.len(), pages + 1);
        }
        let get = format!("GET {AGAIN} HTTP/1.0\r\nhost: gw\r\n{stated}\r\n");
        let page = Raw::ask(gateway.addresses.data, get).await;
        let expected = large_page(coordinator.asked().last().unwrap());
        assert!(page.is_whole && page.body == expected.as_bytes(), "HTTP/1.0 {stated}");
        (bytes, pages) = (bytes + page.body.len(), pages + 1);
    }
    let answered = "gateway_http_requests_total{method=\"GET\",operation=\"statement_executing\",status_code=\"200\"}";
    wait::until_async("all are counted", async || {
        gateway.metric(answered).await == f64::from(pages)
    })
    .await;
    for direction in ["in", "out"] {
        let series = format!(
            "gateway_result_bytes_total{{direction=\"{direction}\",encoding=\"json\",routing_group=\"adhoc\"}}"
        );
        let counted = gateway.metric(&series).await;
        let first = 1_000.0;
        assert!((bytes as f64..bytes as f64 + first).contains(&counted), "{counted} of {bytes}");
    }
    end(gateway, AGAIN).await;
}
