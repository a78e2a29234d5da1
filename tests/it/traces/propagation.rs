//! T1, T2, T6: what a coordinator is told of a trace while spans are exported, and while they are not.

#![allow(non_snake_case, reason = "tests bear the ids of the facts")]

use super::{
    PARENT, TRACE, context, gateway, lines, parent,
    sink::{Manner, Sink},
    statements, telemetry,
};
use crate::drain::{Process, process_yaml};
use crate::harness::{
    client::Client,
    gateway::{Gateway, groups},
    raw::{Raw, post},
    trino,
};

#[tokio::test]
async fn obs_T1_without_an_endpoint_hostile_trace_headers_pass_byte_for_byte_and_nothing_is_connected()
 {
    let (coordinator, sink) = (trino::trino().await, Sink::start(Manner::Take).await);
    let gateway = Gateway::start(&groups(&[coordinator.url()], "")).await;
    gateway.until_healthy(1).await;
    for came in
        ["cc-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03-more", "rubbish", "00-0-0-0"]
    {
        coordinator.forget();
        let client = gateway.client().with("traceparent", came).and("traceparent", came);
        let client = client.and("tracestate", "").and("tracestate", "b=2").with("baggage", "k=v;p");
        client.rows("SELECT 1").await;
        for seen in statements(&coordinator) {
            assert_eq!(lines(&seen, "traceparent"), [came, came]);
            assert_eq!(lines(&seen, "tracestate"), ["", "b=2"]);
            assert_eq!(lines(&seen, "baggage"), ["k=v;p"]);
        }
    }
    gateway.stop().await;
    assert_eq!(sink.connections(), 0);
}

#[tokio::test]
async fn obs_T2_each_request_names_its_own_attempt_and_keeps_tracestate_and_baggage() {
    let (coordinator, sink) = (trino::trino().await, Sink::start(Manner::Take).await);
    let gateway = gateway(&coordinator, &sink, "").await;
    let client = gateway.client().with("traceparent", &parent("01"));
    let client =
        client.and("tracestate", "a=1").and("tracestate", "").and("tracestate", "b=2 , c=3");
    client.with("baggage", "k=v;p,  x=y").rows("SELECT 1").await;
    let seen = statements(&coordinator);
    gateway.stop().await;
    for seen in &seen {
        let (trace, span, flags) = context(seen);
        assert_eq!((trace.as_str(), flags.as_str()), (TRACE, "01"));
        let told: Vec<_> = sink.spans().into_iter().filter(|told| told.id == span).collect();
        let [client] = &told[..] else { panic!("{span}: {told:?}") };
        assert_eq!((client.kind, client.trace.as_str()), (3, TRACE));
        assert_eq!(lines(seen, "tracestate"), ["a=1,b=2 , c=3"]);
        assert_eq!(lines(seen, "baggage"), ["k=v;p,  x=y"]);
    }
}

#[tokio::test]
async fn obs_T2_a_traceparent_that_cannot_be_read_begins_a_new_trace() {
    let (coordinator, sink) = (trino::trino().await, Sink::start(Manner::Take).await);
    let gateway = gateway(&coordinator, &sink, ", sampleRatio: 1").await;
    for came in [
        "rubbish",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        &format!("00-{}-{PARENT}-01", "0".repeat(32)),
    ] {
        coordinator.forget();
        let client = gateway.client().with("traceparent", came).with("tracestate", "a=1");
        let running = client.start("SELECT 1").await.unwrap();
        let told = running.last().answer.header("x-trace-id").to_owned();
        running.cancel().await.unwrap();
        let seen = statements(&coordinator);
        assert_eq!(context(&seen[0]).0, told);
        assert_eq!(lines(&seen[0], "tracestate"), Vec::<String>::new());
    }
    gateway.stop().await;
}

