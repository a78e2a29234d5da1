//! Gateways over a real server: what they tell each other, and what a client notices when the server is lost.

use std::time::Duration;

use tokio::time::Instant;

use crate::harness::server::Server;
use crate::{
    harness::{gateway::groups, trino::trino, wait},
    store::{Ground, first, marks},
};

/// Gateways' ground on a server.
fn ground(server: &Server) -> (Ground, tempfile::NamedTempFile) {
    super::ground_at(&format!("url: '{}'", server.url()))
}

#[tokio::test]
async fn peers_G20_a_mark_reaches_every_replica_within_a_second_and_survives_them() {
    let program = program_or_skip!("SLUICE_TEST_REDIS");
    let server = Server::start(&program, &[]).await;
    let (ground, _secret) = ground(&server);
    marks::marks(&ground).await;
}

#[tokio::test]
async fn a_group_that_is_held_down_is_so_everywhere_until_it_is_resumed_anywhere() {
    let program = program_or_skip!("SLUICE_TEST_REDIS");
    let server = Server::start(&program, &[]).await;
    let (ground, _secret) = ground(&server);
    marks::held_down(&ground).await;
}

#[tokio::test]
async fn one_replica_calls_the_driver_and_all_know_how_long_it_took() {
    let program = program_or_skip!("SLUICE_TEST_REDIS");
    let server = Server::start(&program, &[]).await;
    let (ground, _secret) = ground(&server);
    marks::one_call(&ground).await;
}

#[tokio::test]
async fn obs_M6_all_names_of_XTrinode_are_at_0_at_the_first_scrape() {
    let program = program_or_skip!("SLUICE_TEST_REDIS");
    let server = Server::start(&program, &[]).await;
    let (ground, _secret) = ground(&server);
    first::scrape(&ground).await;
}

/// Peers X22 and L11, cold start 14: with the store gone queries go on, a replica stays ready, and what was said
/// meanwhile is known to all when it is back.
#[tokio::test]
async fn peers_X22_coldstart_T14_a_lost_store_is_told_and_stops_nothing() {
    let program = program_or_skip!("SLUICE_TEST_REDIS");
    let mut server = Server::start(&program, &[]).await;
    let (ground, _secret) = ground(&server);
    let trino = trino().await;
    let yaml = groups(&[trino.url()], "");
    let (a, b) = (ground.gateway(&yaml).await, ground.gateway(&yaml).await);
    for each in [&a, &b] {
        each.until_healthy(1).await;
        wait::until_async("a connection", async || {
            each.metric("gateway_store_connections_active").await == 1.0
        })
        .await;
    }
    let with = typical(&a).await;
    server.kill().await;
    wait::until_async("a breaker that has seen enough", async || {
        a.metric("gateway_store_up").await == 0.0
    })
    .await;
    let without = typical(&a).await;
    println!("a query with the store {with:?}, while it is lost {without:?}");
    let (status, page) = a.health("/readyz").await;
    assert_eq!(status, 200, "{page}");
    assert!(page.contains("\"status\":\"degraded\"") && page.contains("unreachable"), "{page}");
    assert_eq!(a.health("/healthz").await.0, 200);
    assert_eq!(a.command("/admin/backends/a/drain").await.0, 200, "an operator is heard");
    let server = server.replace(&program).await;
    wait::until_async("a store that is back", async || a.metric("gateway_store_up").await == 1.0)
        .await;
    wait::until("what was said meanwhile", || {
        let snapshot = b.shared.current.load();
        snapshot.backends.values().all(|each| each.mark != sluice::snapshot::Mark::Active)
    })
    .await;
    let (_, page) = a.health("/readyz").await;
    assert!(page.contains("\"status\":\"healthy\""), "{page}");
    a.stop().await;
    b.stop().await;
    drop(server);
}

/// The median of some queries.
async fn typical(gateway: &crate::harness::gateway::Gateway) -> Duration {
    let (client, mut took) = (gateway.client(), Vec::new());
    for _ in 0..21 {
        let begun = Instant::now();
        assert_eq!(client.rows("SELECT 1").await.len(), 1);
        took.push(begun.elapsed());
    }
    took.sort();
    took[10]
}
