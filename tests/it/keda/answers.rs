//! What is answered when KEDA asks.

use tonic::Code;

use super::{ENDLESS, PLAN};
use crate::harness::{
    gateway::Gateway,
    keda::{Keda, scaler},
    wait,
    webhook::Manner,
};

#[tokio::test]
async fn scale_5_coldstart_T5_a_statement_without_a_backend_is_demand_before_its_answer() {
    let stage = PLAN.asleep().await;
    stage.webhook.will(Manner::Accept);
    let keda = Keda::of(&stage.gateway, "adhoc").await;
    let held = stage.held(&stage.client(), ENDLESS).await;
    assert!(!held.is_answered());
    assert!(keda.is_active().await.unwrap());
    let [value] = &keda.metric("demand").await.unwrap()[..] else { panic!("one value") };
    assert_eq!((value.metric_name.as_str(), value.metric_value), ("demand", 1));
    assert_eq!(value.metric_value_float, 1.0);
    held.leave();
    stage.stop().await;
}

#[tokio::test]
async fn both_fields_of_the_target_are_filled() {
    let stage = PLAN.asleep().await;
    let at = scaler(&stage.gateway);
    let group = ("routingGroup", "adhoc");
    for (said, whole, exact) in [("4", 4, 4.0), ("2.5", 3, 2.5), ("0.2", 1, 0.2)] {
        let keda = Keda::at(at, &[group, ("targetInFlightPerWorker", said)]).await;
        let [spec] = &keda.spec().await.unwrap()[..] else { panic!("one specification") };
        assert_eq!((spec.metric_name.as_str(), spec.target_size), ("demand", whole));
        assert_eq!(spec.target_size_float, exact);
    }
    let usual = Keda::at(at, &[group]).await.spec().await.unwrap();
    assert_eq!(usual[0].target_size, 4);
    stage.stop().await;
}

#[tokio::test]
async fn ledger_L11_counts_that_are_not_known_are_an_error_and_never_0() {
    let stage = PLAN.asleep().await;
    stage.webhook.will(Manner::Accept);
    let keda = Keda::of(&stage.gateway, "adhoc").await;
    assert_eq!(keda.is_active().await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(keda.metric("demand").await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(keda.spec().await.unwrap().len(), 1, "that hangs on no count");
    let held = stage.held(&stage.client(), ENDLESS).await;
    assert_eq!(keda.demand().await.unwrap(), 1.0, "what is known is told at once");
    held.leave();
    stage.stop().await;
}

/// Metadata, and what they are answered with.
type Case<'a> = (&'a [(&'a str, &'a str)], Code, &'a str);

#[tokio::test]
async fn a_question_that_makes_no_sense_is_answered_in_words() {
    let stage = PLAN.asleep().await;
    let at = scaler(&stage.gateway);
    let group = ("routingGroup", "adhoc");
    let long = "x".repeat(500);
    let cases: [Case<'_>; 8] = [
        (&[("routingGroup", "etl")], Code::NotFound, "no routing group `etl`"),
        (&[], Code::InvalidArgument, "`routingGroup` is missing"),
        (&[("routingGroup", "a b")], Code::InvalidArgument, "`a b` is no name"),
        (&[("routingGroup", &long)], Code::InvalidArgument, "is no name"),
        (&[("routinggroup", "adhoc")], Code::InvalidArgument, "did you mean `routingGroup`?"),
        (&[group, ("targetInFlightPerWorker", "0")], Code::InvalidArgument, "`0` is no number"),
        (&[group, ("targetInFlightPerWorker", "NaN")], Code::InvalidArgument, "`NaN` is no"),
        (&[group, ("activationInFlight", "-1")], Code::InvalidArgument, "no whole number"),
    ];
    for (metadata, code, words) in cases {
        let keda = Keda::at(at, metadata).await;
        let refusals = [
            keda.is_active().await.unwrap_err(),
            keda.spec().await.unwrap_err(),
            keda.demand().await.unwrap_err(),
            keda.open().await.map(|_| ()).unwrap_err(),
        ];
        for refused in refusals {
            assert_eq!(refused.code(), code, "{metadata:?}: {refused}");
            assert!(refused.message().contains(words), "{metadata:?}: {refused}");
            assert!(refused.message().len() < 200, "{refused}");
        }
    }
    let keda = Keda::at(at, &[group]).await;
    assert_eq!(keda.metric("queue").await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(keda.spec_stream().await.unwrap_err().code(), Code::Unimplemented);
    stage.stop().await;
}

#[tokio::test]
async fn a_threshold_is_the_gateways_own_business() {
    let stage = PLAN.asleep().await;
    stage.webhook.will(Manner::Accept);
    let metadata = [("routingGroup", "adhoc"), ("activationInFlight", "1")];
    let keda = Keda::at(scaler(&stage.gateway), &metadata).await;
    let one = stage.held(&stage.client(), ENDLESS).await;
    assert_eq!(keda.is_active().await.unwrap_err().code(), Code::Unavailable, "more may be known");
    assert_eq!(keda.demand().await.unwrap(), 1.0);
    let mut events = keda.open().await.unwrap();
    let other = stage.held(&stage.client(), ENDLESS).await;
    assert_eq!(events.next().await.unwrap(), Some(true));
    assert!(keda.is_active().await.unwrap());
    one.leave();
    other.leave();
    stage.stop().await;
}

#[tokio::test]
async fn the_page_of_metrics_says_whether_keda_is_connected() {
    let stage = PLAN.asleep().await;
    let gateway = &stage.gateway;
    let last = async || gateway.metric("gateway_scaler_last_poll_timestamp_seconds").await;
    let streams = async || gateway.metric("gateway_scaler_streams").await;
    assert_eq!((last().await, streams().await), (0.0, 0.0));
    let keda = Keda::of(gateway, "adhoc").await;
    keda.spec().await.unwrap();
    assert!(last().await > 1.7e9);
    let events = keda.open().await.unwrap();
    wait::until_async("an open stream", async || streams().await == 1.0).await;
    drop(events);
    wait::until_async("no open stream", async || streams().await == 0.0).await;
    stage.stop().await;
}

#[tokio::test]
async fn without_the_key_there_is_no_port() {
    let group = "{ name: adhoc, backends: [{ name: a, url: 'http://127.0.0.1:1' }] }";
    let gateway = Gateway::start(&format!("routingGroups: [{group}]\n")).await;
    assert_eq!(gateway.addresses.scaler, None);
    gateway.stop().await;
}
