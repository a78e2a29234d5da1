//! A real toxiproxy between two gateways and their store: whatever becomes of the way to it, queries go on, nobody asks a
//! store that is known to be lost, and when the way is whole again what is counted is what there is.

use serde_json::json;

use super::pair::{ENDLESS, Pair, QUERIES};
use crate::harness::{server::Server, toxiproxy::Toxiproxy};

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

/// Two gateways, the way to their store, and the store.
struct Stage {
    pair: Pair,
    way: Toxiproxy,
    _server: Server,
}

async fn stage(redis: &std::path::Path, toxiproxy: &std::path::Path) -> Stage {
    let server = Server::start(redis, &[]).await;
    let way = Toxiproxy::before(toxiproxy, server.port).await;
    let pair = Pair::on(&format!("url: 'redis://{}', timeout: 1s", way.address())).await;
    Stage { pair, way, _server: server }
}

impl Stage {
    /// Calls that were made, as against those that failed before they were.
    async fn calls(&self) -> f64 {
        let mut all = 0.0;
        for operation in ["read", "write", "delete"] {
            let name = format!(
                "gateway_store_operation_duration_seconds_count{{operation=\"{operation}\"}}"
            );
            all += self.pair.metric(&name).await;
        }
        all
    }
}

#[tokio::test]
async fn peers_X22_whatever_becomes_of_the_way_to_the_store_queries_go_on_and_count_once() {
    let redis = program_or_skip!("SLUICE_TEST_REDIS");
    let toxiproxy = program_or_skip!("SLUICE_TEST_TOXIPROXY");
    let stage = stage(&redis, &toxiproxy).await;
    let mut running = vec![stage.pair.post(0, ENDLESS).await];
    for evil in LOST {
        stage.pair.until_in_flight(running.len(), &format!("before {evil:?}")).await;
        evil.upon(&stage.way).await;
        stage.pair.until_store_is(0.0).await;
        let before = stage.calls().await;
        stage.pair.queries_go_on(&mut running).await;
        let made = stage.calls().await - before;
        // Nobody asks a store that is lost, but for what was under way when it was given up, and for a try now and then
        // whether it is back: fewer than one for each query would be.
        assert!(made < QUERIES as f64 / 2.0, "{evil:?}: {made} calls for {QUERIES} queries");
        running.push(stage.pair.post(1, ENDLESS).await);
        running.last_mut().unwrap().poll(&stage.pair.replicas[0]).await;
        stage.way.heal().await;
        stage.pair.until_store_is(1.0).await;
        stage.pair.until_in_flight(running.len(), &format!("after {evil:?}")).await;
    }
    stage.pair.cancel(&running).await;
    stage.pair.stop().await;
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
        running.push(stage.pair.post(0, ENDLESS).await);
        stage.pair.queries_go_on(&mut running).await;
        stage.pair.until_in_flight(running.len(), kind).await;
        stage.way.heal().await;
    }
    stage.pair.until_store_is(1.0).await;
    stage.pair.cancel(&running).await;
    stage.pair.stop().await;
}
