//! T3: one trace from the POST over the resume to the last page, and the spans of a resume.

#![allow(non_snake_case, reason = "tests bear the ids of the facts")]

use super::{
    TRACE, parent,
    sink::{Manner, Sink},
    telemetry,
};
use crate::harness::{sleeper::Sleeper, stage::Plan, webhook};

/// Held long enough that the POST itself hands over; its polls never meet the waiting room.
const HELD: &str = "holdFor: 20s";
/// Polled while it waits.
const POLLED: &str = "holdFor: 1ms";

fn plan(sink: &Sink, more: &str, cold_start: &'static str) -> Plan {
    let more = telemetry(sink, more).leak();
    Plan { cold_start, more, ..Plan::default() }
}

fn traces(sleeper: &Sleeper) -> Vec<String> {
    let seen = sleeper.simulator().seen();
    let seen = seen.iter().filter(|seen| seen.path.starts_with("/v1/statement"));
    seen.map(|seen| super::context(seen).0).collect()
}

#[tokio::test]
async fn obs_T3_a_resume_is_below_its_query_and_its_call_carries_the_trace() {
    let sink = Sink::start(Manner::Take).await;
    let stage = plan(&sink, ", sampleRatio: 0", HELD).asleep().await;
    let client = stage.client().with("traceparent", &parent("01"));
    let running = client.start("SELECT 1").await.unwrap();
    // Its polls say nothing of a trace.
    let mut polls = running;
    while polls.advance().await.unwrap() {}
    let calls = stage.webhook.resumes();
    let [call] = &calls[..] else { panic!("{calls:?}") };
    let told = call.headers["traceparent"].to_str().unwrap().to_owned();
    assert!(traces(&stage.sleeper).iter().all(|trace| trace == TRACE));
    stage.stop().await;
    let [resume] = &sink.named("gateway.resume")[..] else { panic!("{:#?}", sink.spans()) };
    let [query] = &sink.named("gateway.query")[..] else { panic!("{:#?}", sink.spans()) };
    assert_eq!((&resume.parent, resume.kind, resume.is_error), (&query.id, 1, false));
    for (key, value) in [
        ("gateway.routing_group", "adhoc"),
        ("gateway.resume.provider", "webhook"),
        ("gateway.resume.outcome", "success"),
        ("gateway.resume.waiters", "1"),
    ] {
        assert_eq!(resume.of(key), value, "{key}");
    }
    let calls: Vec<_> = sink
        .spans()
        .into_iter()
        .filter(|span| span.kind == 3 && span.parent == resume.id)
        .collect();
    let [client] = &calls[..] else { panic!("{:#?}", sink.spans()) };
    assert_eq!(told, format!("00-{TRACE}-{}-01", client.id));
    assert_eq!((client.name.as_str(), client.of("http.request.method")), ("POST", "POST"));
    assert_eq!((client.of("server.address"), client.of("gateway.backend")), ("127.0.0.1", "a"));
    assert!(
        query.events.starts_with(&[
            "submitted".into(),
            "resume.started".into(),
            "resume.finished".into()
        ]),
        "{:?}",
        query.events
    );
    assert!(query.of("gateway.resume.waited_ms").parse::<u64>().is_ok(), "{query:#?}");
}

#[tokio::test]
async fn obs_T3_polls_that_wait_continue_the_trace_of_their_post() {
    let sink = Sink::start(Manner::Take).await;
    let stage = plan(&sink, ", sampleRatio: 0", POLLED).asleep().await;
    stage.webhook.will(webhook::Manner::Accept);
    let posted = stage.client().with("traceparent", &parent("01")).start("SELECT 1").await.unwrap();
    let poll = stage.client().may_change_id();
    let waits = poll.get(&posted.next_uri()).await.unwrap();
    assert_eq!(waits.header("x-trace-id"), TRACE);
    stage.sleeper.wake().await;
    let mut next = serde_json::from_slice::<serde_json::Value>(&waits.raw).unwrap();
    while let Some(uri) = next["nextUri"].as_str().map(str::to_owned) {
        let answer = poll.get(&uri).await.unwrap();
        assert_eq!(answer.header("x-trace-id"), TRACE, "{uri}");
        next = serde_json::from_slice(&answer.raw).unwrap();
    }
    let traces = traces(&stage.sleeper);
    assert!(traces.len() > 1 && traces.iter().all(|trace| trace == TRACE), "{traces:?}");
    stage.stop().await;
    let [query] = &sink.named("gateway.query")[..] else { panic!("{:#?}", sink.spans()) };
    let polls = sink.spans();
    let polls: Vec<_> =
        polls.iter().filter(|span| span.kind == 2 && span.name.starts_with("GET")).collect();
    assert!(
        !polls.is_empty()
            && polls.iter().all(|poll| poll.links == [(TRACE.to_owned(), query.id.clone())]),
        "{polls:#?}"
    );
}

#[tokio::test]
async fn obs_T3_joiners_are_linked_and_a_resume_that_fails_is_an_error() {
    let sink = Sink::start(Manner::Take).await;
    let stage = plan(&sink, ", sampleRatio: 1", HELD).asleep().await;
    stage.webhook.will(webhook::Manner::Accept);
    let mut held = vec![stage.held(&stage.client(), "SELECT 1").await];
    stage.webhook.until_resumes(1).await;
    for _ in 0..3 {
        held.push(stage.held(&stage.client(), "SELECT 1").await);
    }
    stage.sleeper.wake().await;
    for held in held {
        held.rows().await;
    }
    stage.sleeper.sleep().await;
    stage.until("a", sluice::snapshot::BackendState::Sleeping).await;
    stage.webhook.will(webhook::Manner::Refuse(403));
    let refused = stage.client().start("SELECT 1").await.unwrap_err();
    assert_eq!(refused.status(), Some(503));
    let resumes = sink.until("gateway.resume", 2).await;
    stage.stop().await;
    let queries = sink.named("gateway.query");
    assert_eq!(queries.len(), 5);
    let (good, bad) = (&resumes[0], &resumes[1]);
    assert_eq!((good.links.len(), good.of("gateway.resume.outcome")), (3, "success"), "{good:#?}");
    for (trace, span) in &good.links {
        assert!(queries.iter().any(|query| query.trace == *trace && query.id == *span));
    }
    assert_eq!((bad.is_error, bad.of("gateway.resume.outcome")), (true, "rejected"), "{bad:#?}");
    let refused = queries.iter().filter(|query| query.is_error).collect::<Vec<_>>();
    let [refused] = &refused[..] else { panic!("{queries:#?}") };
    assert_eq!((bad.parent.as_str(), refused.of("trino.state")), (refused.id.as_str(), "REJECTED"));
}

#[tokio::test]
async fn obs_T3_with_export_off_the_resume_call_still_carries_the_starters_trace() {
    let stage = Plan { cold_start: HELD, ..Plan::default() }.asleep().await;
    stage.client().with("traceparent", &parent("01")).rows("SELECT 1").await;
    let calls = stage.webhook.resumes();
    assert_eq!(calls[0].headers["traceparent"].to_str().unwrap(), parent("01"));
    stage.stop().await;
}
