//! T5: a collector that is not there, slow, refuses or babbles, and addresses that are none. Serving goes on.

#![allow(non_snake_case, reason = "tests bear the ids of the facts")]

use std::{
    process::{Command, Output},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    gateway,
    sink::{Manner, Sink},
    telemetry,
};
use crate::{
    drain::{Process, process_yaml},
    harness::{
        client::Client,
        gateway::{Gateway, groups},
        trino, wait,
    },
};

const EXPORTED: &str = "gateway_trace_spans_exported_total";
const LOST: &str = "gateway_trace_spans_dropped_total{reason=\"export_error\"}";

#[tokio::test]
async fn obs_T5_a_collector_that_refuses_costs_spans_and_nothing_else() {
    let (coordinator, sink) = (trino::trino().await, Sink::start(Manner::Refuse(400)).await);
    let gateway = gateway(&coordinator, &sink, ", sampleRatio: 1").await;
    assert_eq!((gateway.metric(EXPORTED).await, gateway.metric(LOST).await), (0.0, 0.0));
    gateway.client().rows("SELECT 1").await;
    wait::until_async("spans are lost", async || gateway.metric(LOST).await >= 5.0).await;
    assert_eq!(gateway.metric(EXPORTED).await, 0.0);
    let lost = gateway.metric(LOST).await;
    sink.will(Manner::Babble);
    gateway.client().rows("SELECT 1").await;
    wait::until_async("spans are exported", async || gateway.metric(EXPORTED).await >= 5.0).await;
    assert_eq!(gateway.metric(LOST).await, lost, "a strange answer is one");
    gateway.stop().await;
}

#[tokio::test]
async fn obs_T5_a_collector_that_hangs_delays_no_query_and_the_end_by_5_s_at_most() {
    let (coordinator, sink) = (trino::trino().await, Sink::start(Manner::Hang).await);
    let gateway = gateway(&coordinator, &sink, ", sampleRatio: 1").await;
    gateway.client().rows("SELECT 1").await;
    wait::until("it was asked", || sink.requests() > 0).await;
    for _ in 0..20 {
        let began = Instant::now();
        gateway.client().rows("SELECT 1 /* sim: queued=0 running=0 finishing=0 */").await;
        assert!(began.elapsed() < Duration::from_secs(5));
    }
    let began = Instant::now();
    gateway.stop().await;
    let took = began.elapsed();
    assert!(took < Duration::from_secs(7), "{took:?}");
}

#[tokio::test]
async fn obs_T5_the_last_spans_reach_the_collector_before_the_end() {
    let (coordinator, sink) = (trino::trino().await, Sink::start(Manner::Take).await);
    let gateway = gateway(&coordinator, &sink, ", sampleRatio: 1").await;
    let done = gateway.client().query("SELECT 1").await.unwrap();
    gateway.stop().await;
    assert_eq!(sink.spans().iter().filter(|span| span.kind == 2).count(), done.pages.len());
    assert_eq!(sink.named("gateway.query").len(), 1);
}

#[tokio::test]
async fn obs_T5_grpc_to_a_closed_port_serves_and_warns_once() {
    let coordinator = trino::trino().await;
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let yaml = format!("telemetry: {{ otlpEndpoint: \"http://{closed}\", sampleRatio: 1 }}\n");
    let yaml = yaml + &process_yaml(&coordinator.url(), "wait: 50ms, deadline: 5s");
    let mut process = Process::start(&yaml, "info").await;
    let client = Client::new(format!("http://{}", process.data));
    for _ in 0..3 {
        client.rows("SELECT 1").await;
        wait::pass(Duration::from_millis(1500)).await;
    }
    process.signal("-TERM").await;
    let mut warned = Vec::new();
    while let Some(line) = process.lines.next_line().await.unwrap() {
        warned.extend(line.contains("otlp_export_failed").then_some(line));
    }
    assert_eq!(warned.len(), 1, "{warned:?}");
    assert!(warned[0].contains("\"count\":"), "{warned:?}");
}

fn start(section: &str, variables: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sluice.yaml");
    let binds = "data: { bind: \"127.0.0.1:0\" }\nmetrics: { bind: \"127.0.0.1:0\" }\nhealth: { bind: \"127.0.0.1:0\" }\nadmin: { bind: \"127.0.0.1:0\" }\n";
    std::fs::write(
        &file,
        format!("{binds}{section}\n{}", groups(&["http://127.0.0.1:1".to_owned()], "")),
    )
    .unwrap();
    let mut command = Command::new("timeout");
    let sluice = env!("CARGO_BIN_EXE_sluice");
    command.args(["-s", "KILL", "10", sluice, "serve", "--config"]).arg(&file);
    command.envs(variables.iter().copied()).output().unwrap()
}

#[test]
fn obs_T4_T5_a_wrong_setting_ends_the_start_at_once_and_is_named() {
    for (section, variables, named) in [
        ("telemetry: { sampleRatio: 2 }", &[][..], "telemetry.sampleRatio"),
        ("telemetry: { sampleRatio: -0.5 }", &[], "telemetry.sampleRatio"),
        ("telemetry: { otlpEndpoint: nonsense }", &[], "telemetry.otlpEndpoint"),
        ("telemetry: { tracesOtlpEndpoint: \"http://\" }", &[], "telemetry.tracesOtlpEndpoint"),
        ("", &[("OTEL_TRACES_SAMPLER_ARG", "2")], "OTEL_TRACES_SAMPLER_ARG"),
        ("", &[("OTEL_EXPORTER_OTLP_ENDPOINT", "nonsense")], "OTEL_EXPORTER_OTLP_ENDPOINT"),
    ] {
        let output = start(section, variables);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{section} {variables:?}: {told}");
        assert!(told.contains(named), "{told}");
    }
}

#[tokio::test]
async fn obs_T5_without_an_endpoint_nobody_is_connected_and_no_thread_runs() {
    let (coordinator, sink) = (trino::trino().await, Sink::start(Manner::Take).await);
    let _ = telemetry(&sink, "");
    let gateway = Gateway::before(&[&coordinator]).await;
    gateway.client().with("traceparent", &super::parent("01")).rows("SELECT 1").await;
    assert!(!gateway.shared.traces.is_on());
    assert_eq!((gateway.metric(EXPORTED).await, sink.connections()), (0.0, 0));
    gateway.stop().await;
}
