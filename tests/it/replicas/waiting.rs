//! A statement that waits does so in the whole fleet: any replica is asked for it, and one sends it, once.

use std::{sync::Arc, time::Duration};

use http::Method;
use sluice::store::{Key, Kind};

use super::ENDLESS;
use crate::harness::{
    fleet::{Fleet, Roaming},
    sleeper::Sleeper,
    stage::{Plan, is_synthetic},
    wait,
    webhook::{Manner, Webhook},
};

/// The first page comes at once.
const PLAN: Plan = Plan {
    cold_start: "holdFor: 100ms",
    group: "",
    backend: "",
    resume: "",
    more: "drain: { wait: 3s, deadline: 6s }",
};

const MEMORY: &str = "SELECT 1";

/// A fleet before one backend that sleeps until the test wakes it.
struct Cold {
    fleet: Fleet,
    sleeper: Arc<Sleeper>,
    _webhook: Webhook,
}

impl Cold {
    async fn start(replicas: usize) -> Self {
        Self::of(PLAN, replicas).await
    }

    async fn of(plan: Plan, replicas: usize) -> Self {
        let sleeper = Sleeper::new();
        let named = [("a", &sleeper)];
        let webhook = Webhook::start(&named).await;
        webhook.will(Manner::Accept);
        let fleet = Fleet::start(replicas, &plan.yaml(&named, &webhook)).await;
        fleet.until_in_flight(&(0..replicas).collect::<Vec<_>>(), 0).await;
        Self { fleet, sleeper, _webhook: webhook }
    }

    /// A statement that has got its first synthetic page from that replica.
    async fn queued(&self, at: usize, sql: &str) -> Roaming {
        let query = self.fleet.post(at, sql).await;
        assert!(is_synthetic(&query.id), "{}", query.page);
        query
    }

    async fn wake(&self) {
        self.sleeper.wake().await;
        for replica in &self.fleet.replicas {
            replica.until_healthy(1).await;
        }
    }

    fn posts(&self) -> usize {
        self.sleeper.statements().len()
    }
}

impl Roaming {
    /// Follows it over these replicas in turn, to its end.
    async fn follow(&mut self, fleet: &Fleet, order: &[usize]) {
        for at in order.iter().cycle().take(60) {
            if self.next.is_none() {
                return;
            }
            self.poll(&fleet.replicas[*at]).await;
        }
        panic!("it does not end: {}", self.page);
    }
}

#[tokio::test]
async fn a_waiting_statement_is_asked_for_at_any_replica_and_sent_once() {
    let cold = Cold::start(3).await;
    let mut query = cold.queued(0, MEMORY).await;
    let id = query.id.clone();
    let old = query.clone();
    for at in [1, 2, 0, 1] {
        query.poll(&cold.fleet.replicas[at]).await;
        assert_eq!((query.id.as_str(), query.state.as_str()), (id.as_str(), "QUEUED"));
        let page = cold.fleet.demand(at).await.1;
        assert!(page["inflight"].as_u64() >= Some(1), "{page}");
    }
    cold.fleet.until_in_flight(&[0, 1, 2], 1).await;
    let last = query.clone();
    cold.wake().await;
    query.follow(&cold.fleet, &[2, 0, 1]).await;
    assert_eq!((query.state.as_str(), query.error()), ("FINISHED", None));
    assert!(!is_synthetic(&query.id));
    assert_eq!(cold.posts(), 1);
    cold.fleet.until_in_flight(&[0, 1, 2], 0).await;
    // What was handed out before the hand-over leads on everywhere.
    for at in 0..3 {
        let answer = last.ask(&cold.fleet.replicas[at], Method::GET).await;
        assert!(matches!(answer.status.as_u16(), 200 | 410), "{at}: {}", answer.status);
        let info = format!("/v1/query/{}", old.id);
        let answer = cold.fleet.replicas[at].client().get(&info).await.unwrap();
        assert_eq!(answer.json().unwrap()["queryId"], query.id.as_str(), "{at}");
    }
    cold.fleet.end().await;
}

