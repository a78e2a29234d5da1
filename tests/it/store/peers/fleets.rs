//! Servers that stand in for each other: a cluster, and Sentinels that name another one when the first is lost.

use std::{path::Path, time::Duration};

use sluice::store::{Fault, Key, Kind};

use crate::harness::{
    authority::Authority,
    server::{Server, Used, another_port},
    wait,
};
use crate::store::contract;

const LIFE: Duration = Duration::from_secs(60);

async fn cluster(program: &Path) -> Vec<Server> {
    cluster_with(program, async |_| Vec::new()).await.into_iter().map(|(node, _)| node).collect()
}

/// Three nodes, each with the port that the others are told of.
pub(super) async fn cluster_with(
    program: &Path,
    more: impl AsyncFn(&str) -> Vec<String>,
) -> Vec<(Server, String)> {
    let mut nodes = Vec::new();
    for slots in [("0", "5460"), ("5461", "10922"), ("10923", "16383")] {
        let (bus, tls) = (another_port(), another_port());
        let more = more(&tls).await;
        let words = ["--cluster-enabled", "yes", "--cluster-port", &bus].into_iter();
        let words: Vec<&str> = words.chain(more.iter().map(String::as_str)).collect();
        let node = Server::start(program, &words).await;
        node.ask::<()>(&["CLUSTER", "ADDSLOTSRANGE", slots.0, slots.1]).await;
        let speaks_tls = more.iter().any(|word| word == "--tls-port");
        let met_at = if speaks_tls { tls } else { node.port.to_string() };
        nodes.push((node, met_at, bus));
    }
    for (_, port, bus) in &nodes[1..] {
        nodes[0].0.ask::<()>(&["CLUSTER", "MEET", "127.0.0.1", port, bus]).await;
    }
    for (node, ..) in &nodes {
        wait::until_async("a whole cluster", async || {
            let info: String = node.ask(&["CLUSTER", "INFO"]).await;
            info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")
        })
        .await;
    }
    nodes.into_iter().map(|(node, port, _)| (node, port)).collect()
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
async fn a_cluster_over_tls_keeps_the_contract_with_who_trusts_it_and_nobody_else() {
    let program = program_or_skip!("SLUICE_TEST_REDIS");
    let tls = Tls::new();
    let nodes = cluster_with(&program, async |port| {
        let own = [("--tls-port", port), ("--tls-cluster", "yes")];
        own.into_iter().chain(tls.settings("--")).flat_map(both).collect()
    })
    .await;
    let by =
        |ca: &str| Used::by(&format!("cluster: ['rediss://127.0.0.1:{}'], ca: '{ca}'", nodes[1].1));
    tls.judge(by).await;
}

#[tokio::test]
async fn sentinels_over_tls_keep_the_contract_with_who_trusts_them_and_nobody_else() {
    let program = program_or_skip!("SLUICE_TEST_REDIS");
    let (tls, port, own) = (Tls::new(), another_port(), another_port());
    let words = [("--tls-port", port.as_str())].into_iter().chain(tls.settings("--"));
    let words: Vec<String> = words.flat_map(both).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let _server = Server::start(&program, &words).await;
    let lines = [("tls-port", own.as_str()), ("tls-replication", "yes")];
    let lines =
        lines.into_iter().chain(tls.settings("")).map(|(key, value)| format!("{key} {value}\n"));
    let lines: String = lines.collect();
    let _sentinel = Server::sentinel_with(&program, port.parse().unwrap(), &lines).await;
    let urls = format!("urls: ['rediss://127.0.0.1:{own}'], master: main");
    tls.judge(|ca| Used::by(&format!("sentinel: {{ {urls} }}, ca: '{ca}'"))).await;
}

/// What servers that speak TLS show, and the authority that signed it beside one that did not.
struct Tls {
    folder: tempfile::TempDir,
    files: [String; 4],
}

impl Tls {
    fn new() -> Self {
        let (ours, others) = (Authority::new("ours"), Authority::new("others"));
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = ours.local().write(folder.path(), "server");
        let ca = |name: &str, authority: &Authority| {
            let path = folder.path().join(name);
            std::fs::write(&path, authority.pem()).unwrap();
            path
        };
        let files = [certificate, key, ca("ours.crt", &ours), ca("others.crt", &others)];
        Self { files: files.map(|path| path.display().to_string()), folder }
    }

    /// A server's settings, as arguments or as lines of its file.
    fn settings(&self, before: &'static str) -> impl Iterator<Item = (&'static str, &str)> {
        let [certificate, key, ca, _] = &self.files;
        let names = match before {
            "" => ["tls-cert-file", "tls-key-file", "tls-ca-cert-file", "tls-auth-clients"],
            _ => ["--tls-cert-file", "--tls-key-file", "--tls-ca-cert-file", "--tls-auth-clients"],
        };
        names.into_iter().zip([certificate.as_str(), key, ca, "no"])
    }

    /// The contract holds with our authority; with the other one nothing is said.
    async fn judge(&self, by: impl Fn(&str) -> Used) {
        assert!(self.folder.path().exists());
        let used = by(&self.files[2]);
        contract::holds(&*used.store).await;
        used.stop().await;
        let used = by(&self.files[3]);
        let put = used.shared.put(Key::new(Kind::Query, "q"), "1", LIFE).await;
        assert_eq!(put, Err(Fault::Unavailable));
        used.stop().await;
    }
}

fn both((key, value): (&str, &str)) -> [String; 2] {
    [key.to_owned(), value.to_owned()]
}

/// A server, its replica, three Sentinels that know them, and what a gateway is told of them.
pub(super) async fn watched(program: &Path) -> (Server, Server, Vec<Server>, String) {
    let first = Server::start(program, &[]).await;
    let port = first.port.to_string();
    let second = Server::start(program, &["--replicaof", &format!("127.0.0.1 {port}")]).await;
    let mut sentinels = Vec::new();
    for _ in 0..3 {
        sentinels.push(Server::sentinel(program, first.port).await);
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
    let keys = format!("sentinel: {{ urls: [{}], master: main }}", urls.join(", "));
    (first, second, sentinels, keys)
}

#[tokio::test]
async fn sentinels_keep_the_contract_and_lead_to_another_server_when_the_first_is_killed() {
    let program = program_or_skip!("SLUICE_TEST_REDIS");
    let (mut first, second, _sentinels, keys) = watched(&program).await;
    let used = Used::by(&keys);
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
