//! Headers on their way: what passes byte for byte, what ends here, what is added, and what is never written down.

#![allow(non_snake_case, reason = "tests bear the ids of the facts")]

use sluice::simulator::{Seen, Simulator};

use crate::{
    drain::{Process, process_yaml},
    harness::{
        client::Client,
        gateway::{Gateway, groups},
        raw::{Raw, post},
        trino,
    },
};

const TRACE: &str = "cc-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03-more";

fn statements(coordinator: &Simulator) -> Vec<Seen> {
    let mut seen = coordinator.seen();
    seen.retain(|seen| seen.path.starts_with("/v1/statement"));
    seen
}

fn lines(seen: &Seen, name: &str) -> Vec<String> {
    let lines = seen.headers.get_all(name).iter();
    lines.map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned()).collect()
}

#[tokio::test]
async fn obs_T1_trace_headers_pass_byte_for_byte_on_every_request() {
    let coordinator = trino::trino().await;
    let gateway = Gateway::before(&[&coordinator]).await;
    let client = gateway
        .client()
        .with("traceparent", TRACE)
        .and("tracestate", "rojo=00f067aa0ba902b7")
        .and("tracestate", "congo=t61rcWkgMzE , a=b")
        .with("baggage", "userId=alice;p=1,  isProduction=false");
    client.rows("SELECT 1").await;
    for seen in statements(&coordinator) {
        assert_eq!(lines(&seen, "traceparent"), [TRACE]);
        assert_eq!(
            lines(&seen, "tracestate"),
            ["rojo=00f067aa0ba902b7", "congo=t61rcWkgMzE , a=b"]
        );
        assert_eq!(lines(&seen, "baggage"), ["userId=alice;p=1,  isProduction=false"]);
    }
    gateway.stop().await;
}

#[tokio::test]
async fn obs_T6_peers_L16_a_missing_trace_is_made_and_polls_continue_it() {
    let coordinator = trino::trino().await;
    let gateway = Gateway::before(&[&coordinator]).await;
    let done = gateway.client().query("SELECT * FROM sim.rows(5)").await.unwrap();
    let told: Vec<&str> = done.pages.iter().map(|page| page.answer.header("x-trace-id")).collect();
    assert_eq!(told[0].len(), 32);
    assert!(told.iter().all(|trace| *trace == told[0]), "{told:?}");
    for seen in statements(&coordinator) {
        let [context] = &lines(&seen, "traceparent")[..] else { panic!("{seen:?}") };
        assert_eq!(context.split('-').nth(1), Some(told[0]), "{}", seen.path);
        assert_eq!(context.len(), 55);
    }
    gateway.stop().await;
}

