//! T2: names, kinds, parents, attributes and links of spans, and what must not be in them.

#![allow(non_snake_case, reason = "tests bear the ids of the facts")]

use std::collections::BTreeSet;

use super::{
    PARENT, TRACE, gateway, parent,
    protobuf::Span,
    sink::{Manner, Sink},
    telemetry,
};
use crate::harness::{
    gateway::{Gateway, groups},
    trino,
};

const SQL: &str = "SELECT 'a secret' FROM sim.rows(5)";
const POST: &str = "POST /v1/statement";
const EXECUTING: &str = "GET /v1/statement/executing/{queryId}/{slug}/{token}";

fn keys(span: &Span) -> BTreeSet<&str> {
    span.attributes.keys().map(String::as_str).collect()
}

#[tokio::test]
async fn obs_T2_a_query_is_one_trace_with_the_spans_of_the_contract() {
    let (coordinator, sink) = (trino::trino().await, Sink::start(Manner::Take).await);
    let gateway = gateway(&coordinator, &sink, ", sampleRatio: 0").await;
    let client = gateway.client().with("traceparent", &parent("01"));
    let client = client.with("x-trino-source", "tests").with("x-trino-catalog", "sim");
    let client = client.with("x-trino-schema", "s").with("user-agent", "strict/1");
    let post = client.clone();
    let mut running = post.start(SQL).await.unwrap();
    while running.advance().await.unwrap() {}
    let done = running.done();
    gateway.stop().await;
    let spans = sink.spans();
    assert!(spans.iter().all(|span| span.trace == TRACE && span.began <= span.ended), "{spans:#?}");
    let ids: BTreeSet<_> = spans.iter().map(|span| &span.id).collect();
    assert_eq!(ids.len(), spans.len(), "each has an id of its own");

    let [post] = &sink.named(POST)[..] else { panic!("{spans:#?}") };
    assert_eq!((post.kind, post.parent.as_str(), post.is_error), (2, PARENT, false));
    let expected = [
        "client.address",
        "gateway.backend",
        "gateway.operation",
        "gateway.routing_group",
        "http.request.method",
        "http.response.status_code",
        "http.route",
        "network.peer.address",
        "network.peer.port",
        "network.protocol.version",
        "server.address",
        "server.port",
        "trino.query_id",
        "trino.source",
        "trino.user",
        "url.path",
        "url.scheme",
        "user_agent.original",
    ];
    assert_eq!(keys(post), expected.into_iter().collect());
    for (key, value) in [
        ("http.request.method", "POST"),
        ("http.route", "/v1/statement"),
        ("http.response.status_code", "200"),
        ("gateway.routing_group", "adhoc"),
        ("gateway.backend", "a"),
        ("gateway.operation", "statement_submit"),
        ("trino.query_id", done.id()),
        ("trino.user", "test"),
        ("trino.source", "tests"),
        ("client.address", "127.0.0.1"),
        ("user_agent.original", "strict/1"),
        ("server.address", "127.0.0.1"),
        ("url.scheme", "http"),
    ] {
        assert_eq!(post.of(key), value, "{key}");
    }

    let [query] = &sink.named("gateway.query")[..] else { panic!("{spans:#?}") };
    assert_eq!((query.kind, &query.parent, query.is_error), (1, &post.id, false));
    for (key, value) in [
        ("db.system.name", "trino"),
        ("db.namespace", "sim|s"),
        ("statement_type", "query"),
        ("trino.query_id", done.id()),
        ("trino.state", "FINISHED"),
    ] {
        assert_eq!(query.of(key), value, "{key}");
    }
    assert_eq!(query.events, ["submitted", "routed", "first_row", "finished"]);
    for name in ["gateway.route", "gateway.rules"] {
        let [span] = &sink.named(name)[..] else { panic!("{spans:#?}") };
        assert_eq!((span.kind, &span.parent), (1, &post.id));
        assert_eq!(span.of("gateway.chosen"), "a");
        assert_eq!(span.of("gateway.reason"), "forward");
    }
    assert_eq!(sink.named("gateway.rules")[0].of("gateway.rule"), "default");
    assert_eq!(sink.named("gateway.rules")[0].of("gateway.candidates"), "1");
    assert_eq!(sink.named("gateway.auth").len(), 0, "nothing is authenticated yet");

    for poll in spans.iter().filter(|span| span.kind == 2 && span.name != POST) {
        assert_eq!(poll.links, [(TRACE.to_owned(), query.id.clone())], "{poll:#?}");
        assert_eq!((poll.of("trino.query_id"), poll.of("gateway.backend")), (done.id(), "a"));
        assert_eq!(poll.of("gateway.routing_group"), "adhoc");
    }
    let servers: Vec<_> = spans.iter().filter(|span| span.kind == 2).collect();
    let clients: Vec<_> = spans.iter().filter(|span| span.kind == 3).collect();
    assert_eq!((servers.len(), clients.len()), (done.pages.len(), done.pages.len()));
    for client in clients {
        let server = servers.iter().find(|server| server.id == client.parent).unwrap();
        assert_eq!(client.name, server.of("http.request.method"));
        assert_eq!(
            client.of("url.full"),
            format!("{}{}", coordinator.url(), server.of("url.path"))
        );
        assert_eq!(client.of("url.template"), server.of("http.route"));
        assert_eq!(client.of("http.response.status_code"), "200");
        assert_eq!(client.of("network.peer.address"), "127.0.0.1");
        assert_eq!(client.of("gateway.backend"), "a");
        assert!(!client.is_error);
    }
    let results = sink.named("gateway.results");
    assert_eq!(results.len(), done.pages.len() - 1, "one for each poll's page");
    let polled = sink.named(EXECUTING);
    let last = polled.iter().max_by_key(|poll| poll.ended).unwrap();
    let page = results.iter().find(|page| page.parent == last.id).unwrap();
    assert_eq!(page.of("gateway.bytes"), done.last().answer.raw.len().to_string());
    assert!(page.of("gateway.page_token").parse::<u64>().is_ok());
    assert_eq!(post.resource["service.name"], "sluice");
    assert!(
        post.resource.contains_key("host.name")
            && post.resource.contains_key("service.instance.id")
    );
}

