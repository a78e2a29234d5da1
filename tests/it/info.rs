//! What the gateway answers by itself on the data port, also with nobody behind it.

#![allow(non_snake_case, reason = "tests bear the ids of the facts")]

use http::Method;

use crate::harness::{
    gateway::{Gateway, groups},
    raw::{Raw, post},
    trino,
};

async fn with_nobody() -> Gateway {
    Gateway::start(&groups(&["http://127.0.0.1:1".to_owned()], "")).await
}

#[tokio::test]
async fn obs_H4_info_and_state_are_there_with_no_backend_alive() {
    let gateway = with_nobody().await;
    let client = gateway.client();
    let info = client.get("/v1/info").await.unwrap();
    assert_eq!(info.status, 200);
    let page = info.json().unwrap();
    assert!(page["nodeVersion"]["version"].is_string() && page["environment"].is_string());
    assert_eq!(page["coordinator"], true);
    assert_eq!(page["starting"], false);
    assert!(page["uptime"].as_str().unwrap().ends_with('s'), "{page}");
    let state = client.get("/v1/info/state").await.unwrap();
    assert_eq!((state.status.as_u16(), state.text().as_str()), (200, "\"ACTIVE\""));
    assert_eq!(state.header("content-type"), "application/json");
    let text = client.clone().with("accept", "text/plain").get("/v1/info/state").await.unwrap();
    assert_eq!(text.text(), "ACTIVE");
    assert_eq!(client.get("/v1/info/coordinator").await.unwrap().status, 200);
    for client in [client.clone(), client.with("authorization", "Basic dGVzdDp4")] {
        let head = client.send(Method::HEAD, "/v1/statement", "").await.unwrap();
        assert_eq!(head.status, 200);
        assert!(head.raw.is_empty());
    }
    gateway.stop().await;
}

#[tokio::test]
async fn with_no_backend_a_statement_is_503_in_words_and_leaves_nothing() {
    let gateway = with_nobody().await;
    let refused = gateway.client().send(Method::POST, "/v1/statement", "SELECT 1").await.unwrap();
    assert_eq!(refused.status, 503);
    assert!(refused.header("retry-after").parse::<u32>().unwrap() > 0);
    assert!(refused.header("content-type").starts_with("text/plain"));
    assert!(!refused.header("x-gateway-reason").is_empty());
    assert!(
        refused.text().contains("adhoc") && refused.text().contains(refused.header("x-trace-id"))
    );
    assert!(refused.has("x-request-id"));
    assert_eq!(gateway.in_flight(), 0);
    gateway.stop().await;
}

#[tokio::test]
async fn with_no_backend_a_statement_is_503_as_json_for_those_who_name_it() {
    let gateway = with_nobody().await;
    let client = gateway.client().with("accept", "text/html, application/json;q=0.9");
    let refused = client.send(Method::POST, "/v1/statement", "SELECT 1").await.unwrap();
    assert_eq!(
        (refused.status.as_u16(), refused.header("content-type")),
        (503, "application/json")
    );
    let json = refused.json().unwrap();
    assert_eq!(json["reason"], refused.header("x-gateway-reason"));
    assert_eq!(json["traceId"], refused.header("x-trace-id"));
    assert_eq!(json["retryAfter"].to_string(), refused.header("retry-after"));
    assert_eq!((&json["routingGroup"], &json["gated"]), (&"adhoc".into(), &false.into()));
    assert!(json["error"].as_str().unwrap().starts_with("adhoc: "));
    gateway.stop().await;
}

#[tokio::test]
async fn peers_6_8_a_503_of_an_imported_group_is_xtrinodes_own() {
    let imported = groups(&["http://127.0.0.1:1".to_owned()], "");
    let gateway =
        Gateway::start(&format!("{imported}    coldStart: {{ contract: xtrinode }}\n")).await;
    let refused = gateway.client().send(Method::POST, "/v1/statement", "SELECT 1").await.unwrap();
    assert_eq!(
        (refused.status.as_u16(), refused.header("content-type")),
        (503, "application/json")
    );
    let expected =
        r#"{"error":"No backend available","gated":false,"retryAfter":30,"triggered":false}"#;
    assert_eq!((refused.text().as_str(), refused.header("retry-after")), (expected, "30"));
    assert!(!refused.header("x-gateway-reason").is_empty() && refused.has("x-trace-id"));
    assert!(!refused.has("x-gateway-resume-gated"));
    gateway.stop().await;
}

