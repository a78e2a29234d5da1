//! What lies around the protocol: headers, statuses, encodings, hosts.

use http::Method;
use sluice::simulator::Forwarded;

use super::target::{LONG, Target};
use crate::harness::client::Answer;

const UNKNOWN: &str = "20241030_150409_00000_zhg55/y3ad3f7e909dd59fa86eaf43c51a1f45bed0357f0";

pub(super) async fn unknown_queries(target: Target) {
    let client = target.client();
    for (method, path) in [
        (Method::GET, format!("/v1/statement/queued/{UNKNOWN}/1")),
        (Method::GET, format!("/v1/statement/executing/{UNKNOWN}/0")),
        (Method::DELETE, format!("/v1/statement/queued/{UNKNOWN}/1")),
        (Method::DELETE, format!("/v1/statement/executing/{UNKNOWN}/0")),
        (Method::GET, "/v1/statement/queued/abc/yabc/1".to_owned()),
    ] {
        let answer = client.send(method, &path, "").await.unwrap();
        target.assert_error(&answer, 404, "Query not found");
    }
    let head = client.send(Method::HEAD, &format!("/v1/statement/executing/{UNKNOWN}/0"), "").await;
    assert_eq!(head.unwrap().status, 404);
    let no_token = client.get(&format!("/v1/statement/queued/{UNKNOWN}/x")).await.unwrap();
    assert_eq!(no_token.status, 404);
}

pub(super) async fn no_user(target: Target) {
    let stranger = target.client().without("x-trino-user");
    for body in ["SELECT 1", ""] {
        let answer = stranger.send(Method::POST, "/v1/statement", body).await.unwrap();
        assert_eq!(answer.status, 401);
        assert_eq!(answer.header("www-authenticate"), "Basic realm=\"Trino\"");
        assert_eq!(answer.header("content-type"), "text/plain;charset=utf-8");
        let words = "Basic authentication or X-Trino-Original-User or X-Trino-User must be sent";
        assert_eq!(answer.text(), words);
    }
    let basic = stranger.clone().with("authorization", "Basic dGVzdDo=");
    assert_eq!(basic.rows("SELECT 1").await.len(), 1);
    // Following a query needs nothing but its slug.
    let uri = target.client().start("SELECT 1").await.unwrap().next_uri();
    assert_eq!(stranger.get(&uri).await.unwrap().status, 200);
    assert_eq!(stranger.send(Method::DELETE, &uri, "").await.unwrap().status, 204);
}

pub(super) async fn empty_statement(target: Target) {
    let answer = target.client().send(Method::POST, "/v1/statement", "").await.unwrap();
    target.assert_error(&answer, 400, "SQL statement is empty");
    let done = target.client().query("  ").await.unwrap();
    assert_eq!(done.error_name(), Some("SYNTAX_ERROR"));
}

pub(super) async fn wrong_methods(target: Target) {
    let client = target.client();
    let executing = format!("/v1/statement/executing/{UNKNOWN}/0");
    for (method, path) in [(Method::PUT, "/v1/statement"), (Method::PUT, &executing)] {
        let answer = client.send(method, path, "").await.unwrap();
        assert_eq!(answer.status, 405);
        let expected = match (path == executing, target.is_new()) {
            (true, true) => "HEAD,DELETE,GET,OPTIONS",
            (true, false) => "DELETE,GET,OPTIONS",
            (false, true) => "HEAD,POST,OPTIONS",
            (false, false) => "POST,OPTIONS",
        };
        assert_eq!(sorted(answer.header("allow")), sorted(expected));
    }
}

fn sorted(list: &str) -> Vec<&str> {
    let mut words: Vec<&str> = list.split(',').map(str::trim).collect();
    words.sort_unstable();
    words
}

pub(super) async fn unknown_paths(target: Target) {
    for path in ["/v1/nothing", "/nothing", "/v1/cluster", "/ui/nothing", "/oauth2/token/abc"] {
        let answer = target.client().get(path).await.unwrap();
        target.assert_error(&answer, 404, "HTTP 404 Not Found");
    }
}

