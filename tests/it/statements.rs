//! A statement's whole way: through the gateway to a coordinator and back.

#![allow(non_snake_case, reason = "tests bear the ids of the facts")]

use crate::harness::{gateway::Gateway, trino};

#[tokio::test]
async fn rows_come_through_the_gateway_complete_and_in_order() {
    let (one, two) = (trino::trino().await, trino::forwarded().await);
    let gateway = Gateway::before(&[&one, &two]).await;
    for _ in 0..4 {
        let rows = gateway.client().rows("SELECT * FROM sim.rows(1000) /* sim: pages=4 */").await;
        assert_eq!(rows.len(), 1000);
    }
    gateway.until_idle().await;
    assert_eq!(
        gateway
            .metric("gateway_query_events_total{event=\"completed\",routing_group=\"adhoc\"}")
            .await,
        4.0
    );
    gateway.stop().await;
}
