//! A coordinator that fails: what is sent elsewhere, what is asked again, what is said as it is.

#![allow(non_snake_case, reason = "tests bear the ids of the facts")]

use std::time::Duration;

use http::Method;
use sluice::simulator::Options;

use crate::harness::canned::{self, Canned};
use crate::harness::chaos::{Chaos, Weather};
use crate::harness::client::Page;
use crate::harness::gateway::{Gateway, groups};
use crate::harness::pair::Pair;
use crate::harness::{trino, wait};

/// Probes that come too late to help: the data plane must see for itself.
const SLOW_PROBES: &str = "health: { bind: \"127.0.0.1:0\", interval: 1h, timeout: 1s }\n";

#[tokio::test]
async fn peers_G17_a_statement_whose_coordinator_cannot_be_reached_goes_elsewhere() {
    let pair = Pair::start("", &Options::default(), "auto", SLOW_PROBES).await;
    pair.a.stop().await;
    for _ in 0..6 {
        assert_eq!(pair.gateway.client().rows("SELECT 1").await.len(), 1);
    }
    pair.stop().await;
}

#[tokio::test]
async fn peers_G17_a_statement_that_got_502_to_504_goes_elsewhere_exactly_once() {
    for code in [502, 503, 504] {
        let bad = Canned::start(move |_| canned::status(code, "upstream is ill")).await;
        let good = trino::trino().await;
        let gateway = Gateway::with_backends(&[bad.url(), good.url()]).await;
        let mut sent = 0;
        // Which of two idle backends comes first is chance: until the ill one was asked at least once.
        while sent < 4 || bad.asked().is_empty() {
            assert_eq!(gateway.client().rows("SELECT 1").await.len(), 1);
            sent += 1;
            assert!(sent < 100, "{code}: the ill backend is never chosen");
        }
        assert_eq!(good.counts().statements, sent);
        assert!(u64::try_from(bad.asked().len()).unwrap() <= sent);
        gateway.stop().await;
    }
}

#[tokio::test]
async fn peers_G17_when_all_fail_the_client_gets_the_last_answer() {
    let (one, two) = (
        Canned::start(|_| canned::status(503, "busy")).await,
        Canned::start(|_| canned::status(503, "busy")).await,
    );
    let gateway = Gateway::with_backends(&[one.url(), two.url()]).await;
    let answer = gateway.client().send(Method::POST, "/v1/statement", "SELECT 1").await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.text().as_str()), (503, "busy"));
    assert!(answer.has("retry-after"), "a missing Retry-After is added");
    assert_eq!((one.asked().len(), two.asked().len()), (1, 1));
    gateway.stop().await;
}

#[tokio::test]
async fn peers_G17_a_coordinator_killed_before_the_first_poll_is_no_client_error() {
    for pair in Pair::each_mode(false).await {
        let client = pair.gateway.client().may_change_id();
        let mut running = client.start("SELECT 1").await.unwrap();
        let old = running.id().to_owned();
        pair.owner(&old).stop().await;
        // Once a probe was refused, no idle connection is left on which a poll could get lost.
        pair.gateway.until_healthy(1).await;
        assert!(running.advance().await.unwrap(), "{}", pair.mode);
        let new = running.id().to_owned();
        assert_ne!(old, new, "{}", pair.mode);
        while running.advance().await.unwrap() {}
        assert_eq!(running.done().rows.len(), 1, "{}", pair.mode);
        assert_eq!(pair.owner(&new).counts().statements, 1);
        pair.stop().await;
    }
}

#[tokio::test]
async fn peers_G17_a_query_that_was_polled_is_never_sent_again() {
    let pair = Pair::start("", &Options::default(), "auto", "").await;
    let sql = "SELECT 1 /* sim: queued=3 */";
    let mut running = pair.gateway.client().start(sql).await.unwrap();
    assert!(running.advance().await.unwrap());
    let id = running.id().to_owned();
    pair.owner(&id).stop().await;
    let broken = running.advance().await.unwrap_err();
    assert_eq!(broken.status(), Some(503));
    assert_eq!(pair.a.counts().statements + pair.b.counts().statements, 1);
    pair.owner(&id).restart().await.unwrap();
    wait::until_async("the owner's own 404", async || {
        let answer = pair.gateway.client().get(&running.next_uri()).await.unwrap();
        answer.status == 404 && answer.text().contains("Query not found")
    })
    .await;
    pair.stop().await;
}