#[tokio::test]
async fn obs_T2_no_sql_no_slug_and_no_credential_is_in_any_span() {
    let (coordinator, sink) = (trino::trino().await, Sink::start(Manner::Take).await);
    let gateway = gateway(&coordinator, &sink, ", sampleRatio: 1, captureUser: false").await;
    let client = gateway.client().with("authorization", "Bearer hidden");
    let done = client.query(SQL).await.unwrap();
    gateway.stop().await;
    let told = format!("{:?}", sink.spans());
    assert!(sink.spans().len() > 5);
    let slugs =
        done.pages.iter().filter_map(|page| page.next.as_ref()).map(|next| next.slug.as_str());
    for secret in slugs.chain(["a secret", "sim.rows", "hidden", "trino.user"]) {
        assert!(!told.contains(secret), "{secret} in {told}");
    }
}

#[tokio::test]
async fn obs_T2_failures_are_errors_and_what_is_sent_again_says_so() {
    let (coordinator, sink) = (trino::trino().await, Sink::start(Manner::Take).await);
    let more = format!(
        "telemetry: {{ otlpEndpoint: \"{}\", otlpProtocol: http/protobuf, sampleRatio: 1 }}\n",
        sink.url()
    );
    // `b` is healthy until the statement comes: then it is not there.
    let other = trino::trino().await;
    let urls = [other.url(), coordinator.url()];
    let gateway = Gateway::start(
        &(more + "health: { bind: \"127.0.0.1:0\", interval: 1h }\n" + &groups(&urls, "")),
    )
    .await;
    gateway.until_healthy(2).await;
    other.stop().await;
    for _ in 0..4 {
        gateway.client().rows("SELECT 1").await;
    }
    let failed =
        gateway.client().query("SELECT 1 /* sim: ending=fail:SYNTAX_ERROR */").await.unwrap();
    gateway.stop().await;
    let spans = sink.spans();
    let attempts = |kind: &str| -> Vec<&Span> {
        spans.iter().filter(|span| span.kind == 3 && span.of("error.type") == kind).collect()
    };
    let refused = attempts("refused");
    assert!(!refused.is_empty() && refused.iter().all(|span| span.is_error), "{spans:#?}");
    let again: Vec<_> =
        spans.iter().filter(|span| !span.of("http.request.resend_count").is_empty()).collect();
    assert_eq!(again.len(), refused.len());
    assert!(again.iter().all(
        |span| span.of("http.request.resend_count") == "1" && span.of("gateway.backend") == "b"
    ));
    if let Some(name) = failed.error_name() {
        let query = sink.named("gateway.query").into_iter().find(|query| query.is_error).unwrap();
        assert_eq!(
            (query.of("db.response.status_code"), query.of("trino.state")),
            (name, "FAILED")
        );
    } else {
        panic!("the simulator did not fail the query");
    }
}

