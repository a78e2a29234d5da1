//! How long a store is lost when a server of it is, as numbers for `benches/README.md` and `docs/OPERATIONS.md`; nothing is
//! judged here, so nobody runs it by default.

use std::{path::Path, time::Duration};

use sluice::store::{Key, Kind};
use tokio::time::Instant;

use super::fleets::{cluster_with, watched};
use crate::harness::{
    server::{Server, Used},
    wait,
};

const LIFE: Duration = Duration::from_secs(60);
const ROUNDS: usize = 10;

#[tokio::test]
#[ignore = "figures"]
async fn a_server_that_is_killed_and_started_again() {
    let program = program_or_skip!("SLUICE_TEST_REDIS");
    let mut server = Server::start(&program, &[]).await;
    let used = Used::by(&format!("url: '{}'", server.url()));
    let mut took = Vec::new();
    for _ in 0..ROUNDS {
        until_written(&used, "a").await;
        server.kill().await;
        wait::until_async("a breaker that has seen enough", async || {
            let _ = write(&used, "a").await;
            !used.shared.is_up()
        })
        .await;
        server = server.replace(&program).await;
        took.push(until_written(&used, "a").await);
    }
    told("a server answers again, until it is written to", took);
    used.stop().await;
}

#[tokio::test]
#[ignore = "figures"]
async fn a_server_whose_sentinels_name_another() {
    let program = program_or_skip!("SLUICE_TEST_REDIS");
    let mut took = Vec::new();
    for _ in 0..ROUNDS {
        let (mut first, _second, _sentinels, keys) = watched(&program).await;
        let used = Used::by(&keys);
        until_written(&used, "a").await;
        first.kill().await;
        took.push(until_written(&used, "a").await);
        used.stop().await;
    }
    told(
        "Sentinel, down-after-milliseconds 1000: from the kill until the other is written to",
        took,
    );
}

#[tokio::test]
#[ignore = "figures"]
async fn a_primary_of_a_cluster() {
    let program = program_or_skip!("SLUICE_TEST_REDIS");
    let mut took = Vec::new();
    for _ in 0..ROUNDS {
        let more = ["--cluster-node-timeout", "2000"].map(str::to_owned);
        let mut nodes = cluster_with(&program, async |_| more.to_vec()).await;
        let _replica = replica_of(&program, &nodes[0].0, &more).await;
        let used = Used::by(&format!("cluster: ['{}', '{}']", nodes[1].0.url(), nodes[2].0.url()));
        let id = id_at(&nodes[0].0).await;
        until_written(&used, &id).await;
        nodes[0].0.kill().await;
        took.push(until_written(&used, &id).await);
        used.stop().await;
    }
    told(
        "cluster, cluster-node-timeout 2000: from the kill of a primary until its replica is written to",
        took,
    );
}

/// One that has all that the node has.
async fn replica_of(program: &Path, node: &Server, more: &[String]) -> Server {
    let words = ["--cluster-enabled", "yes"].into_iter().chain(more.iter().map(String::as_str));
    let replica = Server::start(program, &words.collect::<Vec<_>>()).await;
    let port = node.port.to_string();
    let bus: String = node.ask(&["CLUSTER", "NODES"]).await;
    let own = bus.lines().find(|line| line.contains("myself")).unwrap();
    // `id ip:port@bus flags …`
    let (id, bus) = (own.split(' ').next().unwrap(), own.split(['@', ' ', ',']).nth(2).unwrap());
    replica.ask::<()>(&["CLUSTER", "MEET", "127.0.0.1", &port, bus]).await;
    wait::until_async("a replica that knows all", async || {
        let info: String = replica.ask(&["CLUSTER", "INFO"]).await;
        info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:4")
    })
    .await;
    replica.ask::<()>(&["CLUSTER", "REPLICATE", id]).await;
    wait::until_async("a copy", async || {
        let info: String = replica.ask(&["INFO", "replication"]).await;
        info.contains("master_link_status:up")
    })
    .await;
    replica
}

/// An id whose record lies at the first of three nodes.
async fn id_at(node: &Server) -> String {
    for id in 0.. {
        let key = format!("sluice:query:{id}");
        if node.ask::<u32>(&["CLUSTER", "KEYSLOT", &key]).await <= 5_460 {
            return id.to_string();
        }
    }
    unreachable!("a third of all ids lies there")
}

async fn write(used: &Used, id: &str) -> bool {
    used.shared.put(Key::new(Kind::Query, id), "1", LIFE).await.is_ok()
}

async fn until_written(used: &Used, id: &str) -> Duration {
    let begun = Instant::now();
    wait::until_async("a write", async || write(used, id).await).await;
    begun.elapsed()
}

fn told(what: &str, mut took: Vec<Duration>) {
    took.sort();
    println!("figures: {what}: p50 {:?}, max {:?} of {ROUNDS}", took[ROUNDS / 2], took[ROUNDS - 1]);
}
