//! Servers that stand in for each other: a cluster, and Sentinels that name another one when the first is lost.

use std::{path::Path, time::Duration};

use sluice::store::{Fault, Key, Kind};

use crate::harness::server::{Server, Used, another_port};
use crate::{harness::wait, store::contract};

const LIFE: Duration = Duration::from_secs(60);

async fn cluster(program: &Path) -> Vec<Server> {
    let mut nodes = Vec::new();
    for slots in [("0", "5460"), ("5461", "10922"), ("10923", "16383")] {
        let bus = another_port();
        let node = ["--cluster-enabled", "yes", "--cluster-port", &bus];
        let node = Server::start(program, &node).await;
        node.ask::<()>(&["CLUSTER", "ADDSLOTSRANGE", slots.0, slots.1]).await;
        nodes.push((node, bus));
    }
    for (node, bus) in &nodes[1..] {
        let port = node.port.to_string();
        nodes[0].0.ask::<()>(&["CLUSTER", "MEET", "127.0.0.1", &port, bus]).await;
    }
    for (node, _) in &nodes {
        wait::until_async("a whole cluster", async || {
            let info: String = node.ask(&["CLUSTER", "INFO"]).await;
            info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")
        })
        .await;
    }
    nodes.into_iter().map(|(node, _)| node).collect()
}

#[tokio::test]
async fn a_cluster_keeps_the_contract() {
    let program = program_or_skip!("SLUICE_TEST_REDIS");
    let nodes = cluster(&program).await;
    let used = Used::by(&format!("cluster: ['{}']", nodes[1].url()));
    contract::holds(&*used.store).await;
    let spread = 300;
    for id in 0..spread {
        let key = Key::new(Kind::Query, format!("spread-{id}"));
        used.shared.put(key, "1", LIFE).await.unwrap();
    }
    for node in &nodes {
        let size: usize = node.ask(&["DBSIZE"]).await;
        assert!(size > spread / 10, "queries are spread over the nodes: {size}");
    }
    used.stop().await;
}

#[tokio::test]
async fn sentinels_keep_the_contract_and_lead_to_another_server_when_the_first_is_killed() {
    let program = program_or_skip!("SLUICE_TEST_REDIS");
    let mut first = Server::start(&program, &[]).await;
    let port = first.port.to_string();
    let second = Server::start(&program, &["--replicaof", &format!("127.0.0.1 {port}")]).await;
    let mut sentinels = Vec::new();
    for _ in 0..3 {
        sentinels.push(Server::sentinel(&program, first.port).await);
    }
    for sentinel in &sentinels {
        wait::until_async("Sentinels that know each other and the replica", async || {
            let known: Vec<String> = sentinel.ask(&["SENTINEL", "MASTER", "main"]).await;
            let of =
                |name: &str| known.iter().position(|word| word == name).map(|at| &*known[at + 1]);
            of("num-slaves") == Some("1") && of("num-other-sentinels") == Some("2")
        })
        .await;
    }
    let urls: Vec<String> = sentinels.iter().map(|each| format!("'{}'", each.url())).collect();
    let used = Used::by(&format!("sentinel: {{ urls: [{}], master: main }}", urls.join(", ")));
    contract::holds(&*used.store).await;
    let before = Key::new(Kind::Mark, "before");
    used.shared.put(before.clone(), "kept", LIFE).await.unwrap();
    wait::until_async("a copy at the other one", async || {
        second.ask::<usize>(&["DBSIZE"]).await == first.ask::<usize>(&["DBSIZE"]).await
    })
    .await;
    first.kill().await;
    let lost = tokio::time::Instant::now();
    assert_eq!(used.shared.get(before.clone()).await, Err(Fault::Unavailable));
    wait::until_async("the other server", async || {
        used.shared.put(Key::new(Kind::Query, "after"), "1", LIFE).await.is_ok()
    })
    .await;
    println!("failover of Sentinel: writes go on after {:?}", lost.elapsed());
    let found = used.shared.get(before).await.unwrap().expect("what was copied");
    assert_eq!(found.value, "kept");
    let role: redis::Value = second.ask(&["ROLE"]).await;
    assert!(format!("{role:?}").contains("master"), "{role:?}");
    used.stop().await;
}