#[tokio::test]
async fn obs_T2_a_poll_with_a_trace_of_its_own_keeps_it_and_links_to_its_query() {
    let (coordinator, sink) = (trino::trino().await, Sink::start(Manner::Take).await);
    let gateway = gateway(&coordinator, &sink, "").await;
    let post = gateway.client().with("traceparent", &parent("01"));
    let running = post.start("SELECT 1").await.unwrap();
    let own = "00-11111111111111111111111111111111-2222222222222222-01";
    let poll = gateway.client().with("traceparent", own).get(&running.next_uri()).await.unwrap();
    assert_eq!(poll.header("x-trace-id"), "1".repeat(32));
    assert_eq!(running.cancel().await.unwrap().status, 204);
    gateway.stop().await;
    let query = &sink.named("gateway.query")[0];
    assert_eq!((query.trace.as_str(), query.of("trino.state")), (TRACE, "CANCELED"));
    let polls: Vec<_> =
        sink.spans().into_iter().filter(|span| span.trace != TRACE && span.kind == 2).collect();
    let [poll] = &polls[..] else { panic!("{polls:#?}") };
    assert_eq!(poll.parent, "2".repeat(16));
    assert_eq!(poll.links, [(TRACE.to_owned(), query.id.clone())]);
}

#[tokio::test]
async fn obs_T2_the_statement_is_told_only_if_that_is_asked_for_and_then_masked() {
    let (coordinator, sink) = (trino::trino().await, Sink::start(Manner::Take).await);
    let gateway = gateway(&coordinator, &sink, ", sampleRatio: 1, captureQueryText: true").await;
    gateway.client().rows(SQL).await;
    gateway.stop().await;
    let query = &sink.named("gateway.query")[0];
    assert_eq!(query.of("db.query.text"), "SELECT '?' FROM sim.rows(?)");
}

#[tokio::test]
async fn counted_rows_stand_on_the_query_and_on_its_pages() {
    let (coordinator, sink) = (trino::trino().await, Sink::start(Manner::Take).await);
    let more = telemetry(&sink, ", sampleRatio: 1.0") + "queries: { countRows: true }\n";
    let gateway = Gateway::start(&(more + &groups(&[coordinator.url()], ""))).await;
    gateway.until_healthy(1).await;
    gateway.client().query("SELECT 1 /* sim: pages=3 rows=2 */").await.unwrap();
    let query = sink.until("gateway.query", 1).await.remove(0);
    assert_eq!(query.of("gateway.rows"), "6");
    gateway.stop().await;
    let pages = sink.named("gateway.results");
    let rows = pages.iter().filter_map(|page| page.attributes.get("gateway.rows"));
    assert_eq!(rows.map(|rows| rows.parse::<u64>().unwrap()).sum::<u64>(), 6, "{pages:#?}");
}