pub(super) async fn compression(target: Target) {
    // brotli is left out: the simulator has none, and a proxy that reads bodies must not ask for it.
    let table = [
        ("", "", ""),
        ("deflate", "", ""),
        ("identity", "", ""),
        ("gzip", "gzip", "gzip"),
        ("zstd", "zstd", ""),
        ("gzip, zstd", "gzip", "gzip"),
        ("zstd, gzip", "zstd", "gzip"),
        ("gzip;q=0.5, zstd;q=1", "zstd", "gzip"),
        ("gzip;q=0", "", ""),
        ("gzip, deflate", "gzip", "gzip"),
        ("gzip, compress, deflate, br", "gzip", "gzip"),
    ];
    for (asked, new, old) in table {
        let client = match asked {
            "" => target.client(),
            asked => target.client().with("accept-encoding", asked),
        };
        let expected = if target.is_new() { new } else { old };
        let info = client.get("/v1/info").await.unwrap();
        assert_eq!(info.header("content-encoding"), expected, "{asked}");
        assert!(info.json().is_ok());
        let done = client.query("SELECT 1").await.unwrap();
        for page in &done.pages {
            assert_eq!(page.answer.header("content-encoding"), expected, "{asked}");
        }
        assert_eq!(done.rows, [serde_json::json!([1])]);
        let error = client.get(&format!("/v1/statement/queued/{UNKNOWN}/1")).await.unwrap();
        assert!(!error.has("content-encoding"), "errors are never compressed");
    }
}

pub(super) async fn headers(target: Target) {
    let done = target.client().query("SELECT 1").await.unwrap();
    for page in &done.pages {
        let answer = &page.answer;
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("vary"), "Accept-Encoding");
        assert!(answer.has("date"));
        for name in ["server", "connection", "cache-control", "content-encoding"] {
            assert!(!answer.has(name), "{name}");
        }
        assert_length(&target, answer);
        assert_eq!(answer.raw.ends_with(b"\n"), !target.is_new());
    }
}

/// 483 sends everything chunked, 435 what is small with its length.
fn assert_length(target: &Target, answer: &Answer) {
    assert_eq!(answer.has("content-length"), !target.is_new());
    assert_eq!(answer.header("transfer-encoding") == "chunked", target.is_new());
}

pub(super) async fn heartbeat(target: Target) {
    let mut running = target.client().start(LONG).await.unwrap();
    running.advance_until(|page| page.state == "RUNNING").await.unwrap();
    let before = running.next_uri();
    let answer = running.heartbeat().await.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert!(answer.raw.is_empty());
    // Whatever it was answered with, the page is still to be had.
    assert_eq!(running.next_uri(), before);
    assert!(running.advance().await.unwrap());
    running.cancel().await.unwrap();
    let answer = running.heartbeat().await.unwrap();
    assert_eq!(answer.status, 200, "a query that has ended is known for a while");
}

pub(super) async fn head_statement(target: Target) {
    let client = target.client();
    let answer = client.send(Method::HEAD, "/v1/statement", "").await.unwrap();
    assert_eq!(answer.status, if target.is_new() { 200 } else { 405 });
    if target.is_new() {
        assert_eq!(answer.header("content-length"), "0");
        let stranger = client.without("x-trino-user");
        let answer = stranger.send(Method::HEAD, "/v1/statement", "").await.unwrap();
        assert_eq!(answer.status, 401);
        assert_eq!(answer.header("www-authenticate"), "Basic realm=\"Trino\"");
    }
}

/// The base of the URIs that a POST with these headers is answered with.
async fn base_for(target: &Target, headers: &[(&str, &str)]) -> String {
    let mut client = target.client();
    for (name, value) in headers {
        client = client.with(name, value);
    }
    let answer = client.send(Method::POST, "/v1/statement", "SELECT 1").await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let page = answer.json().unwrap();
    let uri = page["nextUri"].as_str().unwrap().to_owned();
    let (base, path) = uri.split_once("/v1/statement/").unwrap();
    let info = page["infoUri"].as_str().unwrap();
    assert!(info.starts_with(&format!("{base}/ui")), "{info}");
    let home = client.get("/").await.unwrap();
    assert_eq!(home.header("location"), format!("{base}/ui/"));
    let direct = format!("{}/v1/statement/{path}", target.base);
    assert_eq!(target.client().send(Method::DELETE, &direct, "").await.unwrap().status, 204);
    base.to_owned()
}

