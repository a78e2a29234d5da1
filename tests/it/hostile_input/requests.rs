//! Well-framed requests that lie: about who they are for, where they come from, what they are about.

use super::{cancel, gateway, stop_untouched};
use crate::harness::{
    gateway::Gateway,
    raw::{Raw, post},
    trino,
};

#[tokio::test]
async fn peers_X15_connection_takes_away_what_is_its_own_and_nothing_of_ours() {
    let coordinator = trino::forwarded().await;
    let gateway = Gateway::before(&[&coordinator]).await;
    let headers = "connection: x-trino-source, x-trino-user, x-request-id, x-forwarded-host, traceparent, \
         host, authorization, x-secret, content-length\r\n\
         x-trino-source: kept\r\nx-request-id: r-1\r\nauthorization: Basic dGVzdDo=\r\nx-secret: dropped\r\n\
         keep-alive: timeout=5\r\nte: trailers\r\nupgrade: h2c\r\nproxy-authorization: Basic eDp5\r\n";
    let told = Raw::ask(gateway.addresses.data, post(headers, "SELECT 1")).await;
    assert_eq!(told.status(), 200, "{told:?}");
    assert_eq!(told.header("x-request-id"), "r-1");
    cancel(&gateway, &told).await;
    let seen = coordinator.seen();
    let post = seen.iter().find(|seen| seen.method == "POST").unwrap();
    assert_eq!(post.text(), "SELECT 1");
    for (name, value) in
        [("x-trino-source", "kept"), ("x-trino-user", "test"), ("x-request-id", "r-1")]
    {
        assert_eq!(post.header(name), Some(value));
    }
    assert_eq!(post.header("authorization"), Some("Basic dGVzdDo="));
    assert!(post.header("traceparent").is_some(), "made by us, and not to be taken away");
    for name in ["x-secret", "keep-alive", "te", "upgrade", "proxy-authorization", "connection"] {
        assert_eq!(post.header(name), None, "{name}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn peers_G11_forwarding_headers_of_strangers_are_not_believed() {
    for coordinator in [trino::forwarded().await, trino::trino().await, trino::old().await] {
        let gateway = Gateway::before(&[&coordinator]).await;
        coordinator.forget();
        let client = gateway
            .client()
            .with("x-forwarded-host", "evil.example")
            .with("x-forwarded-proto", "https")
            .with("x-forwarded-port", "1")
            .with("x-forwarded-for", "6.6.6.6")
            .with("x-forwarded-prefix", "/evil")
            .with("x-forwarded-server", "evil.example")
            .with("forwarded", "for=6.6.6.6;host=evil.example;proto=https");
        // The strict client accepts no URI but the gateway's.
        assert_eq!(client.rows("SELECT * FROM sim.rows(10)").await.len(), 10);
        for seen in coordinator.seen().iter().filter(|seen| seen.path.contains("/statement")) {
            let all = format!("{:?}", seen.headers);
            assert!(!all.contains("evil") && !all.contains("6.6.6.6"), "{all}");
            assert_eq!(seen.header("forwarded"), None);
        }
        gateway.stop().await;
    }
}

#[tokio::test]
async fn ids_that_are_none_get_trinos_own_404_and_ask_nobody() {
    let coordinator = trino::trino().await;
    let gateway = Gateway::before(&[&coordinator]).await;
    let long = format!("/v1/statement/executing/{}/y0/0", "9".repeat(20_000));
    for path in [
        "/v1/statement/executing/nothing/y0/0",
        "/v1/statement/executing/20260101_000000_00000_ABCDE/y0/0",
        "/v1/statement/executing/20260101_000000_00000_abcd/y0/0",
        "/v1/statement/executing/20260101-000000-00000-abcde/y0/0",
        "/v1/statement/executing/%32%30260101_000000_00000_abcde/y0/0",
        "/v1/statement/executing/..%2f..%2f20260101_000000_00000_abcde/y0/0",
        "/v1/statement/queued/",
        "/v1/statement/queued//y0/0",
        "/v1/statement/",
        "/v1/statement/unknown/20260101_000000_00000_abcde/y0/0",
        "/v1/query/nothing",
        "/v1/query/'%20OR%201=1",
        "/_b/nobody/v1/statement/executing/nothing/y0/0",
        "/_b/../v1/statement/executing/nothing/y0/0",
        "/_b//v1/statement/executing/nothing/y0/0",
        &long,
    ] {
        let told =
            Raw::ask(gateway.addresses.data, format!("GET {path} HTTP/1.1\r\nhost: gw\r\n\r\n"))
                .await;
        assert_eq!(told.status(), 404, "{path:.80}: {told:?}");
        assert!(told.text().starts_with("Error 404 Not Found"), "{path:.80}: {}", told.text());
    }
    assert_eq!(coordinator.counts().polls, 0);
    let told = Raw::ask(
        gateway.addresses.data,
        "POST /_b/a/v1/statement HTTP/1.1\r\nhost: gw\r\nx-trino-user: u\r\ncontent-length: 8\r\n\r\nSELECT 1",
    )
    .await;
    assert_eq!(told.status(), 404, "nobody chooses a backend for a new statement");
    stop_untouched(gateway, &coordinator).await;
}

#[tokio::test]
async fn hosts_that_are_none_do_not_get_into_pages() {
    let coordinator = trino::trino().await;
    let gateway = gateway(&[&coordinator], "").await;
    let own = format!("http://{}", gateway.addresses.data.ip());
    for host in ["evil\"host", "a b", "x/y", "user@evil", "[::1", "a:99999", ""] {
        let told = Raw::ask(
            gateway.addresses.data,
            format!("POST /v1/statement HTTP/1.1\r\nhost: {host}\r\nx-trino-user: u\r\ncontent-length: 8\r\n\r\nSELECT 1"),
        )
        .await;
        if told.status() == 400 {
            continue;
        }
        assert_eq!(told.status(), 200, "{host}: {told:?}");
        let next = super::next_uri(&told).unwrap();
        assert!(next.starts_with(&own), "{host}: {next}");
        // Its port is the configured one, which is 0 here: ask under the real one.
        let path = &next[next.find("/v1/").unwrap()..];
        let gone = gateway.client().send(http::Method::DELETE, path, "").await.unwrap();
        assert_eq!(gone.status, 204);
    }
    gateway.stop().await;
}
