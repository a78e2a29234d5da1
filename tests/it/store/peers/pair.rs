//! Two gateways on a real store, before two coordinators that are old: of a query of theirs nothing but its record tells
//! whose it is, so each one is a call on its client's way.

use http::Method;
use sluice::simulator::Simulator;

use super::ground_at;
use crate::harness::{
    fleet::{Roaming, demand},
    gateway::{Gateway, groups},
    trino, wait,
};

/// Runs until somebody ends it.
pub(super) const ENDLESS: &str = "SELECT 1 /* sim: queued=0 running=0 ending=hang */";
const UP: &str = "gateway_store_up";
/// Queries of one outage, so many that one call each could not hide among those that were under way when it began.
pub(super) const QUERIES: usize = 50;

/// The gateways, and what must outlive them.
pub(super) struct Pair {
    pub(super) replicas: [Gateway; 2],
    _held: ([Simulator; 2], tempfile::NamedTempFile),
}

impl Pair {
    /// On a store by the keys of `store.redis` but for `secretFile`; both use it when this returns.
    pub(super) async fn on(keys: &str) -> Self {
        let (one, two) = (trino::old().await, trino::old().await);
        let (ground, secret) = ground_at(keys);
        let yaml = groups(&[one.url(), two.url()], "");
        let replicas = [ground.gateway(&yaml).await, ground.gateway(&yaml).await];
        for replica in &replicas {
            replica.until_healthy(2).await;
        }
        let pair = Self { replicas, _held: ([one, two], secret) };
        pair.until_store_is(1.0).await;
        pair
    }

    pub(super) async fn until_store_is(&self, up: f64) {
        for replica in &self.replicas {
            let what = format!("{UP} {up}");
            wait::until_async(&what, async || replica.metric(UP).await == up).await;
        }
    }

    /// How many queries the two count, each its own.
    pub(super) fn owned(&self) -> usize {
        self.replicas.iter().map(Gateway::in_flight).sum()
    }

    /// Both say so many, and one owner counts each.
    pub(super) async fn until_in_flight(&self, queries: usize, when: &str) {
        for replica in &self.replicas {
            let is_so = async || demand(replica).await.1["inflight"] == queries;
            if !wait::comes_true(is_so).await {
                panic!("waited in vain for {queries} in flight, {when}: {}", self.told().await);
            }
        }
        wait::until(&format!("one owner each, {when}"), || self.owned() == queries).await;
    }

    /// What each says of demand and counts, for who looks into a failure.
    async fn told(&self) -> String {
        let mut all = Vec::new();
        for replica in &self.replicas {
            let (counted, said) = (replica.in_flight(), demand(replica).await.1);
            all.push(format!("counts {counted}, says {said}"));
        }
        all.join("\n")
    }

    pub(super) async fn post(&self, at: usize, sql: &'static str) -> Roaming {
        let client = self.replicas[at].client();
        Roaming::of(&client.send(Method::POST, "/v1/statement", sql).await.unwrap())
    }

    /// Whole queries at both, and one more poll of each that is given at either.
    pub(super) async fn queries_go_on(&self, running: &mut [Roaming]) {
        for replica in &self.replicas {
            for _ in 0..QUERIES / 2 {
                assert_eq!(replica.client().rows("SELECT 1").await.len(), 1);
            }
            for query in &mut *running {
                query.poll(replica).await;
            }
        }
    }

    /// Each is cancelled at the one or the other in turn, and nothing is left.
    pub(super) async fn cancel(&self, running: &[Roaming]) {
        for (at, query) in running.iter().enumerate() {
            assert_eq!(query.ask(&self.replicas[at % 2], Method::DELETE).await.status, 204);
        }
        self.until_in_flight(0, "at last").await;
    }

    /// The sum over both of a series.
    pub(super) async fn metric(&self, series: &str) -> f64 {
        let [one, two] = &self.replicas;
        one.metric(series).await + two.metric(series).await
    }

    pub(super) async fn stop(self) {
        for replica in &self.replicas {
            replica.terminate();
        }
        for replica in self.replicas {
            replica.ended().await;
        }
    }
}
