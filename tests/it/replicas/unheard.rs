//! Calls that the store made and whose answer nobody heard: nothing is lost by that, and nothing is counted twice.

use http::Method;
use sluice::store::Kind;

use super::ENDLESS;
use crate::harness::{
    fleet::{Call, Fleet, Roaming},
    gateway::groups,
    trino, wait,
};

async fn pair() -> (sluice::simulator::Simulator, Fleet) {
    let trino = trino::trino().await;
    let fleet = Fleet::start(2, &groups(&[trino.url()], "")).await.healthy(1).await;
    (trino, fleet)
}

/// Its end is told once; were that word gone, the query would be counted until nobody had asked for it for five minutes.
#[tokio::test]
async fn a_word_is_heard_though_the_answer_that_bore_it_was_lost() {
    let (_trino, fleet) = pair().await;
    let mut query = fleet.post(0, ENDLESS).await;
    query.until(&fleet.replicas[1], "RUNNING").await;
    wait::until_async("its state at its owner", async || fleet.demand(0).await.1["running"] == 1)
        .await;
    fleet.ways[0].lose(Call::Inbox);
    assert_eq!(query.ask(&fleet.replicas[1], Method::DELETE).await.status, 204);
    wait::until("an answer that was lost", || fleet.ways[0].has_lost()).await;
    fleet.until_in_flight(&[0, 1], 0).await;
    fleet.end().await;
}

/// The end of a query is told again where the server that had been told may have been lost with it, as after a fail-over to
/// one that had not been told yet.
#[tokio::test]
async fn peers_X22_an_end_that_was_lost_with_the_stores_server_is_told_again() {
    let (_trino, fleet) = pair().await;
    let mut query = fleet.post(0, ENDLESS).await;
    query.until(&fleet.replicas[1], "RUNNING").await;
    wait::until_async("its state at its owner", async || fleet.demand(0).await.1["running"] == 1)
        .await;
    fleet.ways[1].sink_words();
    assert_eq!(query.ask(&fleet.replicas[1], Method::DELETE).await.status, 204);
    wait::until("a word that was lost", || fleet.ways[1].sunk() > 0).await;
    fleet.ways[1].cut(true);
    fleet.until_store_is(1, 0.0).await;
    assert!(fleet.ways[1].keep_words() > 0);
    assert_eq!(fleet.replicas[0].in_flight(), 1);
    fleet.ways[1].cut(false);
    fleet.until_in_flight(&[0, 1], 0).await;
    fleet.end().await;
}

/// A query of a replica that was lost meanwhile, taken over by the other, which did not hear so.
async fn taken_over_unheard() -> (sluice::simulator::Simulator, Fleet, Roaming) {
    let (trino, fleet) = pair().await;
    let mut query = fleet.post(0, ENDLESS).await;
    fleet.until_in_flight(&[0, 1], 1).await;
    fleet.ways[0].cut(true);
    fleet.ways[1].lose(Call::Replaced(Kind::Query));
    query.until(&fleet.replicas[1], "RUNNING").await;
    wait::until("an answer that was lost", || fleet.ways[1].has_lost()).await;
    (trino, fleet, query)
}

/// Who takes a query over and does not hear so takes it over again, from the same one.
#[tokio::test]
async fn a_query_is_taken_over_once_though_the_answer_to_that_was_lost() {
    let (_trino, fleet, query) = taken_over_unheard().await;
    wait::until("it counts where it is asked for", || fleet.replicas[1].in_flight() == 1).await;
    fleet.until_in_flight(&[1], 1).await;
    fleet.ways[0].cut(false);
    wait::until("the first owner lets go", || fleet.replicas[0].in_flight() == 0).await;
    fleet.until_in_flight(&[0, 1], 1).await;
    query.ask(&fleet.replicas[1], Method::DELETE).await;
    fleet.until_in_flight(&[0, 1], 0).await;
    fleet.end().await;
}

/// Who takes a query over and does not hear so counts it all the same, though the first owner is back before it can ask again,
/// and has let go.
#[tokio::test]
async fn a_query_that_its_owner_let_go_is_counted_by_who_did_not_hear_that_it_took_it_over() {
    let (_trino, fleet, query) = taken_over_unheard().await;
    fleet.ways[1].cut(true);
    fleet.ways[0].cut(false);
    wait::until("the first owner lets go", || fleet.replicas[0].in_flight() == 0).await;
    fleet.ways[1].cut(false);
    wait::until("it counts where it is asked for", || fleet.replicas[1].in_flight() == 1).await;
    fleet.until_in_flight(&[0, 1], 1).await;
    query.ask(&fleet.replicas[1], Method::DELETE).await;
    fleet.until_in_flight(&[0, 1], 0).await;
    fleet.end().await;
}