#[tokio::test]
async fn peers_G17_a_coordinator_that_is_still_starting_loses_no_statement() {
    for pair in Pair::each_mode(false).await {
        let client = pair.gateway.client().may_change_id();
        let mut running = client.start("SELECT 1").await.unwrap();
        let old = running.id().to_owned();
        let late = running.next_uri();
        pair.owner(&old).set_starting(true);
        assert!(running.advance().await.unwrap(), "{}", pair.mode);
        let new = running.id().to_owned();
        assert!(pair.other(&old).state_of(&new).is_some(), "{}: sent elsewhere", pair.mode);
        assert_eq!(pair.gateway.in_flight(), 1);
        // The old id is an alias: for its page again, for what is known of the query, and for the cancel.
        let again = client.get(&late).await.unwrap();
        assert_eq!(again.status, 200, "{}: {}", pair.mode, again.text());
        let known = client.get(&format!("/v1/query/{old}")).await.unwrap();
        assert_eq!(known.json().unwrap()["queryId"], new.as_str());
        while running.advance().await.unwrap() {}
        assert_eq!(running.done().rows.len(), 1);
        assert_eq!(pair.a.counts().statements + pair.b.counts().statements, 2);
        pair.stop().await;
    }
}

#[tokio::test]
async fn peers_G17_the_cancel_of_an_alias_reaches_the_query_that_runs() {
    let pair = Pair::usual().await;
    let client = pair.gateway.client().may_change_id();
    let mut running = client.start("SELECT 1 /* sim: queued=1s ending=hang */").await.unwrap();
    let (old, late) = (running.id().to_owned(), running.next_uri());
    pair.owner(&old).set_starting(true);
    running.advance().await.unwrap();
    let new = running.id().to_owned();
    assert_eq!(client.send(Method::DELETE, &late, "").await.unwrap().status, 204);
    assert_eq!(pair.owner(&new).state_of(&new), Some("FAILED"));
    assert_eq!(pair.gateway.in_flight(), 0);
    pair.stop().await;
}

#[tokio::test]
async fn peers_G17_a_statement_is_sent_again_exactly_once_for_starting_up() {
    let pair = Pair::start("", &Options::default(), "auto", SLOW_PROBES).await;
    let client = pair.gateway.client().may_change_id();
    let mut running = client.start("SELECT 1").await.unwrap();
    pair.a.set_starting(true);
    pair.b.set_starting(true);
    assert!(running.advance().await.unwrap());
    assert!(!running.advance().await.unwrap());
    assert_eq!(running.done().error_name(), Some("SERVER_STARTING_UP"));
    assert_eq!(pair.a.counts().statements + pair.b.counts().statements, 2);
    assert_eq!(pair.gateway.in_flight(), 0);
    pair.stop().await;
}

#[tokio::test]
async fn peers_G17_a_statement_of_a_transaction_is_never_moved() {
    let pair = Pair::start("", &Options::default(), "auto", SLOW_PROBES).await;
    let client = pair.gateway.client().with("x-trino-transaction-id", "NONE");
    let begun = client.query("START TRANSACTION").await.unwrap();
    let transaction = begun.header("x-trino-started-transaction-id").unwrap().to_owned();
    let (own, other) = (pair.owner(begun.id()), pair.other(begun.id()));
    let within = client.with("x-trino-transaction-id", &transaction);
    own.set_starting(true);
    let done = within.query("SELECT 1").await.unwrap();
    assert_eq!(done.error_name(), Some("SERVER_STARTING_UP"));
    for code in [502, 503, 504] {
        let sql = format!("SELECT 1 /* sim: at=post ending=status:{code} */");
        assert_eq!(within.start(sql).await.unwrap_err().status(), Some(code));
    }
    own.stop().await;
    assert_eq!(within.start("SELECT 1").await.unwrap_err().status(), Some(503));
    assert_eq!(other.counts().statements, 0);
    pair.stop().await;
}

