//! Requests that HTTP/2 writes in another way than HTTP/1.1, and coordinators that see no difference.

use http::Method;
use sluice::simulator::{Options, Seen, Simulator};

use super::{Door, PROTOCOLS};
use crate::harness::{
    frames::{END_HEADERS, END_STREAM, Frames, HEADERS},
    gateway::groups,
    trino,
};

fn post_of(coordinator: &Simulator) -> Seen {
    let seen = coordinator.seen();
    seen.into_iter().find(|seen| seen.method == "POST").expect("a statement")
}

fn lines(seen: &Seen, name: &str) -> Vec<String> {
    let lines = seen.headers.get_all(name).iter();
    lines.map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned()).collect()
}

#[tokio::test]
async fn the_coordinator_sees_the_same_headers_by_either_protocol() {
    let coordinator = trino::trino().await;
    let door = Door::before(&coordinator).await;
    let mut heads = Vec::new();
    for protocols in PROTOCOLS {
        coordinator.forget();
        let client = door
            .client(protocols)
            .with("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
            .with("x-request-id", "r-1")
            .with("te", "trailers")
            .with("authorization", "Basic dGVzdDo=")
            .with("x-trino-session", "a=1")
            .and("x-trino-session", "b=%2C")
            .with("x-trino-client-info", "caf\u{e9}")
            .with("accept-encoding", "br, gzip");
        let running = client.start("SELECT 'gr\u{fc}n'").await.unwrap();
        assert_eq!(running.last().answer.header("connection"), "");
        running.cancel().await.unwrap();
        let post = post_of(&coordinator);
        assert_eq!(post.text(), "SELECT 'gr\u{fc}n'");
        let mut head: Vec<(String, Vec<u8>)> = Vec::new();
        for (name, value) in &post.headers {
            head.push((name.as_str().to_owned(), value.as_bytes().to_vec()));
        }
        head.sort();
        heads.push(head);
    }
    assert_eq!(heads[0], heads[1]);
    assert_eq!(heads[1], heads[2]);
    let named = |name: &str| heads[0].iter().any(|(known, _)| known == name);
    assert!(named("host") && !named("te") && !named("connection") && !named("transfer-encoding"));
    door.stop().await;
}

#[tokio::test]
async fn cookies_arrive_in_one_line_and_a_second_host_does_not() {
    let coordinator = trino::trino().await;
    let door = Door::before(&coordinator).await;
    let client = door.client(&["h2"]).with("cookie", "a=1").and("cookie", "b=2");
    let running = client.start("SELECT 1").await.unwrap();
    assert_eq!(lines(&post_of(&coordinator), "cookie"), ["a=1; b=2"]);
    running.cancel().await.unwrap();
    let secure = door.authority.trusted(&["h2"]);
    let mut frames = Frames::to(&secure, door.gateway.addresses.data, &[]).await;
    let head = frames.head("GET", "/v1/info", &[("host", "evil.example")]);
    frames.send(HEADERS, END_HEADERS | END_STREAM, 1, &head).await;
    assert_eq!(frames.next_of(HEADERS).await.status(), 400);
    frames.until_end(1).await;
    drop(frames);
    door.stop().await;
}

#[tokio::test]
async fn as_many_and_as_long_headers_pass_as_by_http_1() {
    let options = Options { max_header_bytes: 8 << 20, ..Options::default() };
    let coordinator = trino::trino_with(options).await;
    let door = Door::before(&coordinator).await;
    let mut client = door.client(&["h2"]);
    for _ in 0..1_000 {
        client = client.and("x-trino-session", "a=1");
    }
    let running = client.start("SELECT 1").await.unwrap();
    assert_eq!(lines(&post_of(&coordinator), "x-trino-session").len(), 1_000);
    running.cancel().await.unwrap();
    for _ in 0..200 {
        client = client.and("x-trino-session", "a=1");
    }
    let told = client.send(Method::POST, "/v1/statement", "SELECT 1").await.unwrap();
    assert_eq!(told.status, 431);
    coordinator.forget();
    let long = "x".repeat(1 << 20);
    let client = door.client(&["h2"]).with("x-trino-prepared-statement", &long);
    let running = client.start("SELECT 1").await.unwrap();
    assert_eq!(lines(&post_of(&coordinator), "x-trino-prepared-statement"), [long]);
    running.cancel().await.unwrap();
    door.stop().await;
}

#[tokio::test]
async fn a_large_statement_and_a_large_page_pass_byte_for_byte() {
    let coordinator = trino::trino().await;
    let door = Door::before(&coordinator).await;
    let sql = format!("SELECT 1 /* {} */", "gr\u{fc}n ".repeat(1 << 20));
    for protocols in PROTOCOLS {
        coordinator.forget();
        let running = door.client(protocols).start(sql.clone()).await.unwrap();
        assert!(post_of(&coordinator).text() == sql, "{protocols:?}");
        running.cancel().await.unwrap();
    }
    let sql = "SELECT * FROM t /* sim: pages=2 bytes=24MiB running=0 */";
    let mut running = door.client(&["h2"]).start(sql).await.unwrap();
    while running.next_uri().contains("/queued/") {
        running.advance().await.unwrap();
    }
    let mut pages = Vec::new();
    for protocols in PROTOCOLS {
        // A page can be had again until the next one is asked for.
        let page = door.client(protocols).get(&running.next_uri()).await.unwrap();
        assert_eq!(page.status, 200);
        pages.push(page.raw);
    }
    assert!(pages[0].len() > 24 << 20, "{}", pages[0].len());
    assert!(pages[0] == pages[1] && pages[1] == pages[2]);
    running.cancel().await.unwrap();
    door.stop().await;
}

#[tokio::test]
async fn head_gets_the_head_only_and_unknown_paths_are_trinos_404() {
    let coordinator = trino::trino().await;
    let door = Door::before(&coordinator).await;
    for protocols in PROTOCOLS {
        let client = door.client(protocols);
        let head = client.send(Method::HEAD, "/no/such/path", "").await.unwrap();
        let get = client.get("/no/such/path").await.unwrap();
        assert_eq!((head.status.as_u16(), get.status.as_u16()), (404, 404));
        assert!(head.raw.is_empty() && !get.raw.is_empty());
        let asked = client.send(Method::HEAD, "/v1/statement", "").await.unwrap();
        assert_eq!(asked.status, 200);
    }
    let none =
        "gateway_http_requests_total{method=\"HEAD\",operation=\"other\",status_code=\"404\"}";
    assert_eq!(door.gateway.metric(none).await, 3.0, "nobody left before the end");
    door.stop().await;
}

#[tokio::test]
async fn the_web_ui_is_served_by_either_protocol() {
    let coordinator = trino::trino().await;
    let yaml = groups(&[coordinator.url()], "");
    let door = Door::with(&yaml, "", 1).await;
    for protocols in PROTOCOLS {
        let answer = door.client(protocols).get("/ui/").await.unwrap();
        assert!(answer.status.as_u16() < 400, "{protocols:?}: {answer:?}");
    }
    door.stop().await;
}