#[tokio::test]
async fn polls_at_all_replicas_at_once_send_a_statement_once() {
    let cold = Cold::start(3).await;
    let mut queries = Vec::new();
    for at in [0, 1, 2, 0, 1, 2] {
        queries.push(cold.queued(at, MEMORY).await);
    }
    cold.wake().await;
    for query in &mut queries {
        let replicas = &cold.fleet.replicas;
        let asked = tokio::join!(
            query.ask(&replicas[0], Method::GET),
            query.ask(&replicas[1], Method::GET),
            query.ask(&replicas[2], Method::GET),
        );
        let pages: Vec<Roaming> = [asked.0, asked.1, asked.2]
            .iter()
            .filter(|answer| answer.status == 200)
            .map(Roaming::of)
            .collect();
        let real = pages.iter().find(|page| !is_synthetic(&page.id)).or(pages.first());
        *query = real.expect("one of them knows it").clone();
        query.follow(&cold.fleet, &[1, 2, 0]).await;
        assert_eq!((query.state.as_str(), query.error()), ("FINISHED", None));
    }
    assert_eq!(cold.posts(), queries.len());
    cold.fleet.until_in_flight(&[0, 1, 2], 0).await;
    cold.fleet.end().await;
}

#[tokio::test]
async fn a_waiting_statement_is_canceled_and_killed_at_any_replica() {
    let cold = Cold::start(2).await;
    let canceled = cold.queued(0, MEMORY).await;
    let killed = cold.queued(0, MEMORY).await;
    cold.fleet.until_in_flight(&[0, 1], 2).await;
    assert_eq!(canceled.ask(&cold.fleet.replicas[1], Method::DELETE).await.status, 204);
    cold.fleet.until_in_flight(&[0, 1], 1).await;
    let path = format!("/v1/query/{}/killed", killed.id);
    let answer = cold.fleet.replicas[1].client().send(Method::PUT, &path, "too long").await;
    assert_eq!(answer.unwrap().status, 202);
    cold.fleet.until_in_flight(&[0, 1], 0).await;
    let mut killed = killed;
    killed.poll(&cold.fleet.replicas[1]).await;
    assert_eq!(killed.error(), Some("ADMINISTRATIVELY_KILLED"), "{}", killed.page);
    cold.wake().await;
    assert_eq!(cold.posts(), 0);
    cold.fleet.end().await;
}

#[tokio::test]
async fn who_does_not_know_the_slug_moves_nothing() {
    let cold = Cold::start(2).await;
    let query = cold.queued(0, MEMORY).await;
    let path = query.next.clone().unwrap();
    let slug = path.rsplit('/').nth(1).unwrap();
    let wrong = path.replace(slug, &format!("y{}", "0".repeat(40)));
    for method in [Method::GET, Method::DELETE] {
        let answer = cold.fleet.replicas[1].client().send(method, &wrong, "").await.unwrap();
        assert_ne!(answer.status, 503);
    }
    wait::pass(Duration::from_millis(500)).await;
    assert_eq!((cold.fleet.replicas[0].in_flight(), cold.fleet.replicas[1].in_flight()), (1, 0));
    query.ask(&cold.fleet.replicas[0], Method::DELETE).await;
    cold.fleet.end().await;
}

