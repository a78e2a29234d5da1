//! HTTP/2: each stream by itself, whatever the others of its connection do.

use std::time::Duration;

use sluice::simulator::Simulator;
use tokio::time::Instant;

use super::Door;
use crate::harness::{
    chaos::{Chaos, Weather},
    frames::{
        DATA, END_HEADERS, END_STREAM, Frames, GOAWAY, HEADERS, INITIAL_WINDOW_SIZE, RST_STREAM,
        WINDOW_UPDATE,
    },
    gateway::groups,
    trino, wait,
};

/// A window that no page here fills.
const WIDE: u32 = 1 << 28;

/// The reason of a stream whose side gave it up.
const CANCEL: u32 = 0x8;

impl Door {
    async fn with_data(coordinator: &Simulator, data: &str) -> Self {
        Self::with(&groups(&[coordinator.url()], ""), data, 1).await
    }

    async fn frames(&self, settings: &[(u16, u32)]) -> Frames {
        let secure = self.authority.trusted(&["h2"]);
        Frames::to(&secure, self.gateway.addresses.data, settings).await
    }

    async fn connections(&self) -> f64 {
        self.gateway.metric("gateway_client_connections_active").await
    }
}

/// The path of the page's nextUri.
fn next_path(body: &[u8]) -> String {
    let page: serde_json::Value = serde_json::from_slice(body).unwrap();
    let next = page["nextUri"].as_str().unwrap();
    next[next.find("/v1/").unwrap()..].to_owned()
}

/// Follows a statement up to its executing pages; the path of the next one.
async fn executing(frames: &mut Frames, stream: &mut u32, sql: &str) -> String {
    frames.post(*stream, sql).await;
    loop {
        let path = next_path(&frames.until_end(*stream).await.0);
        *stream += 2;
        if path.contains("/executing/") {
            return path;
        }
        frames.ask(*stream, "GET", &path).await;
    }
}

#[tokio::test]
async fn a_stream_that_its_client_resets_is_a_client_that_left() {
    let coordinator = trino::trino().await;
    let door = Door::before(&coordinator).await;
    let mut frames = door.frames(&[]).await;
    frames.post(1, "SELECT 1 /* sim: ending=stall at=post */").await;
    wait::until("an accepted statement", || door.gateway.in_flight() == 1).await;
    wait::until("it is with its coordinator", || coordinator.counts().statements == 1).await;
    frames.send(RST_STREAM, 0, 1, &CANCEL.to_be_bytes()).await;
    door.gateway.until_idle().await;
    let left = "gateway_http_requests_total{method=\"POST\",operation=\"statement_submit\",status_code=\"499\"}";
    wait::until_async("one that left", async || door.gateway.metric(left).await == 1.0).await;
    // Half a statement, and its client goes.
    let head = frames.head("POST", "/v1/statement", &[]);
    frames.send(HEADERS, END_HEADERS, 3, &head).await;
    frames.send(DATA, 0, 3, b"SELECT").await;
    frames.send(RST_STREAM, 0, 3, &CANCEL.to_be_bytes()).await;
    wait::until_async("another", async || door.gateway.metric(left).await == 2.0).await;
    frames.ask(5, "GET", "/v1/info").await;
    assert!(frames.until_end(5).await.1.ends_stream(), "the connection lives on");
    drop(frames);
    door.stop().await;
}

