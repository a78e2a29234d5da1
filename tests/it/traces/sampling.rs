//! T4: who decides whether a trace is exported.

#![allow(non_snake_case, reason = "tests bear the ids of the facts")]

use super::{
    TRACE, context, gateway, parent,
    sink::{Manner, Sink},
    statements,
};
use crate::harness::trino;

/// One query, then everything is flushed; the flags that the coordinator saw, and the spans of traces that came.
async fn told(more: &str, came: Option<&str>) -> (Vec<String>, Vec<String>) {
    let (coordinator, sink) = (trino::trino().await, Sink::start(Manner::Take).await);
    let gateway = gateway(&coordinator, &sink, more).await;
    let client = gateway.client();
    let client = match came {
        Some(came) => client.with("traceparent", came),
        None => client,
    };
    client.rows("SELECT 1").await;
    let flags = statements(&coordinator).iter().map(|seen| context(seen).2).collect();
    gateway.stop().await;
    (flags, sink.spans().into_iter().map(|span| span.trace).collect())
}

#[tokio::test]
async fn obs_T4_a_parent_that_is_sampled_is_exported_whatever_the_ratio() {
    let (flags, traces) = told(", sampleRatio: 0", Some(&parent("01"))).await;
    assert!(flags.iter().all(|flags| flags == "01"), "{flags:?}");
    assert!(traces.len() > 4 && traces.iter().all(|trace| trace == TRACE), "{traces:?}");
}

#[tokio::test]
async fn obs_T4_a_parent_that_is_not_sampled_is_not_exported_whatever_the_ratio() {
    let (flags, traces) = told(", sampleRatio: 1", Some(&parent("00"))).await;
    assert!(flags.iter().all(|flags| flags == "00"), "{flags:?}");
    assert_eq!(traces, Vec::<String>::new());
}

#[tokio::test]
async fn obs_T4_without_a_parent_0_is_none_and_1_is_all() {
    let (flags, traces) = told(", sampleRatio: 0", None).await;
    assert!(flags.iter().all(|flags| flags == "00"), "{flags:?}");
    assert_eq!(traces, Vec::<String>::new());
    let (flags, traces) = told(", sampleRatio: 1.0", None).await;
    assert!(flags.iter().all(|flags| flags == "01"), "{flags:?}");
    assert!(traces.len() > 4 && traces.iter().all(|trace| *trace == traces[0]), "{traces:?}");
}

/// Other flags than the one of sampling pass: `opentelemetry`'s own propagator would lose them.
#[tokio::test]
async fn obs_T4_unknown_flags_stay() {
    let (flags, _) = told("", Some(&parent("03"))).await;
    assert!(flags.iter().all(|flags| flags == "03"), "{flags:?}");
}
