//! KEDA is gone, dead or a stranger: queries do not notice.

use tokio::net::TcpStream;

use super::PLAN;
use crate::harness::{
    keda::{Keda, scaler},
    raw::Raw,
    wait,
};

#[tokio::test]
async fn coldstart_T14_without_keda_ready_groups_serve_and_liveness_stays() {
    let stage = PLAN.awake().await;
    let gateway = &stage.gateway;
    let serves = async |when: &str| {
        assert_eq!(stage.client().rows("SELECT 1").await.len(), 1, "{when}");
        assert_eq!(gateway.health("/healthz").await.0, 200, "{when}");
        assert_eq!(gateway.health("/readyz").await.0, 200, "{when}");
    };
    wait::until_async("ready", async || gateway.health("/readyz").await.0 == 200).await;
    serves("it never came").await;
    let events = Keda::of(gateway, "adhoc").await.open().await.unwrap();
    drop(events);
    serves("it went").await;
    // As many as the port takes, and none of them says a word.
    let mut silent = Vec::new();
    for _ in 0..64 {
        silent.push(TcpStream::connect(scaler(gateway)).await.unwrap());
    }
    serves("its port is full").await;
    drop(silent);
    let keda = Keda::of(gateway, "adhoc").await;
    assert_eq!(keda.spec().await.unwrap().len(), 1, "there is room again");
    stage.stop().await;
}

#[tokio::test]
async fn who_speaks_http_1_is_turned_away() {
    let stage = PLAN.asleep().await;
    let mut raw = Raw::to(scaler(&stage.gateway)).await;
    raw.send("GET / HTTP/1.1\r\nhost: scaler\r\n\r\n").await;
    assert!(raw.is_ended().await);
    assert_eq!(Keda::of(&stage.gateway, "adhoc").await.spec().await.unwrap().len(), 1);
    stage.stop().await;
}
