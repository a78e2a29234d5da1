//! One replica counts a query, whichever is asked for its pages.

use std::time::Duration;

use http::Method;

use super::ENDLESS;
use crate::harness::{
    fleet::{Fleet, Roaming},
    gateway::{Gateway, groups},
    stage::gauge,
    trino, wait,
};

const COMPLETED: &str = r#"gateway_query_events_total{event="completed",routing_group="adhoc"}"#;

async fn pair() -> (sluice::simulator::Simulator, Fleet) {
    let trino = trino::trino().await;
    let fleet = Fleet::start(2, &groups(&[trino.url()], "")).await.healthy(1).await;
    (trino, fleet)
}

async fn in_flight(fleet: &Fleet) -> Vec<f64> {
    let mut all = Vec::new();
    for replica in &fleet.replicas {
        all.push(gauge(replica, "adhoc", "").await);
    }
    all
}

#[tokio::test]
async fn peers_X4_a_query_that_is_polled_elsewhere_counts_once() {
    let (_trino, fleet) = pair().await;
    let mut query = fleet.post(0, ENDLESS).await;
    fleet.until_in_flight(&[0, 1], 1).await;
    query.until(&fleet.replicas[1], "RUNNING").await;
    wait::until_async("its state at its owner", async || {
        gauge(&fleet.replicas[0], "adhoc", "RUNNING").await == 1.0
    })
    .await;
    assert_eq!(in_flight(&fleet).await, [1.0, 0.0]);
    for at in 0..2 {
        wait::until_async("its state in the sum", async || {
            let page = fleet.demand(at).await.1;
            assert_eq!(page["inflight"], 1, "{page}");
            page["running"] == 1
        })
        .await;
    }
    assert_eq!(query.ask(&fleet.replicas[1], Method::DELETE).await.status, 204);
    fleet.until_in_flight(&[0, 1], 0).await;
    assert_eq!(in_flight(&fleet).await, [0.0, 0.0]);
    assert_eq!(fleet.replicas[0].metric(COMPLETED).await, 1.0);
    assert_eq!(fleet.replicas[1].metric(COMPLETED).await, 0.0);
    fleet.end().await;
}

/// Whichever moment of its life a scrape meets.
#[tokio::test]
async fn obs_M11_one_query_over_two_replicas_sums_to_one() {
    let (_trino, fleet) = pair().await;
    assert_eq!(sum(&fleet).await, 0.0);
    let mut query = fleet.post(0, ENDLESS).await;
    assert_eq!(sum(&fleet).await, 1.0, "accepted");
    for at in [1, 0, 1, 1] {
        query.poll(&fleet.replicas[at]).await;
        assert_eq!(sum(&fleet).await, 1.0, "polled at {at}");
    }
    query.until(&fleet.replicas[1], "RUNNING").await;
    assert_eq!(sum(&fleet).await, 1.0, "running");
    // Whoever polls it tells its owner.
    wait::until_async("its state at its owner", async || {
        assert_eq!(sum(&fleet).await, 1.0, "told");
        gauge(&fleet.replicas[0], "adhoc", "RUNNING").await == 1.0
    })
    .await;
    assert_eq!(query.ask(&fleet.replicas[1], Method::DELETE).await.status, 204);
    wait::until_async("none", async || sum(&fleet).await == 0.0).await;
    fleet.end().await;
}

async fn sum(fleet: &Fleet) -> f64 {
    in_flight(fleet).await.iter().sum()
}

#[tokio::test]
async fn peers_X4_a_query_that_ends_elsewhere_has_ended() {
    let (_trino, fleet) = pair().await;
    for sql in ["SELECT 1", "SELECT 1 /* sim: queued=0 running=0 */"] {
        let before = fleet.replicas[0].metric(COMPLETED).await;
        let mut query = fleet.post(0, sql).await;
        query.finish(&fleet.replicas[1]).await;
        fleet.until_in_flight(&[0, 1], 0).await;
        assert_eq!(fleet.replicas[0].metric(COMPLETED).await, before + 1.0);
        assert_eq!(fleet.replicas[1].metric(COMPLETED).await, 0.0);
    }
    fleet.end().await;
}

#[tokio::test]
async fn a_query_is_canceled_by_id_at_any_replica() {
    let (_trino, fleet) = pair().await;
    let query = fleet.post(0, ENDLESS).await;
    let path = format!("/v1/query/{}", query.id);
    let answer = fleet.replicas[1].client().send(Method::DELETE, &path, "").await.unwrap();
    assert_eq!(answer.status, 204);
    wait::until("it counts nowhere", || fleet.replicas[0].in_flight() == 0).await;
    fleet.end().await;
}

