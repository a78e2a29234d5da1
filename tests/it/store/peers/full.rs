//! Two gateways whose store has no room left: it answers, reads and deletes, and refuses what would be written.

use http::Method;

use super::pair::{ENDLESS, Pair};
use crate::harness::{fleet::demand, server::Server, wait};

const REFUSED: &str = r#"gateway_store_operations_total{operation="write",status="error"}"#;
/// Reports of a replica that are missing before the others would count it as lost.
const REPORTS: f64 = 15.0;

/// Nobody hears of the other any more; each goes on with what it knew, and takes nothing over. What one has to tell the
/// other is told when there is room again.
#[tokio::test]
async fn peers_X22_on_a_full_store_queries_go_on_and_count_once() {
    let program = program_or_skip!("SLUICE_TEST_REDIS");
    let server = Server::start(&program, &["--maxmemory-policy", "noeviction"]).await;
    let pair = Pair::on(&format!("url: '{}'", server.url())).await;
    let mut running = vec![pair.post(0, ENDLESS).await, pair.post(1, ENDLESS).await];
    pair.until_in_flight(2, "before").await;
    // Less than an empty server needs.
    server.ask::<()>(&["CONFIG", "SET", "maxmemory", "512kb"]).await;
    pair.queries_go_on(&mut running).await;
    running.push(pair.post(1, ENDLESS).await);
    until_nothing_was_heard_for_long(&pair).await;
    pair.queries_go_on(&mut running).await;
    wait::until("one owner each, while it is full", || pair.owned() == running.len()).await;
    for replica in &pair.replicas {
        let said = demand(replica).await.1["inflight"].as_u64();
        assert!(matches!(said, Some(2 | 3)), "it never doubles what it knows: {said:?}");
    }
    pair.until_store_is(1.0).await;
    // Where it is not counted, so that its owner must be told.
    let ended = running.remove(0);
    assert_eq!(ended.ask(&pair.replicas[1], Method::DELETE).await.status, 204);
    until_nothing_was_heard_for_long(&pair).await;
    assert_eq!(pair.owned(), running.len() + 1, "its owner cannot know it yet");
    server.ask::<()>(&["CONFIG", "SET", "maxmemory", "0"]).await;
    pair.until_in_flight(running.len(), "with room again").await;
    pair.cancel(&running).await;
    pair.stop().await;
}

/// Both were refused more reports than it takes to count as lost.
async fn until_nothing_was_heard_for_long(pair: &Pair) {
    for replica in &pair.replicas {
        let before = replica.metric(REFUSED).await;
        wait::until_async("reports that were refused", async || {
            replica.metric(REFUSED).await > before + REPORTS
        })
        .await;
    }
}