#[tokio::test]
async fn obs_T3_polls_without_a_trace_continue_that_of_their_post() {
    let coordinator = trino::trino().await;
    let gateway = Gateway::before(&[&coordinator]).await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let first = gateway.client().with("traceparent", trace).start("SELECT 1").await.unwrap();
    let poll = gateway.client().get(&first.next_uri()).await.unwrap();
    assert_eq!(poll.header("x-trace-id"), "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(first.cancel().await.unwrap().status, 204);
    for seen in statements(&coordinator) {
        assert_eq!(lines(&seen, "traceparent"), [trace], "{} {}", seen.method, seen.path);
    }
    gateway.stop().await;
}

#[tokio::test]
async fn no_trace_is_added_where_that_is_off() {
    let coordinator = trino::trino().await;
    let yaml = groups(&[coordinator.url()], "");
    let gateway =
        Gateway::start(&format!("telemetry: {{ generateWhenAbsent: false }}\n{yaml}")).await;
    gateway.until_healthy(1).await;
    gateway.client().rows("SELECT 1").await;
    assert!(statements(&coordinator).iter().all(|seen| seen.header("traceparent").is_none()));
    gateway.stop().await;
}

#[tokio::test]
async fn request_ids_are_kept_if_harmless_made_if_not_and_told_to_both_sides() {
    let coordinator = trino::trino().await;
    let gateway = Gateway::before(&[&coordinator]).await;
    for (sent, kept) in [("r-81f2", true), ("not harmless", false)] {
        coordinator.forget();
        let client = gateway.client().with("x-request-id", sent);
        let running = client.start("SELECT 1").await.unwrap();
        let told = running.last().answer.header("x-request-id").to_owned();
        assert_eq!(told == sent, kept);
        let seen = statements(&coordinator);
        assert_eq!(lines(&seen[0], "x-request-id"), [told]);
        running.cancel().await.unwrap();
    }
    gateway.stop().await;
}

#[tokio::test]
async fn lines_of_one_name_keep_their_order_and_values_and_hop_by_hop_ones_end_here() {
    let coordinator = trino::trino().await;
    let gateway = Gateway::before(&[&coordinator]).await;
    let headers = "X-Trino-Session: a=1\r\nX-TRINO-Session: b=%2C\r\nx-trino-prepared-statement: p=SELECT+1,q=x\r\n\
         x-trino-session: c=3\r\nx-trino-client-info: caf\u{e9} \u{fc}\r\nkeep-alive: timeout=1\r\nte: trailers\r\n\
         x-anything: \r\naccept-encoding: br;q=1.0, deflate, identity;q=0.5\r\n";
    let told = Raw::ask(gateway.addresses.data, post(headers, "SELECT 1")).await;
    assert_eq!(told.status(), 200);
    let seen = &statements(&coordinator)[0];
    assert_eq!(lines(seen, "x-trino-session"), ["a=1", "b=%2C", "c=3"]);
    assert_eq!(lines(seen, "x-trino-prepared-statement"), ["p=SELECT+1,q=x"]);
    assert_eq!(lines(seen, "x-trino-client-info"), ["caf\u{e9} \u{fc}"]);
    assert_eq!(lines(seen, "x-anything"), [""]);
    assert!(lines(seen, "keep-alive").is_empty() && lines(seen, "te").is_empty());
    assert!(!lines(seen, "accept-encoding").concat().contains("br"), "{seen:?}");
    cancel(&gateway, &told).await;
    gateway.stop().await;
}

async fn cancel(gateway: &Gateway, told: &crate::harness::raw::Told) {
    let page: serde_json::Value = serde_json::from_slice(&told.body).unwrap();
    let next = page["nextUri"].as_str().unwrap();
    let path = &next[next.find("/v1/").unwrap()..];
    let gone = gateway.client().send(http::Method::DELETE, path, "").await.unwrap();
    assert_eq!(gone.status, 204);
}

#[tokio::test]
async fn peers_L17_all_headers_of_an_answer_pass_but_the_hop_by_hop_ones() {
    let coordinator = trino::trino().await;
    let gateway = Gateway::before(&[&coordinator]).await;
    let sql = "SELECT 1 /* sim: header=X-Trino-Set-Session:a=1 header=X-Trino-Set-Session:b=2 \
               header=X-Other:kept header=Keep-Alive:timeout=5 header=Proxy-Authenticate:Basic */";
    let done = gateway.client().query(sql).await.unwrap();
    let headers = &done.last().answer.headers;
    let lines: Vec<&str> =
        headers.get_all("x-trino-set-session").iter().map(|line| line.to_str().unwrap()).collect();
    assert_eq!(lines, ["a=1", "b=2"]);
    assert_eq!(done.last().answer.header("x-other"), "kept");
    for name in ["keep-alive", "proxy-authenticate"] {
        assert!(!headers.contains_key(name), "{name}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn forwarding_headers_are_sent_in_the_mode_that_wants_them_only() {
    for (coordinator, forwarded) in
        [(trino::forwarded().await, true), (trino::trino().await, false)]
    {
        let gateway = Gateway::before(&[&coordinator]).await;
        coordinator.forget();
        gateway.client().rows("SELECT 1").await;
        let authority = gateway.addresses.data.to_string();
        for seen in statements(&coordinator) {
            let sent = seen.headers.keys().filter(|name| name.as_str().starts_with("x-forwarded-"));
            assert_eq!(sent.count() > 0, forwarded, "{:?}", seen.headers);
            if forwarded {
                assert_eq!(seen.header("x-forwarded-host"), Some(authority.as_str()));
                assert_eq!(seen.header("x-forwarded-proto"), Some("http"));
                assert_eq!(seen.header("x-forwarded-for"), Some("127.0.0.1"));
            }
        }
        gateway.stop().await;
    }
}

#[tokio::test]
async fn a_trusted_proxy_says_where_the_client_is_and_its_prefix_is_kept() {
    for coordinator in [trino::forwarded().await, trino::trino().await, trino::old().await] {
        let yaml = groups(&[coordinator.url()], "");
        let data = "data: { bind: \"127.0.0.1:0\", workers: 2, trustedProxies: [\"127.0.0.0/8\"] }";
        let gateway = Gateway::start(&format!("{data}\n{yaml}")).await;
        gateway.until_healthy(1).await;
        let client = Client::new("https://trino.example.com/gw")
            .via(gateway.addresses.data)
            .with("x-forwarded-host", "trino.example.com")
            .with("x-forwarded-proto", "https")
            .with("x-forwarded-prefix", "/gw")
            .with("x-forwarded-for", "192.0.2.7, 127.0.0.9");
        assert_eq!(client.rows("SELECT * FROM sim.rows(10)").await.len(), 10);
        for seen in statements(&coordinator) {
            if let Some(address) = seen.header("x-forwarded-for") {
                assert_eq!(address, "192.0.2.7");
            }
        }
        gateway.stop().await;
    }
}

#[tokio::test]
async fn an_external_url_wins_over_all_and_its_path_is_stripped() {
    for coordinator in [trino::forwarded().await, trino::trino().await] {
        let yaml = groups(&[coordinator.url()], "");
        let data = "data: { bind: \"127.0.0.1:0\", workers: 2, externalUrl: \"https://sql.example.com:8443/trino\" }";
        let gateway = Gateway::start(&format!("{data}\n{yaml}")).await;
        gateway.until_healthy(1).await;
        let client = Client::new("https://sql.example.com:8443/trino").via(gateway.addresses.data);
        assert_eq!(client.rows("SELECT * FROM sim.rows(10)").await.len(), 10);
        gateway.stop().await;
    }
}

#[tokio::test]
async fn clients_of_http_1_0_and_targets_in_absolute_form_are_served() {
    let coordinator = trino::trino().await;
    let gateway = Gateway::before(&[&coordinator]).await;
    let addr = gateway.addresses.data;
    let old = "POST /v1/statement HTTP/1.0\r\nx-trino-user: u\r\ncontent-length: 8\r\n\r\nSELECT 1";
    let told = Raw::ask(addr, old).await;
    assert_eq!(told.status(), 200, "{told:?}");
    assert!(told.head.starts_with("HTTP/1.0"), "{}", told.head);
    assert!(!told.head.to_lowercase().contains("chunked"));
    cancel(&gateway, &told).await;
    let absolute = format!(
        "POST http://{addr}/v1/statement HTTP/1.1\r\nhost: other.example\r\nx-trino-user: u\r\ncontent-length: 8\r\n\r\nSELECT 1"
    );
    let told = Raw::ask(addr, absolute).await;
    assert_eq!(told.status(), 200);
    assert!(
        told.text().contains(&format!("http://{addr}/v1/statement/queued/")),
        "{}",
        told.text()
    );
    cancel(&gateway, &told).await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_head_has_no_body_and_the_connection_goes_on() {
    let coordinator = trino::trino().await;
    let gateway = Gateway::before(&[&coordinator]).await;
    let mut running = gateway.client().start("SELECT 1 /* sim: running=10s */").await.unwrap();
    while running.next().unwrap().is_queued {
        running.advance().await.unwrap();
    }
    for _ in 0..2 {
        assert_eq!(running.heartbeat().await.unwrap().status, 200);
    }
    assert_eq!(running.cancel().await.unwrap().status, 204);
    gateway.stop().await;
}

#[tokio::test]
async fn peers_G13_obs_L4_the_log_holds_no_credential_no_slug_and_no_sql() {
    let coordinator = trino::trino().await;
    let yaml =
        process_yaml(&coordinator.url(), "wait: 50ms, deadline: 5s") + "log: { access: all }\n";
    let mut process = Process::start(&yaml, "debug").await;
    let client = Client::new(format!("http://{}", process.data))
        .with("authorization", "Basic dGVzdDpodW50ZXIy")
        .with("cookie", "Trino-UI-Token=cookiesecret")
        .with("x-trino-extra-credential", "key=extrasecret")
        .with("x-trino-session", "prop=sessionsecret")
        .with("x-trino-prepared-statement", "p=preparedsecret");
    let mut sql = Vec::new();
    for ending in ["finish", "fail:TABLE_NOT_FOUND", "die at=0 times=1", "truncate at=0 times=1"] {
        sql.push(format!("SELECT * FROM sqlsecret /* sim: ending={ending} */"));
    }
    let mut slugs = Vec::new();
    for sql in sql {
        let done = client.query(sql).await.unwrap();
        slugs.extend(done.pages.iter().filter_map(|page| page.next.clone()).map(|next| next.slug));
    }
    let _ = client.get("/oauth2/token/oauthsecret").await;
    let _ = client.get("/v1/spooled/download/spooledsecret").await;
    let _ = client.get("/v1/info?query=querysecret").await;
    process.signal("-TERM").await;
    let mut log = String::new();
    while let Some(line) = process.lines.next_line().await.unwrap() {
        log += &line;
        log.push('\n');
    }
    assert!(log.contains("request_completed") && log.contains("DEBUG"), "{log}");
    for secret in ["secret", "hunter2", "dGVzdDpodW50ZXIy", "SELECT"] {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret}");
    }
    for slug in slugs {
        assert!(!log.contains(&slug), "{slug}");
    }
}

#[tokio::test]
async fn a_log_that_nobody_reads_stalls_nobody() {
    let coordinator = trino::trino().await;
    let yaml =
        process_yaml(&coordinator.url(), "wait: 50ms, deadline: 5s") + "log: { access: all }\n";
    let mut process = Process::start(&yaml, "debug").await;
    // Some 400 bytes a line: the pipe takes 64 KiB, and then nothing more.
    let mut raw = Raw::to(process.data).await;
    for _ in 0..600 {
        raw.send("GET /v1/info HTTP/1.1\r\nhost: gw\r\n\r\n").await;
        assert_eq!(raw.answer().await.status(), 200);
    }
    drop(raw);
    process.signal("-TERM").await;
    let ended =
        tokio::time::timeout(std::time::Duration::from_secs(15), process.child.wait()).await;
    assert!(ended.expect("it ends, read or not").unwrap().success());
}