#[tokio::test]
async fn a_poll_is_repeated_to_its_own_coordinator_while_that_cannot_be_reached() {
    let trino = trino::trino().await;
    let network = Chaos::before(trino.addr()).await;
    let gateway = Gateway::with_backends(&[network.url()]).await;
    let sql = "SELECT 1 /* sim: pages=3 rows=5 queued=0 running=0 */";
    let mut running = gateway.client().start(sql).await.unwrap();
    running.advance().await.unwrap();
    network.turn(Weather::Cut);
    let accepted = network.connections();
    let polling = tokio::spawn(async move { running.advance().await.map(|_| running) });
    wait::until("it is tried again", || network.connections() >= accepted + 2).await;
    network.restore();
    let mut running = polling.await.unwrap().unwrap();
    while running.advance().await.unwrap() {}
    assert_eq!(running.done().rows.len(), 15);
    gateway.stop().await;
}

#[tokio::test]
async fn a_page_that_breaks_off_breaks_off_for_the_client_too() {
    let trino = trino::trino().await;
    let network = Chaos::before(trino.addr()).await;
    let gateway = Gateway::with_backends(&[network.url()]).await;
    let sql = "SELECT 1 /* sim: pages=2 bytes=1MiB running=0 at=0 ending=stall:page times=1 */";
    let mut running = gateway.client().start(sql).await.unwrap();
    let polling = tokio::spawn(async move {
        let broken = running.advance_until(|page| !page.rows().is_empty()).await.unwrap_err();
        (running, broken)
    });
    // The page is compressed; probes and the POST are far below it.
    wait::until("half a page", || network.bytes() > 20_000).await;
    network.turn(Weather::Cut);
    let (mut running, broken) = polling.await.unwrap();
    assert!(broken.is_transport(), "{broken}");
    assert_eq!(gateway.in_flight(), 1);
    network.restore();
    while running.advance().await.unwrap() {}
    let full = |page: &&Page| !page.rows().is_empty();
    assert_eq!(running.done().pages.iter().filter(full).count(), 2);
    gateway.stop().await;
}

#[tokio::test]
async fn peers_L3_statuses_of_trino_pass_with_body_and_headers() {
    for code in [400, 401, 403, 429, 500, 502, 503, 504] {
        let trino = Canned::start(move |_| {
            let mut answer = canned::status(code, "in Trino's own words");
            for (name, value) in [
                ("www-authenticate", "Basic realm=\"Trino\""),
                ("retry-after", "7"),
                ("x-own", "kept"),
                ("set-cookie", "a=1"),
            ] {
                answer.headers_mut().append(name, value.parse().unwrap());
            }
            answer.headers_mut().append("set-cookie", "b=2".parse().unwrap());
            answer
        })
        .await;
        let gateway = Gateway::with_backends(&[trino.url()]).await;
        let answer =
            gateway.client().send(Method::POST, "/v1/statement", "SELECT 1").await.unwrap();
        assert_eq!(
            (answer.status.as_u16(), answer.text().as_str()),
            (code, "in Trino's own words")
        );
        assert_eq!(answer.header("www-authenticate"), "Basic realm=\"Trino\"");
        assert_eq!((answer.header("retry-after"), answer.header("x-own")), ("7", "kept"));
        let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
        assert_eq!(cookies, ["a=1", "b=2"]);
        gateway.stop().await;
    }
}

#[tokio::test]
async fn peers_L14_a_dead_coordinator_is_ejected_and_comes_back() {
    let pair = Pair::usual().await;
    pair.b.stop().await;
    pair.gateway.until_healthy(1).await;
    for _ in 0..4 {
        pair.gateway.client().rows("SELECT 1").await;
    }
    pair.b.restart().await.unwrap();
    pair.gateway.until_healthy(2).await;
    let before = pair.b.counts().statements;
    wait::until_async("it gets statements again", async || {
        pair.gateway.client().rows("SELECT 1").await;
        pair.b.counts().statements > before
    })
    .await;
    pair.stop().await;
}

