//! What the store costs and bears, as numbers for `benches/README.md`; nothing is judged here, so nobody runs it by default.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use sluice::store::{Change, Key, Kind};
use tokio::time::Instant;

use super::ground_at;
use crate::harness::{
    fleet::{Roaming, demand},
    gateway::{Gateway, groups},
    server::{Server, Used},
    trino::trino,
    wait,
};

const ENDLESS: &str = "SELECT 1 /* sim: queued=0 running=0 ending=hang */";
/// A statement of a page with its client's headers.
const STATEMENT: usize = 1_500;
const WAITING: usize = 100_000;
const POLLED: usize = 1_000;

#[tokio::test]
#[ignore = "figures"]
async fn store_operations_of_a_query() {
    let program = program_or_skip!("SLUICE_TEST_REDIS");
    let (server, trino) = (Server::start(&program, &[]).await, trino().await);
    let (replicas, _secret) = pair(&server, &trino.url()).await;
    let (idle, begun) = (operations(&replicas).await, Instant::now());
    wait::pass(Duration::from_secs(5)).await;
    let per_second = (operations(&replicas).await - idle) / begun.elapsed().as_secs_f64();
    let (before, begun) = (operations(&replicas).await, Instant::now());
    for _ in 0..500 {
        let mut query = post(&replicas[0], "SELECT 1").await;
        for at in [1, 0].iter().cycle() {
            if query.next.is_none() {
                break;
            }
            query.poll(&replicas[*at]).await;
        }
    }
    wait::pass(Duration::from_secs(1)).await;
    let rounds = per_second * begun.elapsed().as_secs_f64();
    let each = (operations(&replicas).await - before - rounds) / 500.0;
    println!(
        "figures: {per_second:.1} operations a second for two idle replicas; {each:.2} more a query polled at both in turn"
    );
    stop(replicas).await;
}

#[tokio::test]
#[ignore = "figures"]
async fn a_hundred_thousand_waiting_statements() {
    let program = program_or_skip!("SLUICE_TEST_REDIS");
    let server = Server::start(&program, &[]).await;
    let replicas = [(); 3].map(|()| Used::by(&format!("url: '{}', timeout: 10s", server.url())));
    let key = |id: usize| Key::new(Kind::Waiting, format!("20261101_101500_{id:05}_0gw1a"));
    let (life, text) = (Duration::from_secs(900), Bytes::from(vec![b'x'; STATEMENT]));
    let begun = Instant::now();
    for first in (0..WAITING).step_by(500) {
        let changes = (first..first + 500).map(|id| Change::put(key(id), text.clone(), life));
        replicas[first / 500 % 3].shared.apply(changes.collect()).await.unwrap();
    }
    let kept = begun.elapsed();
    let memory: String = server.ask(&["INFO", "memory"]).await;
    let used = memory.lines().find(|line| line.starts_with("used_memory_human")).unwrap();
    let (mut took, begun) = (Vec::new(), Instant::now());
    for turn in 0..POLLED * 3 {
        // Each poll comes to another replica than the last one, which takes the statement over.
        let (at, id) = (&replicas[turn / POLLED].shared, turn % POLLED * (WAITING / POLLED));
        let asked = Instant::now();
        let found = at.get(key(id)).await.unwrap().unwrap();
        assert!(at.replace(key(id), Some(&found), &text, life).await.unwrap());
        took.push(asked.elapsed());
    }
    let rate = took.len() as f64 / begun.elapsed().as_secs_f64();
    let (p50, p99) = quantiles(took);
    println!(
        "figures: {WAITING} statements of {STATEMENT} bytes kept in {kept:?}, {used}; a take-over p50 {p50:?} p99 {p99:?}, {rate:.0} a second"
    );
    for replica in replicas {
        replica.stop().await;
    }
}

#[tokio::test]
#[ignore = "figures"]
async fn staleness_of_the_fleets_demand() {
    let program = program_or_skip!("SLUICE_TEST_REDIS");
    let (server, trino) = (Server::start(&program, &[]).await, trino().await);
    let (replicas, _secret) = pair(&server, &trino.url()).await;
    let mut took = Vec::new();
    for _ in 0..100 {
        let before = seen(&replicas[1]).await;
        let query = post(&replicas[0], ENDLESS).await;
        took.push(until_seen(&replicas[1], before + 1).await);
        // Every other one stays, so that most of them do not rise from nothing.
        if took.len() % 4 == 0 {
            assert_eq!(query.ask(&replicas[0], Method::DELETE).await.status, 204);
            took.push(until_seen(&replicas[1], before).await);
        }
    }
    let (p50, p99) = quantiles(took);
    println!(
        "figures: a change at one replica is in the sum of the other after p50 {p50:?} p99 {p99:?}"
    );
    stop(replicas).await;
}

async fn pair(server: &Server, trino: &str) -> (Vec<Gateway>, tempfile::NamedTempFile) {
    let (ground, secret) = ground_at(&format!("url: '{}', timeout: 5s", server.url()));
    let yaml = groups(&[trino.to_owned()], "");
    let mut replicas = Vec::new();
    for _ in 0..2 {
        let replica = ground.gateway(&yaml).await;
        replica.until_healthy(1).await;
        wait::until_async("its store", async || demand(&replica).await.0 == 200).await;
        replicas.push(replica);
    }
    (replicas, secret)
}

async fn stop(replicas: Vec<Gateway>) {
    replicas.iter().for_each(Gateway::terminate);
    for replica in replicas {
        replica.ended().await;
    }
}

async fn post(at: &Gateway, sql: &str) -> Roaming {
    let answer = at.client().send(Method::POST, "/v1/statement", sql.to_owned()).await.unwrap();
    Roaming::of(&answer)
}

async fn operations(replicas: &[Gateway]) -> f64 {
    let mut all = 0.0;
    for replica in replicas {
        let page = replica.metrics().await;
        let lines = page.lines().filter(|line| line.starts_with("gateway_store_operations_total{"));
        all +=
            lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum::<f64>();
    }
    all
}

async fn seen(at: &Gateway) -> u64 {
    demand(at).await.1["inflight"].as_u64().unwrap()
}

async fn until_seen(at: &Gateway, queries: u64) -> Duration {
    let begun = Instant::now();
    wait::until_async("the change", async || seen(at).await == queries).await;
    begun.elapsed()
}

fn quantiles(mut took: Vec<Duration>) -> (Duration, Duration) {
    took.sort();
    (took[took.len() / 2], took[took.len() * 99 / 100])
}