pub(super) async fn host_decides(target: Target) {
    for (host, expected) in [
        ("gw.example.com:8443", "http://gw.example.com:8443"),
        ("gw.example.com", "http://gw.example.com"),
        ("gw.example.com:80", "http://gw.example.com"),
    ] {
        assert_eq!(base_for(&target, &[("host", host)]).await, expected);
    }
}

pub(super) async fn forwarded_headers(target: Target) {
    let own = target.base.trim_start_matches("http://").to_owned();
    let host = "gw.example.com";
    let table: &[(&[(&str, &str)], &str)] = &[
        (&[("x-forwarded-proto", "https"), ("x-forwarded-host", host)], "https://gw.example.com"),
        (
            &[("x-forwarded-host", "gw.example.com:8443"), ("x-forwarded-port", "9443")],
            "http://gw.example.com:8443",
        ),
        (&[("x-forwarded-host", host), ("x-forwarded-port", "8443")], "http://gw.example.com:8443"),
        (
            &[
                ("x-forwarded-proto", "https"),
                ("x-forwarded-host", host),
                ("x-forwarded-port", "443"),
            ],
            "https://gw.example.com",
        ),
        (&[("x-forwarded-host", host)], "http://gw.example.com"),
        (&[("x-forwarded-proto", "https")], &format!("https://{own}")),
        (&[("x-forwarded-port", "9999")], "http://127.0.0.1:9999"),
        (&[("x-forwarded-host", "a.example.com, b.example.com")], "http://a.example.com"),
        (&[("x-forwarded-host", "[2001:db8::1]:8443")], "http://[2001:db8::1]:8443"),
        (&[("x-forwarded-server", host)], "http://gw.example.com"),
        (&[("x-forwarded-for", "192.0.2.1")], &target.base),
    ];
    for (headers, expected) in table {
        assert_forwarded(&target, headers, expected).await;
    }
    for prefix in ["/trino", "/trino/", "trino"] {
        let expected =
            if target.is_new() { "http://gw.example.com/trino" } else { "http://gw.example.com" };
        let headers = [("x-forwarded-host", host), ("x-forwarded-prefix", prefix)];
        assert_forwarded(&target, &headers, expected).await;
    }
}

async fn assert_forwarded(target: &Target, headers: &[(&str, &str)], expected: &str) {
    match target.forwarded {
        Forwarded::Accept => {
            assert_eq!(base_for(target, headers).await, expected, "{headers:?}");
        }
        Forwarded::Ignore => {
            assert_eq!(base_for(target, headers).await, target.base, "{headers:?}")
        }
        Forwarded::Reject => assert_refused(target, headers).await,
    }
}

async fn assert_refused(target: &Target, headers: &[(&str, &str)]) {
    let (name, value) = headers[0];
    let client = target.client().with(name, value);
    for path in ["/v1/info", "/", "/v1/statement/queued/a/b/1"] {
        let answer = client.get(path).await.unwrap();
        assert_eq!(answer.status, 406);
        assert_eq!(answer.header("content-type"), "text/plain;charset=iso-8859-1");
        assert_eq!(answer.header("cache-control"), "must-revalidate,no-cache,no-store");
        let words =
            format!("Server configuration does not allow processing of the {} header", camel(name));
        let expected = format!(
            "HTTP ERROR 406 {words}\nURI: {}{path}\nSTATUS: 406\nMESSAGE: {words}\n",
            target.base
        );
        assert_eq!(answer.text(), expected);
        assert_eq!(answer.header("content-length"), expected.len().to_string());
    }
}

fn camel(name: &str) -> String {
    let words = name.split('-').map(|word| format!("{}{}", word[..1].to_uppercase(), &word[1..]));
    words.collect::<Vec<String>>().join("-")
}

pub(super) async fn standard_forwarded(target: Target) {
    let own_port = target.base.rsplit(':').next().unwrap();
    let expected = match (target.forwarded, target.is_new()) {
        (Forwarded::Accept, true) => format!("https://gw.example.com:{own_port}"),
        (Forwarded::Accept, false) => "https://gw.example.com".to_owned(),
        _ => target.base.clone(),
    };
    let headers = [("forwarded", "host=gw.example.com;proto=https")];
    assert_eq!(base_for(&target, &headers).await, expected);
}