#[tokio::test]
async fn a_waiting_statement_outlives_its_replica() {
    let mut cold = Cold::start(2).await;
    let mut left = cold.queued(0, MEMORY).await;
    let mut lost = cold.queued(1, ENDLESS).await;
    cold.fleet.one_more().await;
    // One replica leaves, one is lost.
    let leaving = cold.fleet.replicas.remove(0);
    cold.fleet.ways.remove(0);
    leaving.terminate();
    left.poll(&leaving).await;
    assert_eq!(left.state, "QUEUED", "{}", left.page);
    leaving.ended().await;
    cold.fleet.ways[0].cut(true);
    for query in [&mut left, &mut lost] {
        query.poll(&cold.fleet.replicas[1]).await;
        assert_eq!((query.state.as_str(), query.error()), ("QUEUED", None), "{}", query.page);
    }
    cold.fleet.until_in_flight(&[1], 2).await;
    cold.wake().await;
    left.follow(&cold.fleet, &[1]).await;
    assert_eq!((left.state.as_str(), left.error()), ("FINISHED", None));
    lost.until(&cold.fleet.replicas[1], "RUNNING").await;
    assert_eq!(cold.posts(), 2);
    lost.ask(&cold.fleet.replicas[1], Method::DELETE).await;
    cold.fleet.end().await;
}

/// No test waits ten minutes. Two things could end a wait before its deadline: the room, which `queries::room` shows
/// with a clock of its own, and the store, which is told here how long it must keep what waits.
#[tokio::test]
async fn peers_L12_the_store_keeps_for_its_whole_wait_what_waits_longer_than_ten_minutes() {
    let cold_start = "holdFor: 100ms, deadline: 15m";
    let cold = Cold::of(Plan { cold_start, resume: ", deadline: 15m", ..PLAN }, 2).await;
    let mut query = cold.queued(0, MEMORY).await;
    let (wait, id) = (Duration::from_secs(15 * 60), query.id.clone());
    // Kept by whom it came to, then by each that takes it over.
    for (at, handed) in [(0, 1), (1, 2), (0, 3)] {
        query.poll(&cold.fleet.replicas[at]).await;
        assert_eq!((query.state.as_str(), query.error()), ("QUEUED", None), "{}", query.page);
        let lives = cold.fleet.lives(Kind::Waiting);
        assert!(lives.len() >= handed, "{lives:?}");
        assert!(lives.iter().all(|life| *life >= wait), "{lives:?}");
        if let Some(left) = cold.fleet.left(&Key::new(Kind::Waiting, id.as_str())).await {
            assert!(left > Duration::from_secs(14 * 60), "{left:?}");
        }
    }
    cold.wake().await;
    query.follow(&cold.fleet, &[1, 0]).await;
    assert_eq!((query.state.as_str(), query.error(), cold.posts()), ("FINISHED", None, 1));
    cold.fleet.end().await;
}

#[tokio::test]
async fn a_statement_that_comes_to_a_replica_that_leaves_goes_on_elsewhere() {
    let cold = Cold::start(2).await;
    cold.fleet.replicas[0].terminate();
    wait::until_async("it is leaving", async || {
        cold.fleet.replicas[0].health("/readyz").await.0 == 503
    })
    .await;
    let mut query = cold.queued(0, MEMORY).await;
    query.poll(&cold.fleet.replicas[1]).await;
    assert_eq!((query.state.as_str(), query.error()), ("QUEUED", None));
    cold.sleeper.wake().await;
    cold.fleet.replicas[1].until_healthy(1).await;
    query.follow(&cold.fleet, &[1]).await;
    assert_eq!((query.state.as_str(), query.error(), cold.posts()), ("FINISHED", None, 1));
    cold.fleet.end().await;
}

#[tokio::test]
async fn what_was_told_while_the_store_was_lost_is_known_once_it_is_back() {
    let cold = Cold::start(2).await;
    cold.fleet.ways[0].cut(true);
    let query = cold.queued(0, MEMORY).await;
    cold.fleet.ways[0].cut(false);
    wait::until_async("the other replica knows it", async || {
        let mut asked = query.clone();
        asked.poll(&cold.fleet.replicas[1]).await;
        asked.state == "QUEUED"
    })
    .await;
    query.ask(&cold.fleet.replicas[1], Method::DELETE).await;
    cold.fleet.until_in_flight(&[0, 1], 0).await;
    cold.fleet.end().await;
}
