//! A real toxiproxy between two gateways and their store: whatever becomes of the way to it, queries go on, nobody asks a
//! store that is known to be lost, and when the way is whole again what is counted is what there is.

use http::Method;
use serde_json::json;
use sluice::simulator::Simulator;

use super::ground_at;
use crate::harness::{
    fleet::{Roaming, demand},
    gateway::{Gateway, groups},
    server::Server,
    toxiproxy::Toxiproxy,
    trino, wait,
};

const ENDLESS: &str = "SELECT 1 /* sim: queued=0 running=0 ending=hang */";
const UP: &str = "gateway_store_up";
/// Queries of one outage, so many that one call each could not hide among those that were under way when it began.
const QUERIES: usize = 50;

/// What toxiproxy does to the way: for good, so that the store counts as lost until it is healed.
#[derive(Clone, Copy, Debug)]
enum Evil {
    /// Each answer comes later than anybody waits for it.
    Late,
    /// Connections stay open, and no answer comes.
    HalfOpen,
    /// Connections are reset, new ones too.
    Reset,
    /// Connections break off in the midst of an answer.
    Truncated,
    /// Nobody listens.
    Down,
}

const LOST: [Evil; 5] = [Evil::Late, Evil::HalfOpen, Evil::Reset, Evil::Truncated, Evil::Down];

impl Evil {
    async fn upon(self, way: &Toxiproxy) {
        match self {
            Self::Late => way.spoil("latency", json!({ "latency": 30_000 })).await,
            Self::HalfOpen => way.spoil("timeout", json!({ "timeout": 0 })).await,
            Self::Reset => way.spoil("reset_peer", json!({ "timeout": 0 })).await,
            Self::Truncated => way.spoil("limit_data", json!({ "bytes": 3 })).await,
            Self::Down => way.disable().await,
        }
    }
}

/// Two gateways, the way to their store, and what must outlive them.
struct Stage {
    replicas: [Gateway; 2],
    way: Toxiproxy,
    _held: (Server, [Simulator; 2], tempfile::NamedTempFile),
}

async fn stage(redis: &std::path::Path, toxiproxy: &std::path::Path) -> Stage {
    let (server, one, two) =
        (Server::start(redis, &[]).await, trino::old().await, trino::old().await);
    let way = Toxiproxy::before(toxiproxy, server.port).await;
    let keys = format!("url: 'redis://{}', timeout: 1s", way.address());
    let (ground, secret) = ground_at(&keys);
    // Of an old coordinator's query nothing but its record tells whose it is: each one is a call on its client's way.
    let yaml = groups(&[one.url(), two.url()], "");
    let replicas = [ground.gateway(&yaml).await, ground.gateway(&yaml).await];
    for replica in &replicas {
        replica.until_healthy(2).await;
    }
    let stage = Stage { replicas, way, _held: (server, [one, two], secret) };
    stage.until_store_is(1.0).await;
    stage
}

impl Stage {
    async fn until_store_is(&self, up: f64) {
        for replica in &self.replicas {
            let what = format!("{UP} {up}");
            wait::until_async(&what, async || replica.metric(UP).await == up).await;
        }
    }

    /// Both say so many, and one owner counts each.
    async fn until_in_flight(&self, queries: usize, when: &str) {
        for replica in &self.replicas {
            let what = format!("{queries} in flight, {when}");
            let is_so = async || demand(replica).await.1["inflight"] == queries;
            wait::until_async(&what, is_so).await;
        }
        let owned = || self.replicas.iter().map(Gateway::in_flight).sum::<usize>();
        wait::until(&format!("one owner each, {when}"), || owned() == queries).await;
    }

    async fn post(&self, at: usize) -> Roaming {
        let client = self.replicas[at].client();
        Roaming::of(&client.send(Method::POST, "/v1/statement", ENDLESS).await.unwrap())
    }

    /// Whole queries at both, and one more poll of each that is given at either.
    async fn queries_go_on(&self, running: &mut [Roaming]) {
        for replica in &self.replicas {
            for _ in 0..QUERIES / 2 {
                assert_eq!(replica.client().rows("SELECT 1").await.len(), 1);
            }
            for query in &mut *running {
                query.poll(replica).await;
            }
        }
    }

    /// Calls that were made, as against those that failed before they were.
    async fn calls(&self) -> f64 {
        let mut all = 0.0;
        for replica in &self.replicas {
            for operation in ["read", "write", "delete"] {
                let name = format!(
                    "gateway_store_operation_duration_seconds_count{{operation=\"{operation}\"}}"
                );
                all += replica.metric(&name).await;
            }
        }
        all
    }

    async fn stop(self) {
        for replica in &self.replicas {
            replica.terminate();
        }
        for replica in self.replicas {
            replica.ended().await;
        }
    }
}

#[tokio::test]
async fn peers_X22_whatever_becomes_of_the_way_to_the_store_queries_go_on_and_count_once() {
    let redis = program_or_skip!("SLUICE_TEST_REDIS");
    let toxiproxy = program_or_skip!("SLUICE_TEST_TOXIPROXY");
    let stage = stage(&redis, &toxiproxy).await;
    let mut running = vec![stage.post(0).await];
    for evil in LOST {
        stage.until_in_flight(running.len(), &format!("before {evil:?}")).await;
        evil.upon(&stage.way).await;
        stage.until_store_is(0.0).await;
        let before = stage.calls().await;
        stage.queries_go_on(&mut running).await;
        let made = stage.calls().await - before;
        // Nobody asks a store that is lost, but for what was under way when it was given up, and for a try now and then
        // whether it is back: fewer than one for each query would be.
        assert!(made < QUERIES as f64 / 2.0, "{evil:?}: {made} calls for {QUERIES} queries");
        running.push(stage.post(1).await);
        running.last_mut().unwrap().poll(&stage.replicas[0]).await;
        stage.way.heal().await;
        stage.until_store_is(1.0).await;
        stage.until_in_flight(running.len(), &format!("after {evil:?}")).await;
    }
    for (at, query) in running.iter().enumerate() {
        assert_eq!(query.ask(&stage.replicas[at % 2], Method::DELETE).await.status, 204);
    }
    stage.until_in_flight(0, "at last").await;
    stage.stop().await;
}

/// A store that answers, if late or bit by bit, is one that is used.
#[tokio::test]
async fn a_store_that_is_slow_or_far_away_is_used_and_the_sum_is_right() {
    let redis = program_or_skip!("SLUICE_TEST_REDIS");
    let toxiproxy = program_or_skip!("SLUICE_TEST_TOXIPROXY");
    let stage = stage(&redis, &toxiproxy).await;
    let slow = [("latency", json!({ "latency": 200 })), ("bandwidth", json!({ "rate": 16 }))];
    let mut running = Vec::new();
    for (kind, attributes) in slow {
        stage.way.spoil(kind, attributes).await;
        running.push(stage.post(0).await);
        stage.queries_go_on(&mut running).await;
        stage.until_in_flight(running.len(), kind).await;
        stage.way.heal().await;
    }
    stage.until_store_is(1.0).await;
    for query in &running {
        assert_eq!(query.ask(&stage.replicas[1], Method::DELETE).await.status, 204);
    }
    stage.until_in_flight(0, "at last").await;
    stage.stop().await;
}
