//! The standard health service, on the same port.

use tonic::{Code, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use super::PLAN;
use crate::harness::keda::{Keda, scaler};

/// `SERVING` in its contract.
const SERVING: i32 = 1;

#[tokio::test]
async fn the_port_and_the_service_say_that_they_serve() {
    let stage = PLAN.asleep().await;
    let address = format!("http://{}", scaler(&stage.gateway));
    let channel = Channel::from_shared(address).unwrap().connect().await.unwrap();
    let mut health = HealthClient::new(channel);
    for service in ["", "externalscaler.ExternalScaler"] {
        let question = HealthCheckRequest { service: service.to_owned() };
        assert_eq!(health.check(question).await.unwrap().into_inner().status, SERVING);
    }
    let question = HealthCheckRequest { service: "another.Service".to_owned() };
    assert_eq!(health.check(question).await.unwrap_err().code(), Code::NotFound);
    stage.stop().await;
}

#[tokio::test]
async fn a_health_watch_does_not_hold_up_the_end() {
    let stage = PLAN.asleep().await;
    let address = format!("http://{}", scaler(&stage.gateway));
    let channel = Channel::from_shared(address).unwrap().connect().await.unwrap();
    let mut watch = HealthClient::new(channel)
        .watch(HealthCheckRequest { service: String::new() })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status, SERVING);
    let mut events = Keda::of(&stage.gateway, "adhoc").await.open().await.unwrap();
    stage.gateway.terminate();
    assert_ne!(watch.message().await.unwrap().unwrap().status, SERVING);
    assert_eq!(events.next().await.unwrap(), None);
    stage.gateway.ended().await;
}
