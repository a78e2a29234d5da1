//! What scalers are told is the sum over all replicas, whichever they ask.

use http::Method;

use super::ENDLESS;
use crate::harness::{
    fleet::{Fleet, demand},
    gateway::{Gateway, groups},
    keda::Keda,
    trino, wait,
};

const SCALER: &str = "scaler: { enabled: true, bind: \"127.0.0.1:0\" }\n";

#[tokio::test]
async fn ledger_L10_each_replica_tells_the_sum_and_counts_its_own() {
    let trino = trino::trino().await;
    let fleet = Fleet::start(2, &groups(&[trino.url()], "")).await.healthy(1).await;
    let first = fleet.post(0, ENDLESS).await;
    let second = fleet.post(1, ENDLESS).await;
    fleet.until_in_flight(&[0, 1], 2).await;
    let (status, page) = fleet.demand(0).await;
    assert_eq!((status, &page["demand"], &page["scope"]), (200, &2.into(), &"fleet".into()));
    assert_eq!((fleet.replicas[0].in_flight(), fleet.replicas[1].in_flight()), (1, 1));
    first.ask(&fleet.replicas[0], Method::DELETE).await;
    second.ask(&fleet.replicas[1], Method::DELETE).await;
    fleet.until_in_flight(&[0, 1], 0).await;
    assert_eq!(fleet.demand(0).await.1["demand"], 1, "the last one lingers");
    fleet.end().await;
}

#[tokio::test]
async fn ledger_L10_the_queries_of_a_lost_replica_count_on() {
    let trino = trino::trino().await;
    let fleet = Fleet::start(2, &groups(&[trino.url()], "")).await.healthy(1).await;
    for _ in 0..3 {
        fleet.post(0, ENDLESS).await;
    }
    fleet.until_in_flight(&[1], 3).await;
    fleet.ways[0].cut(true);
    wait::pass(std::time::Duration::from_secs(4)).await;
    assert_eq!(fleet.demand(1).await.1["inflight"], 3, "nobody has seen them elsewhere");
    fleet.end().await;
}

#[tokio::test]
async fn ledger_L11_until_the_store_was_read_nothing_is_unknown_and_not_zero() {
    let trino = trino::trino().await;
    let mut fleet = Fleet::start(1, &format!("{SCALER}{}", groups(&[trino.url()], ""))).await;
    fleet.post(0, ENDLESS).await;
    fleet.until_in_flight(&[0], 1).await;
    fleet.one_more_cut_off().await;
    let cut_off = &fleet.replicas[1];
    cut_off.until_healthy(1).await;
    let keda = Keda::of(cut_off, "adhoc").await;
    assert_eq!(demand(cut_off).await.0, 503);
    assert_eq!(keda.demand().await.unwrap_err().code(), tonic::Code::Unavailable);
    let own = fleet.post(1, ENDLESS).await;
    assert_eq!(fleet.demand(1).await.1["inflight"], 1, "what is known is told, as a lower bound");
    fleet.ways[1].cut(false);
    fleet.until_in_flight(&[0, 1], 2).await;
    assert_eq!(keda.demand().await.unwrap(), 2.0);
    own.ask(&fleet.replicas[1], Method::DELETE).await;
    fleet.end().await;
}

#[tokio::test]
async fn ledger_L10_a_rise_at_one_replica_is_pushed_by_the_other() {
    let trino = trino::trino().await;
    let yaml = format!("{SCALER}{}", groups(&[trino.url()], ""));
    let fleet = Fleet::start(2, &yaml).await.healthy(1).await;
    fleet.until_in_flight(&[0, 1], 0).await;
    let mut events = Keda::of(&fleet.replicas[1], "adhoc").await.open().await.unwrap();
    assert_eq!(events.next().await.unwrap(), Some(false));
    let running = fleet.post(0, ENDLESS).await;
    assert_eq!(events.next().await.unwrap(), Some(true));
    running.ask(&fleet.replicas[0], Method::DELETE).await;
    fleet.end().await;
}

#[tokio::test]
async fn one_replica_with_a_store_of_its_own_tells_of_itself() {
    let trino = trino::trino().await;
    let gateway = Gateway::before(&[&trino]).await;
    let running = gateway.client().start(ENDLESS).await.unwrap();
    let (status, page) = demand(&gateway).await;
    assert_eq!((status, &page["inflight"], &page["scope"]), (200, &1.into(), &"replica".into()));
    running.cancel().await.unwrap();
    gateway.stop().await;
}