#[tokio::test]
async fn obs_T2_hostile_letters_in_a_statement_and_its_headers_break_nothing() {
    let (coordinator, sink) = (trino::trino().await, Sink::start(Manner::Take).await);
    let gateway = gateway(&coordinator, &sink, ", sampleRatio: 1").await;
    let headers = "x-trino-source: \"\\{\"a\":1}\r\nuser-agent: \u{1f600}\r\n";
    let told = Raw::ask(gateway.addresses.data, post(headers, "SELECT '\u{0}secret'")).await;
    assert_eq!(told.status(), 200, "{told:?}");
    let spans = sink.until("POST /v1/statement", 1).await;
    assert_eq!(
        (spans[0].of("trino.source"), spans[0].of("user_agent.original")),
        ("\"\\{\"a\":1}", "")
    );
    gateway.terminate();
    gateway.ended().await;
}

#[tokio::test]
async fn obs_T6_a_made_trace_is_that_of_the_answer_and_of_all_polls() {
    let (coordinator, sink) = (trino::trino().await, Sink::start(Manner::Take).await);
    let gateway = gateway(&coordinator, &sink, ", sampleRatio: 0").await;
    let done = gateway.client().query("SELECT * FROM sim.rows(5)").await.unwrap();
    let told: Vec<&str> = done.pages.iter().map(|page| page.answer.header("x-trace-id")).collect();
    let seen = statements(&coordinator);
    assert!(seen.iter().all(|seen| context(seen).0 == told[0]), "{seen:?}");
    assert!(told.iter().all(|trace| *trace == told[0]), "{told:?}");
    let spans: std::collections::BTreeSet<_> = seen.iter().map(|seen| context(seen).1).collect();
    assert_eq!(spans.len(), seen.len(), "each has a span of its own");
    gateway.stop().await;
}

#[tokio::test]
async fn a_request_without_a_trace_gets_none_where_that_is_off() {
    let (coordinator, sink) = (trino::trino().await, Sink::start(Manner::Take).await);
    let more = ", sampleRatio: 1, generateWhenAbsent: false";
    let yaml = telemetry(&sink, more) + &groups(&[coordinator.url()], "");
    let gateway = Gateway::start(&yaml).await;
    gateway.until_healthy(1).await;
    gateway.client().rows("SELECT 1").await;
    assert!(statements(&coordinator).iter().all(|seen| seen.header("traceparent").is_none()));
    gateway.stop().await;
    assert_eq!(sink.requests(), 0);
}

#[tokio::test]
async fn obs_T7_a_line_of_the_log_and_of_the_audit_name_the_span_of_its_request() {
    let (coordinator, sink) = (trino::trino().await, Sink::start(Manner::Take).await);
    let folder = tempfile::tempdir().unwrap();
    let audit = folder.path().join("audit.jsonl");
    let yaml = telemetry(&sink, ", sampleRatio: 1")
        + &format!("audit: {{ path: \"{}\" }}\nlog: {{ access: all }}\n", audit.display())
        + &process_yaml(&coordinator.url(), "wait: 50ms, deadline: 5s");
    let mut process = Process::start(&yaml, "info").await;
    let client = Client::new(format!("http://{}", process.data));
    let done = client.query("SELECT 1").await.unwrap();
    process.signal("-TERM").await;
    let mut logged = Vec::new();
    while let Some(line) = process.lines.next_line().await.unwrap() {
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        if line["event"] == "request_completed" {
            logged.push(
                [&line["trace_id"], &line["span_id"], &line["trace_flags"]]
                    .map(|id| id.as_str().unwrap().to_owned()),
            );
        }
    }
    assert_eq!(logged.len(), done.pages.len());
    let servers: Vec<_> = sink.spans().into_iter().filter(|span| span.kind == 2).collect();
    for [trace, span, flags] in &logged {
        assert_eq!(flags, "01");
        assert!(
            servers.iter().any(|server| server.trace == *trace && server.id == *span),
            "{span}"
        );
    }
    let record: serde_json::Value =
        serde_json::from_str(std::fs::read_to_string(&audit).unwrap().lines().next().unwrap())
            .unwrap();
    let post = &sink.named("POST /v1/statement")[0];
    assert_eq!(
        (&record["trace_id"], &record["span_id"]),
        (&post.trace.as_str().into(), &post.id.as_str().into())
    );
}
