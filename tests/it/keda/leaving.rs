//! How the scaler leaves.

use tonic::Code;

use super::{ENDLESS, PLAN};
use crate::harness::{keda::Keda, stage::Plan, wait, webhook::Manner};

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

#[tokio::test]
async fn ledger_L11_a_replica_that_leaves_tells_no_share_of_its_own() {
    let more =
        "scaler: { enabled: true, bind: \"127.0.0.1:0\" }\ndrain: { wait: 3s, deadline: 5s }";
    let stage = Plan { more, ..PLAN }.asleep().await;
    let keda = Keda::of(&stage.gateway, "adhoc").await;
    let known = stage.demand().await.1.to_string();
    assert!(known.contains("not known yet"), "{known}");
    stage.gateway.terminate();
    wait::until_async("it says so", async || {
        let (status, told) = stage.demand().await;
        status == 503 && told.to_string().contains("leaving")
    })
    .await;
    assert_eq!(keda.demand().await.unwrap_err().code(), Code::Unavailable);
    stage.gateway.ended().await;
}