/// Both may count it: without a store nobody knows better (rule L13).
#[tokio::test]
async fn peers_G4_without_a_store_any_replica_follows_a_query() {
    let (one, other) = (trino::trino().await, trino::trino().await);
    let first = Gateway::before(&[&one, &other]).await;
    let second = Gateway::before(&[&one, &other]).await;
    for _ in 0..4 {
        let answer = first.client().send(Method::POST, "/v1/statement", "SELECT 1").await.unwrap();
        let mut query = Roaming::of(&answer);
        query.finish(&second).await;
    }
    second.until_idle().await;
    first.terminate();
    first.ended().await;
    second.stop().await;
}

#[tokio::test]
async fn ledger_L10_a_query_of_a_lost_replica_is_taken_over_where_it_is_asked_for() {
    let (_trino, fleet) = pair().await;
    let mut query = fleet.post(0, ENDLESS).await;
    let other = fleet.post(0, ENDLESS).await;
    fleet.until_in_flight(&[0, 1], 2).await;
    fleet.ways[0].cut(true);
    query.until(&fleet.replicas[1], "RUNNING").await;
    wait::until("it counts where it is asked for", || fleet.replicas[1].in_flight() == 1).await;
    assert_eq!(fleet.demand(1).await.1["inflight"], 2);
    // It was not lost after all: it hears that one of its queries is another's, and goes on with the other.
    fleet.ways[0].cut(false);
    wait::until("the first owner lets go", || fleet.replicas[0].in_flight() == 1).await;
    fleet.until_in_flight(&[0, 1], 2).await;
    query.ask(&fleet.replicas[1], Method::DELETE).await;
    other.ask(&fleet.replicas[0], Method::DELETE).await;
    fleet.until_in_flight(&[0, 1], 0).await;
    fleet.end().await;
}

#[tokio::test]
async fn coldstart_T7_the_sum_is_never_below_the_truth_while_one_of_three_restarts() {
    let trino = trino::trino().await;
    let mut fleet = Fleet::start(3, &groups(&[trino.url()], "")).await.healthy(1).await;
    let mut queries = Vec::new();
    for at in [0, 0, 0, 1, 2, 2] {
        let mut query = fleet.post(at, ENDLESS).await;
        query.until(&fleet.replicas[at], "RUNNING").await;
        queries.push(query);
    }
    fleet.until_in_flight(&[0, 1, 2], 6).await;
    let leaving = fleet.replicas.remove(0);
    leaving.terminate();
    leaving.ended().await;
    let mut asked = 0;
    while asked < 24 {
        // The clients of the one that left go on elsewhere.
        for query in &mut queries {
            query.poll(&fleet.replicas[asked % 2]).await;
            let page = fleet.demand(asked % 2).await.1;
            assert!(page["inflight"].as_u64() >= Some(6), "{asked}: {page}");
            asked += 1;
        }
    }
    wait::until("all of them are somebody's", || {
        fleet.replicas.iter().map(Gateway::in_flight).sum::<usize>() == 6
    })
    .await;
    fleet.one_more().await;
    fleet.until_in_flight(&[0, 1, 2], 6).await;
    for query in &queries {
        query.ask(&fleet.replicas[2], Method::DELETE).await;
    }
    fleet.until_in_flight(&[0, 1, 2], 0).await;
    fleet.end().await;
}

/// Whoever dies says nothing: three seconds later its queries are others' as soon as they are asked for.
#[tokio::test]
async fn a_record_that_was_lost_is_written_again() {
    let (_trino, fleet) = pair().await;
    fleet.ways[0].cut(true);
    let mut query = fleet.post(0, ENDLESS).await;
    fleet.ways[0].cut(false);
    fleet.until_in_flight(&[1], 1).await;
    query.until(&fleet.replicas[1], "RUNNING").await;
    wait::pass(Duration::from_secs(4)).await;
    assert_eq!((fleet.replicas[0].in_flight(), fleet.replicas[1].in_flight()), (1, 0));
    query.ask(&fleet.replicas[1], Method::DELETE).await;
    fleet.until_in_flight(&[0, 1], 0).await;
    fleet.end().await;
}

/// Both come back at once, and neither has heard the other for so long that it would count as lost.
#[tokio::test]
async fn a_query_that_ended_elsewhere_while_the_store_was_lost_has_ended_once_it_is_back() {
    let (_trino, fleet) = pair().await;
    let mut query = fleet.post(0, "SELECT 1").await;
    fleet.until_in_flight(&[0, 1], 1).await;
    fleet.ways.iter().for_each(|way| way.cut(true));
    query.finish(&fleet.replicas[1]).await;
    // Longer than a replica is silent that lives.
    wait::pass(Duration::from_secs(4)).await;
    fleet.ways.iter().for_each(|way| way.cut(false));
    fleet.until_in_flight(&[0, 1], 0).await;
    assert_eq!((fleet.replicas[0].in_flight(), fleet.replicas[1].in_flight()), (0, 0));
    fleet.end().await;
}
