//! What is said unasked.

use std::time::Duration;

use super::{ENDLESS, PLAN};
use crate::harness::{keda::Keda, wait, webhook::Manner};

const EDGE: &str = r#"gateway_scaler_pushes_total{kind="edge",routing_group="adhoc"}"#;
const REPEAT: &str = r#"gateway_scaler_pushes_total{kind="repeat",routing_group="adhoc"}"#;

#[tokio::test]
async fn the_first_statement_is_pushed_at_once() {
    let stage = PLAN.asleep().await;
    stage.webhook.will(Manner::Accept);
    let keda = Keda::of(&stage.gateway, "adhoc").await;
    let mut events = keda.open().await.unwrap();
    let held = stage.held(&stage.client(), ENDLESS).await;
    assert_eq!(events.next().await.unwrap(), Some(true));
    assert_eq!(stage.gateway.metric(EDGE).await, 1.0);
    held.leave();
    stage.stop().await;
}

#[tokio::test]
async fn coldstart_T1_an_activation_that_keda_lost_is_pushed_again_within_2_s() {
    let stage = PLAN.asleep().await;
    stage.webhook.will(Manner::Accept);
    let mut events = Keda::of(&stage.gateway, "adhoc").await.open().await.unwrap();
    let held = stage.held(&stage.client(), ENDLESS).await;
    assert_eq!(events.next().await.unwrap(), Some(true), "which KEDA drops");
    let lost = tokio::time::Instant::now();
    assert_eq!(events.next().await.unwrap(), Some(true));
    // Its second is counted by the gateway; what a busy machine adds is not judged here.
    assert!(lost.elapsed() > Duration::from_millis(500), "{:?}", lost.elapsed());
    assert_eq!(stage.gateway.metric(REPEAT).await, 1.0);
    held.leave();
    stage.stop().await;
}

#[tokio::test]
async fn coldstart_T4_a_pulse_of_demand_is_one_push() {
    let stage = PLAN.asleep().await;
    stage.webhook.will(Manner::Accept);
    let mut events = Keda::of(&stage.gateway, "adhoc").await.open().await.unwrap();
    stage.held(&stage.client(), ENDLESS).await.leave();
    stage.gateway.until_idle().await;
    assert_eq!(events.next().await.unwrap(), Some(true));
    assert!(events.is_quiet(Duration::from_millis(1500)).await, "it lingers, and nobody waits");
    assert_eq!((stage.gateway.metric(EDGE).await, stage.gateway.metric(REPEAT).await), (1.0, 0.0));
    let peak = stage.gateway.metric(r#"gateway_inflight_peak{routing_group="adhoc"}"#).await;
    assert_eq!(peak, 1.0);
    stage.stop().await;
}

#[tokio::test]
async fn each_stream_is_told_and_a_new_one_first_of_all_what_is_so() {
    let stage = PLAN.asleep().await;
    stage.webhook.will(Manner::Accept);
    let keda = Keda::of(&stage.gateway, "adhoc").await;
    let (mut one, mut other) = (keda.open().await.unwrap(), keda.open().await.unwrap());
    let held = stage.held(&stage.client(), ENDLESS).await;
    assert_eq!(one.next().await.unwrap(), Some(true));
    assert_eq!(other.next().await.unwrap(), Some(true));
    assert_eq!(keda.open().await.unwrap().next().await.unwrap(), Some(true), "after a gap");
    held.leave();
    stage.stop().await;
}

#[tokio::test]
async fn a_stream_of_a_group_that_is_removed_ends_with_not_found() {
    let stage = PLAN.asleep().await;
    let mut events = Keda::of(&stage.gateway, "adhoc").await.open().await.unwrap();
    let more = PLAN.more;
    stage.gateway.rewrite(&format!(
        "{more}\nroutingGroups: [{{ name: etl, backends: [{{ name: b, url: 'http://127.0.0.1:1' }}] }}]\n"
    ));
    stage.gateway.signal(sluice::lifecycle::Signal::Reload);
    let refused = events.next().await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::NotFound, "{refused}");
    wait::until("the group is gone", || stage.gateway.shared.current.load().groups.len() == 1)
        .await;
    stage.gateway.stop().await;
}