#[tokio::test]
async fn peers_X14_clients_that_leave_open_no_circuit() {
    let trino = trino::trino().await;
    let gateway = Gateway::before(&[&trino]).await;
    for round in 0..12 {
        let client = gateway.client();
        let before = trino.counts().statements;
        let leaving = tokio::spawn(async move {
            let _ = client.start("SELECT 1 /* sim: at=post ending=stall */").await;
        });
        wait::until("the statement is with its coordinator", || trino.counts().statements > before)
            .await;
        leaving.abort();
        wait::until(&format!("round {round}"), || gateway.in_flight() == 0).await;
    }
    assert_eq!(gateway.client().rows("SELECT 1").await.len(), 1);
    let circuit = r#"gateway_circuit_breaker_state{backend="a",routing_group="adhoc"}"#;
    assert_eq!(gateway.metric(circuit).await, 0.0);
    gateway.stop().await;
}

#[tokio::test]
async fn peers_X13_five_failures_open_the_circuit_for_new_statements_only() {
    let trino = trino::trino().await;
    let yaml = format!("{}{SLOW_PROBES}", groups(&[trino.url()], ""));
    let gateway = Gateway::start(&yaml).await;
    gateway.until_healthy(1).await;
    let sql = "SELECT 1 /* sim: queued=0 running=0 ending=hang */";
    let mut running = gateway.client().start(sql).await.unwrap();
    running.advance().await.unwrap();
    for _ in 0..5 {
        let sql = "SELECT 1 /* sim: at=post ending=status:504 */";
        assert_eq!(gateway.client().start(sql).await.unwrap_err().status(), Some(504));
    }
    let circuit = r#"gateway_circuit_breaker_state{backend="a",routing_group="adhoc"}"#;
    wait::until_async("an open circuit", async || gateway.metric(circuit).await > 0.0).await;
    let refused = gateway.client().send(Method::POST, "/v1/statement", "SELECT 1").await.unwrap();
    assert_eq!(refused.status, 503);
    assert_eq!(refused.header("x-gateway-reason"), "circuit_open");
    assert!(running.advance().await.unwrap(), "a known query goes on");
    running.cancel().await.unwrap();
    gateway.stop().await;
}

#[tokio::test]
async fn peers_X12_a_406_to_forwarded_headers_is_found_out_and_avoided() {
    let trino = trino::trino().await;
    let gateway = Gateway::before(&[&trino]).await;
    assert_eq!(gateway.client().rows("SELECT 1").await.len(), 1);
    let statements: Vec<_> =
        trino.seen().into_iter().filter(|seen| seen.path.starts_with("/v1/statement")).collect();
    assert!(!statements.is_empty());
    for seen in statements {
        let forwarded = seen.headers.keys().any(|name| name.as_str().starts_with("x-forwarded-"));
        assert!(!forwarded, "{:?}", seen.headers);
    }
    // Under a name of its own the client is sent back to that name.
    let named = gateway.client().via(gateway.addresses.data).with("host", "trino.example.com");
    let named = named.expecting("http://trino.example.com");
    assert_eq!(named.rows("SELECT 1").await.len(), 1);
    gateway.stop().await;
}

#[tokio::test]
async fn a_statement_that_its_coordinator_never_answers_is_given_up_in_time() {
    let trino = trino::trino().await;
    let yaml = format!("{}upstream: {{ statementTimeout: 300ms }}\n", groups(&[trino.url()], ""));
    let gateway = Gateway::start(&yaml).await;
    gateway.until_healthy(1).await;
    let started = tokio::time::Instant::now();
    let sql = "SELECT 1 /* sim: at=post ending=stall */";
    assert_eq!(gateway.client().start(sql).await.unwrap_err().status(), Some(504));
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(gateway.in_flight(), 0);
    gateway.stop().await;
}
