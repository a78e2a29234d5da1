//! How the scaler leaves.

use tonic::Code;

use super::{ENDLESS, PLAN};
use crate::harness::{keda::Keda, webhook::Manner};

#[tokio::test]
async fn coldstart_T2_sigterm_ends_each_stream_with_ok_before_its_connection_closes() {
    let stage = PLAN.asleep().await;
    let keda = Keda::of(&stage.gateway, "adhoc").await;
    let mut streams = Vec::new();
    for _ in 0..3 {
        streams.push(keda.open().await.unwrap());
    }
    stage.gateway.terminate();
    for stream in &mut streams {
        assert_eq!(stream.next().await.unwrap(), None, "a clean end, without a word of 0");
    }
    stage.gateway.ended().await;
    assert_eq!(keda.is_active().await.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn a_stream_with_demand_says_so_before_it_ends() {
    let stage = PLAN.asleep().await;
    stage.webhook.will(Manner::Accept);
    let mut events = Keda::of(&stage.gateway, "adhoc").await.open().await.unwrap();
    let held = stage.held(&stage.client(), ENDLESS).await;
    stage.gateway.terminate();
    assert_eq!(events.next().await.unwrap(), Some(true));
    assert_eq!(events.next().await.unwrap(), None);
    held.leave();
    stage.gateway.ended().await;
}