#[tokio::test]
async fn a_page_that_breaks_off_resets_its_stream_and_no_other() {
    let coordinator = trino::trino().await;
    let chaos = Chaos::before(coordinator.addr()).await;
    let door = Door::with(&groups(&[chaos.url()], ""), "", 1).await;
    for weather in [Weather::Cut, Weather::Reset] {
        let mut frames = door.frames(&[]).await;
        let mut stream = 1;
        let sql = "SELECT 1 /* sim: pages=2 bytes=32MiB running=0 */";
        let page = executing(&mut frames, &mut stream, sql).await;
        // It has begun, and our window of 64 KiB holds most of it back.
        frames.ask(stream, "GET", &page).await;
        frames.next_of(DATA).await;
        chaos.turn(weather);
        for on in [0, stream] {
            frames.send(WINDOW_UPDATE, 0, on, &WIDE.to_be_bytes()).await;
        }
        let (_, last) = frames.until_end(stream).await;
        assert_eq!(last.kind, RST_STREAM, "{weather:?}: {last:?}");
        chaos.restore();
        // As the strict client has to: the same page again, which is there.
        frames.ask(stream + 2, "GET", &page).await;
        frames.send(WINDOW_UPDATE, 0, stream + 2, &WIDE.to_be_bytes()).await;
        assert!(frames.until_end(stream + 2).await.1.ends_stream(), "{weather:?}");
        frames.ask(stream + 4, "DELETE", &page).await;
        assert!(frames.until_end(stream + 4).await.1.ends_stream(), "{weather:?}");
    }
    door.gateway.until_idle().await;
    door.stop().await;
}

#[tokio::test]
async fn a_client_that_takes_nothing_of_one_stream_loses_that_one() {
    let coordinator = trino::trino().await;
    let door = Door::with_data(&coordinator, ", writeTimeout: 300ms").await;
    let mut frames = door.frames(&[]).await;
    let sql = "SELECT * FROM t /* sim: pages=2 bytes=8MiB running=0 */";
    let mut stream = 1;
    let path = executing(&mut frames, &mut stream, sql).await;
    // The usual window of 64 KiB is never opened again.
    frames.ask(stream, "GET", &path).await;
    let (_, last) = frames.until_end(stream).await;
    assert_eq!((last.kind, last.number(0)), (RST_STREAM, CANCEL), "{last:?}");
    frames.ask(stream + 2, "HEAD", "/v1/statement").await;
    assert!(frames.until_end(stream + 2).await.1.ends_stream(), "the others live on");
    let left = "gateway_http_requests_total{method=\"GET\",operation=\"statement_executing\",status_code=\"499\"}";
    assert_eq!(door.gateway.metric(left).await, 1.0);
    frames.ask(stream + 4, "DELETE", &path).await;
    assert!(frames.until_end(stream + 4).await.1.ends_stream());
    drop(frames);
    door.stop().await;
}

#[tokio::test]
async fn a_stream_that_waits_for_its_coordinator_is_nobodys_fault() {
    let coordinator = trino::trino().await;
    let door = Door::with_data(
        &coordinator,
        ", writeTimeout: 200ms, idleTimeout: 200ms, headerTimeout: 200ms",
    )
    .await;
    let mut frames = door.frames(&[]).await;
    let mut stream = 1;
    let path = executing(&mut frames, &mut stream, "SELECT 1 /* sim: running=1500ms */").await;
    let began = Instant::now();
    frames.ask(stream, "GET", &path).await;
    let (body, last) = frames.until_end(stream).await;
    assert!(last.ends_stream(), "{last:?}");
    assert!(began.elapsed() > Duration::from_millis(600), "it was a long poll");
    frames.ask(stream + 2, "DELETE", &next_path(&body)).await;
    assert!(frames.until_end(stream + 2).await.1.ends_stream());
    drop(frames);
    door.stop().await;
}

#[tokio::test]
async fn a_head_that_does_not_end_ends_the_connection_although_others_are_served() {
    let coordinator = trino::trino().await;
    let door = Door::with_data(&coordinator, ", headerTimeout: 300ms").await;
    let mut frames = door.frames(&[]).await;
    frames.post(1, "SELECT 1 /* sim: ending=stall at=post */").await;
    wait::until("an accepted statement", || door.gateway.in_flight() == 1).await;
    let head = frames.head("GET", "/v1/info", &[]);
    frames.send(HEADERS, END_STREAM, 3, &head).await;
    frames.until_closed().await;
    door.gateway.until_idle().await;
    door.stop().await;
}