#[tokio::test]
async fn paths_and_methods_that_trino_does_not_have_get_its_words() {
    let coordinator = trino::trino().await;
    let gateway = Gateway::before(&[&coordinator]).await;
    let client = gateway.client();
    for path in [
        "/v1",
        "/v1/nothing",
        "/v2/statement",
        "/v1/statements",
        "/metrics",
        "/admin/reload",
        "/v1/task",
        "//",
        "/v1//statement",
    ] {
        let answer = client.get(path).await.unwrap();
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.text(), "Error 404 Not Found: HTTP 404 Not Found", "{path}");
    }
    for (method, path) in [
        (Method::PUT, "/v1/statement"),
        (Method::GET, "/v1/statement"),
        (Method::DELETE, "/v1/statement"),
        (Method::OPTIONS, "/v1/statement"),
        (Method::POST, "/v1/info"),
        (Method::PUT, "/v1/info/state"),
        (Method::PUT, "/v1/statement/queued/20260101_000000_00000_abcde/y/1"),
        (Method::POST, "/v1/statement/executing/20260101_000000_00000_abcde/y/1"),
    ] {
        let answer = client.send(method.clone(), path, "").await.unwrap();
        assert_eq!(answer.status, 405, "{method} {path}");
        assert_eq!(answer.text(), "Error 405 Method Not Allowed: HTTP 405 Method Not Allowed");
        assert!(answer.has("x-request-id") && answer.has("x-trace-id"));
    }
    for odd in [
        "OPTIONS * HTTP/1.1\r\nhost: gw\r\n\r\n",
        "CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n",
        "BREW /v1/info HTTP/1.1\r\nhost: gw\r\n\r\n",
    ] {
        let told = Raw::ask(gateway.addresses.data, odd).await;
        assert!((400..500).contains(&told.status()), "{odd}: {told:?}");
    }
    assert_eq!(coordinator.counts().statements, 0);
    gateway.stop().await;
}

#[tokio::test]
async fn the_proxy_protocol_names_the_client_and_is_asked_for_where_it_is_set() {
    let coordinator = trino::forwarded().await;
    let data =
        "data: { bind: \"127.0.0.1:0\", workers: 2, proxyProtocol: true, headerTimeout: 500ms }";
    let gateway = Gateway::start(&format!("{data}\n{}", groups(&[coordinator.url()], ""))).await;
    gateway.until_healthy(1).await;
    let addr = gateway.addresses.data;
    let mut two =
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x09\xc6\x33\x64\x01\xdc\x04\x01\xbb"
            .to_vec();
    let post = post("", "SELECT 1");
    two.extend(post.as_bytes());
    let one = format!("PROXY TCP4 192.0.2.9 198.51.100.1 56324 443\r\n{post}").into_bytes();
    for bytes in [one, two] {
        coordinator.forget();
        let told = Raw::ask(addr, bytes).await;
        assert_eq!(told.status(), 200, "{told:?}");
        let seen = coordinator.seen();
        let post = seen.iter().find(|seen| seen.method == "POST").unwrap();
        assert_eq!(post.header("x-forwarded-for"), Some("192.0.2.9"));
    }
    for none in ["GET /v1/info HTTP/1.1\r\nhost: gw\r\n\r\n", "PROXY ", "PROXY TCP4 x y 1 2\r\n"] {
        let told = Raw::ask(addr, none).await;
        assert_eq!(told.status(), 0, "{told:?}");
    }
    for query in coordinator.seen().iter().filter(|seen| seen.method == "POST") {
        assert_eq!(query.text(), "SELECT 1");
    }
    gateway.shared.table.retain(|query| {
        query.end(&sluice::queries::Ending::Canceled);
        true
    });
    gateway.stop().await;
}

#[tokio::test]
async fn whether_a_statement_would_be_let_in_is_for_a_backend_to_say() {
    for (trino, named, unnamed) in
        [(trino::trino().await, 200, 401), (trino::old().await, 405, 405)]
    {
        let gateway = Gateway::before(&[&trino]).await;
        let client = gateway.client();
        for (client, status) in [(client.clone(), named), (client.without("x-trino-user"), unnamed)]
        {
            let head = client.send(Method::HEAD, "/v1/statement", "").await.unwrap();
            assert_eq!(head.status, status);
            assert_eq!(head.has("www-authenticate"), status == 401);
        }
        assert_eq!(gateway.in_flight(), 0);
        gateway.stop().await;
        trino.stop().await;
    }
}
