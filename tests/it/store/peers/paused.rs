//! A store that is stopped in its tracks: what is written is counted, what cannot be written waits, and nobody else does.

use super::ground_at;
use crate::harness::{
    gateway::{Gateway, groups},
    server::Server,
    trino::trino,
    wait,
};

const WRITTEN: &str = r#"gateway_store_operations_total{operation="write",status="ok"}"#;
const DEPTH: &str = "gateway_store_write_queue_depth";
const UP: &str = "gateway_store_up";
const SECONDS: &str = "gateway_store_operation_duration_seconds_bucket{";

#[tokio::test]
async fn obs_M18_writes_are_counted_and_wait_for_a_store_that_stands_still_while_queries_go_on() {
    let program = program_or_skip!("SLUICE_TEST_REDIS");
    let (server, trino) = (Server::start(&program, &[]).await, trino().await);
    // A second is far from what a write takes, and no bucket ends there.
    let (ground, _secret) = ground_at(&format!("url: '{}', timeout: 1s", server.url()));
    let gateway = ground.gateway(&groups(&[trino.url()], "")).await;
    gateway.until_healthy(1).await;
    queries(&gateway, 200).await;
    wait::until_async("each query's record", async || gateway.metric(WRITTEN).await >= 200.0).await;
    wait::until_async("nothing waits", async || gateway.metric(DEPTH).await == 0.0).await;
    let calm = Writes::of(&gateway).await;
    server.pause().await;
    queries(&gateway, 200).await;
    wait::until_async("a breaker that has seen enough", async || gateway.metric(UP).await == 0.0)
        .await;
    wait::until_async("all of them wait", async || gateway.metric(DEPTH).await >= 200.0).await;
    let paused = Writes::of(&gateway).await.since(&calm);
    assert!(calm.p95() <= 0.5, "{calm:?}");
    assert!(paused.p95() > calm.p95(), "{calm:?}, then {paused:?}");
    server.resume().await;
    wait::until_async("what waited", async || gateway.metric(WRITTEN).await >= 400.0).await;
    assert_eq!((gateway.metric(DEPTH).await, gateway.metric(UP).await), (0.0, 1.0));
    gateway.stop().await;
}

async fn queries(gateway: &Gateway, count: usize) {
    let client = gateway.client();
    for _ in 0..count {
        assert_eq!(client.rows("SELECT 1").await.len(), 1);
    }
}

/// How many writes took at most so many seconds, by rising bounds.
#[derive(Debug)]
struct Writes(Vec<(f64, f64)>);

impl Writes {
    async fn of(gateway: &Gateway) -> Self {
        let page = gateway.metrics().await;
        let lines = page.lines().filter_map(|line| line.strip_prefix(SECONDS));
        let writes = lines.filter(|line| line.contains("operation=\"write\""));
        let buckets = writes.map(|line| {
            let bound = line.split("le=\"").nth(1).unwrap().split('"').next().unwrap();
            let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().unwrap() };
            (bound, line.rsplit(' ').next().unwrap().parse().unwrap())
        });
        Self(buckets.collect())
    }

    fn since(self, before: &Self) -> Self {
        let less =
            self.0.iter().zip(&before.0).map(|((bound, now), (_, then))| (*bound, now - then));
        Self(less.collect())
    }

    /// The bucket in which the slowest of twenty is found.
    fn p95(&self) -> f64 {
        let all = self.0.last().expect("buckets").1;
        let found = self.0.iter().find(|(_, count)| *count >= all * 0.95);
        found.expect("the last bucket has all").0
    }
}