#[tokio::test]
async fn a_connection_without_a_stream_is_told_to_go_and_one_with_a_stream_is_not() {
    let coordinator = trino::trino().await;
    let door = Door::with_data(&coordinator, ", idleTimeout: 300ms, writeTimeout: 500ms").await;
    let mut frames = door.frames(&[]).await;
    frames.ask(1, "GET", "/v1/info").await;
    assert!(frames.until_end(1).await.1.ends_stream());
    let told = frames.until_closed().await;
    assert!(told.iter().any(|frame| frame.kind == GOAWAY && frame.number(4) == 0), "{told:?}");
    // One that never answers anything is cut.
    let mut deaf = door.frames(&[]).await;
    deaf.answers_pings = false;
    let told = deaf.until_closed().await;
    assert!(told.iter().any(|frame| frame.kind == GOAWAY), "{told:?}");
    wait::until_async("no connection", async || door.connections().await == 0.0).await;
    door.stop().await;
}

#[tokio::test]
async fn a_drain_says_goaway_and_finishes_what_is_open() {
    let coordinator = trino::trino().await;
    let yaml = groups(&[coordinator.url()], "");
    let door = Door::with(&format!("drain: {{ wait: 3s, deadline: 10s }}\n{yaml}"), "", 1).await;
    let mut frames = door.frames(&[]).await;
    let mut stream = 1;
    let path = executing(&mut frames, &mut stream, "SELECT 1 /* sim: running=1500ms */").await;
    let polls = coordinator.counts().polls;
    frames.ask(stream, "GET", &path).await;
    wait::until("the poll is with its coordinator", || coordinator.counts().polls > polls).await;
    door.gateway.terminate();
    let first = frames.next_of(GOAWAY).await;
    assert_eq!((first.number(0), first.number(4)), (0x7fff_ffff, 0), "nothing is refused yet");
    let second = frames.next_of(GOAWAY).await;
    assert_eq!((second.number(0), second.number(4)), (stream, 0));
    let (body, last) = frames.until_end(stream).await;
    assert!(last.ends_stream(), "{last:?}");
    assert!(frames.until_closed().await.is_empty());
    // Who comes now is served once, and sent away.
    let mut late = door.frames(&[]).await;
    late.ask(1, "DELETE", &next_path(&body)).await;
    let told = late.until_closed().await;
    assert!(told.iter().any(|frame| frame.ends_stream() && frame.stream == 1), "{told:?}");
    assert!(told.iter().any(|frame| frame.kind == GOAWAY), "{told:?}");
    door.gateway.ended().await;
}

#[tokio::test]
async fn connections_that_never_asked_end_with_the_port_and_nothing_waits_for_them() {
    let coordinator = trino::trino().await;
    let door = Door::before(&coordinator).await;
    let mut silent = door.frames(&[]).await;
    door.gateway.terminate();
    let told = silent.until_closed().await;
    assert!(told.iter().any(|frame| frame.kind == GOAWAY), "{told:?}");
    let began = Instant::now();
    door.gateway.ended().await;
    assert!(began.elapsed() < Duration::from_secs(3), "nothing was left to wait for");
}

#[tokio::test]
async fn what_is_cut_at_the_end_counts_no_more() {
    let coordinator = trino::trino().await;
    let yaml = groups(&[coordinator.url()], "");
    let door =
        Door::with(&format!("drain: {{ wait: 50ms, deadline: 200ms }}\n{yaml}"), "", 1).await;
    let mut frames = door.frames(&[(INITIAL_WINDOW_SIZE, 1 << 20)]).await;
    frames.post(1, "SELECT 1 /* sim: ending=stall at=post */").await;
    wait::until("an accepted statement", || door.gateway.in_flight() == 1).await;
    door.gateway.terminate();
    let shared = std::sync::Arc::clone(&door.gateway.shared);
    door.gateway.ended().await;
    assert_eq!(shared.ledger.total(), 0);
    frames.until_closed().await;
}
