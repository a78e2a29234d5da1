//! Coordinators that answer with rubbish or die: the client never sees a clean end of something that broke.

use http::Method;
use sluice::simulator::Simulator;

use super::{cancel, next_uri, until_no_connection};
use crate::harness::{
    chaos::{Chaos, Weather},
    gateway::Gateway,
    raw::{Raw, Told, post},
    trino, wait,
};

/// Asks for a nextUri by hand.
async fn poll(gateway: &Gateway, uri: &str) -> Told {
    let path = &uri[uri.find("/v1/").unwrap()..];
    let host = gateway.addresses.data;
    Raw::ask(host, format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"))
        .await
}

/// Posts a statement and polls until a page has no nextUri or something else came than a page.
async fn follow(gateway: &Gateway, sql: &str) -> (Told, Option<String>) {
    let host = format!("x-trino-source: raw\r\nconnection: close\r\nx-host: {}\r\n", gateway.url());
    let begin = post(&host, sql).replace("host: gw", &format!("host: {}", gateway.addresses.data));
    let mut told = Raw::ask(gateway.addresses.data, begin).await;
    let mut asked = None;
    while told.is_whole
        && told.status() == 200
        && let Some(next) = next_uri(&told)
    {
        told = poll(gateway, &next).await;
        asked = Some(next);
    }
    (told, asked)
}

async fn fleet() -> (Simulator, Gateway) {
    let coordinator = trino::trino().await;
    let gateway = Gateway::before(&[&coordinator]).await;
    (coordinator, gateway)
}

/// The simulator makes its bomb when it is first asked for, which takes its time on a busy machine.
async fn patient_fleet() -> (Simulator, Gateway) {
    let coordinator = trino::trino().await;
    let groups = crate::harness::gateway::groups(&[coordinator.url()], "");
    let gateway = Gateway::start(&format!("upstream: {{ statementTimeout: 2m }}\n{groups}")).await;
    gateway.until_healthy(1).await;
    (coordinator, gateway)
}

#[tokio::test]
async fn an_answer_to_a_post_that_breaks_is_never_a_clean_one() {
    for ending in ["die", "die:head", "die:page", "truncate"] {
        let (_coordinator, gateway) = fleet().await;
        let sql = format!("SELECT 1 /* sim: ending={ending} at=post */");
        let told = Raw::ask(gateway.addresses.data, post("", &sql)).await;
        assert!(!told.is_whole || told.status() == 503, "{ending}: {told:?}");
        if let Some(id) =
            told.text().find("\"id\":\"").map(|at| told.text()[at + 6..at + 33].to_owned())
        {
            // Its id may have been read, so it counts until somebody says otherwise.
            let gone = gateway.client().send(Method::DELETE, &format!("/v1/query/{id}"), "").await;
            assert!(gone.unwrap().status.is_success());
        }
        gateway.until_idle().await;
        until_no_connection(&gateway).await;
        gateway.stop().await;
    }
}

#[tokio::test]
async fn a_poll_whose_coordinator_dies_once_is_repeated_or_seen_to_break() {
    for (ending, at) in [
        ("die", "queued"),
        ("die:head", "queued"),
        ("die:page", "queued"),
        ("truncate", "queued"),
        ("die", "0"),
        ("die:head", "0"),
        ("die:page", "0"),
        ("truncate", "0"),
    ] {
        let (_coordinator, gateway) = fleet().await;
        let sql =
            format!("SELECT * FROM sim.rows(9000) /* sim: ending={ending} at={at} times=1 */");
        let (told, asked) = follow(&gateway, &sql).await;
        let may_break = ending == "truncate" || ending == "die:page";
        if may_break && !(told.is_whole && told.status() == 200) {
            assert!(!told.is_whole || told.status() == 503, "{ending} at {at}: {}", told.head);
            // The same token again: the query goes on to its end.
            let mut told = poll(&gateway, &asked.unwrap()).await;
            while let Some(next) = next_uri(&told) {
                told = poll(&gateway, &next).await;
            }
            assert!(
                told.is_whole && told.text().contains("FINISHED"),
                "{ending} at {at}: {told:?}"
            );
        } else {
            assert!(
                told.is_whole && told.text().contains("FINISHED"),
                "{ending} at {at}: {told:?}"
            );
        }
        gateway.until_idle().await;
        until_no_connection(&gateway).await;
        gateway.stop().await;
    }
}

/// A gateway before a broken network, and the `nextUri` of a page that no row of socket buffers can hold.
async fn at_a_large_page(coordinator: &Simulator) -> (Chaos, Gateway, String) {
    let chaos = Chaos::before(coordinator.addr()).await;
    let gateway = Gateway::with_backends(&[chaos.url()]).await;
    let mut running = gateway
        .client()
        .start("SELECT * FROM t /* sim: running=0 pages=2 bytes=48MiB */")
        .await
        .unwrap();
    running
        .advance_until(|page| page.next.as_ref().is_some_and(|next| !next.is_queued))
        .await
        .unwrap();
    let next = running.next_uri();
    (chaos, gateway, next)
}

#[tokio::test]
async fn obs_M17_a_page_that_breaks_off_breaks_for_its_client_and_is_counted() {
    for weather in [Weather::Reset, Weather::Cut] {
        let coordinator = trino::trino().await;
        let (chaos, gateway, next) = at_a_large_page(&coordinator).await;
        let mut raw = Raw::to(gateway.addresses.data).await;
        raw.send(get(&next, "1.1")).await;
        assert!(raw.begins(100_000).await);
        chaos.turn(weather);
        let told = raw.answer().await;
        assert!(!told.is_whole, "{weather:?}: {}", told.head);
        let series =
            "gateway_errors_total{operation=\"statement_executing\",type=\"upstream_body\"}";
        wait::until_async("it is counted", async || gateway.metric(series).await == 1.0).await;
        chaos.restore();
        cancel_uri(&gateway, &next).await;
        gateway.stop().await;
    }
}

#[tokio::test]
async fn a_page_that_breaks_off_breaks_for_a_client_of_http_1_0_too() {
    let coordinator = trino::trino().await;
    let (chaos, gateway, next) = at_a_large_page(&coordinator).await;
    let mut raw = Raw::to(gateway.addresses.data).await;
    raw.send(get(&next, "1.0")).await;
    raw.read_some(100_000).await;
    chaos.turn(Weather::Cut);
    assert!(raw.is_reset().await, "to HTTP/1.0 a closed connection is the end of the page");
    chaos.restore();
    cancel_uri(&gateway, &next).await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_page_that_the_gateway_itself_cuts_off_breaks_for_a_client_of_http_1_0_too() {
    let coordinator = trino::trino().await;
    let (_chaos, gateway, next) = at_a_large_page(&coordinator).await;
    let mut raw = Raw::to(gateway.addresses.data).await;
    raw.send(get(&next, "1.0")).await;
    raw.read_some(100_000).await;
    gateway.terminate();
    wait::until_async("it drains", async || gateway.health("/readyz").await.0 == 503).await;
    // The second time it ends at once.
    gateway.terminate();
    gateway.ended().await;
    assert!(raw.is_reset().await, "a page that was cut off has no clean end");
}

fn get(uri: &str, version: &str) -> String {
    let path = &uri[uri.find("/v1/").unwrap()..];
    format!("GET {path} HTTP/{version}\r\nhost: gw\r\nx-trino-user: u\r\n\r\n")
}

async fn cancel_uri(gateway: &Gateway, uri: &str) {
    let path = &uri[uri.find("/v1/").unwrap()..];
    let gone = gateway.client().send(Method::DELETE, path, "").await.unwrap();
    assert_eq!(gone.status, 204);
}

#[tokio::test]
async fn answers_that_are_no_pages_pass_and_keep_nothing_alive() {
    for ending in ["endless", "notgzip", "bomb", "garbage"] {
        let (_coordinator, gateway) = patient_fleet().await;
        let sql = format!("SELECT 1 /* sim: ending={ending} at=post */");
        let told = Raw::ask(gateway.addresses.data, post("", &sql)).await;
        assert_eq!(told.status(), 200, "{ending}: {}", told.head);
        assert!(told.is_whole, "{ending}");
        if ending == "endless" {
            assert_eq!(told.body.len(), 128 * 64 * 1024 + 7, "it passes to its last byte");
        }
        if let Some(next) = next_uri(&told) {
            cancel_uri(&gateway, &next).await;
        }
        gateway.until_idle().await;
        gateway.stop().await;
    }
}

#[tokio::test]
async fn polls_answered_with_no_pages_leave_the_query_as_it_was() {
    for (ending, at) in [
        ("endless", "queued"),
        ("notgzip", "queued"),
        ("bomb", "queued"),
        ("garbage", "queued"),
        ("endless", "0"),
        ("notgzip", "0"),
        ("bomb", "0"),
        ("garbage", "0"),
    ] {
        let (_coordinator, gateway) = fleet().await;
        let sql = format!("SELECT * FROM sim.rows(10) /* sim: ending={ending} at={at} times=1 */");
        let told = Raw::ask(gateway.addresses.data, post("", &sql)).await;
        let mut next = next_uri(&told).unwrap();
        loop {
            let told = poll(&gateway, &next).await;
            assert_eq!(told.status(), 200, "{ending} at {at}: {}", told.head);
            assert!(told.is_whole, "{ending} at {at}");
            if told.header("content-encoding") == "gzip" {
                break;
            }
            match next_uri(&told) {
                Some(further) => next = further,
                None => break,
            }
        }
        assert_eq!(gateway.in_flight(), 1, "{ending} at {at}: no page has ended it");
        cancel_uri(&gateway, &next).await;
        gateway.stop().await;
    }
}

#[tokio::test]
async fn a_coordinator_that_stalls_is_given_up_in_time() {
    let coordinator = trino::trino().await;
    let yaml = crate::harness::gateway::groups(&[coordinator.url()], "");
    let yaml = format!("upstream: {{ statementTimeout: 300ms, firstByteTimeout: 300ms }}\n{yaml}");
    let gateway = Gateway::start(&yaml).await;
    gateway.until_healthy(1).await;
    let told =
        Raw::ask(gateway.addresses.data, post("", "SELECT 1 /* sim: ending=stall at=post */"))
            .await;
    assert_eq!(told.status(), 504, "{told:?}");
    gateway.until_idle().await;
    let (told, asked) =
        follow(&gateway, "SELECT * FROM sim.rows(10) /* sim: ending=stall at=0 times=1 */").await;
    assert_eq!(told.status(), 504, "{told:?}");
    cancel_uri(&gateway, &asked.unwrap()).await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_queue_of_pipelined_requests_is_answered_in_order() {
    let (_coordinator, gateway) = fleet().await;
    let mut raw = Raw::to(gateway.addresses.data).await;
    let info = "GET /v1/info/state HTTP/1.1\r\nhost: gw\r\naccept: text/plain\r\n\r\n";
    raw.send(format!("{info}{}{info}", post("", "SELECT 1"))).await;
    assert_eq!(raw.answer().await.text(), "ACTIVE");
    let told = raw.answer().await;
    assert_eq!(told.status(), 200);
    assert_eq!(raw.answer().await.text(), "ACTIVE");
    cancel(&gateway, &told).await;
    gateway.stop().await;
}
