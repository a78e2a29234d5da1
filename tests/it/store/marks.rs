//! What an operator says at one replica reaches the others and outlives them all; one replica wakes for all.

use std::{sync::Arc, time::Duration};

use sluice::{
    snapshot::{Mark, WakeState},
    store::{Change, Kind, Memory, Store},
};
use sluice_routing::{BackendName, GroupName};
use tokio::time::Instant;

use super::Ground;
use crate::harness::{
    gateway::{Gateway, groups},
    sleeper::Sleeper,
    stage::Plan,
    trino::trino,
    wait,
    webhook::{Manner, Webhook},
};

/// As `peers.md` G20 wants it.
const A_SECOND: Duration = Duration::from_secs(1);

const PLAN: Plan =
    Plan { cold_start: "holdFor: 300ms", group: "", backend: "", resume: "", more: "" };

/// On their own memory, and by `peers` on a real server.
#[tokio::test]
async fn peers_G20_a_mark_reaches_every_replica_within_a_second_and_survives_them() {
    marks(&Ground::memory()).await;
}

#[tokio::test]
async fn a_group_that_is_held_down_is_so_everywhere_until_it_is_resumed_anywhere() {
    held_down(&Ground::memory()).await;
}

/// After a fail-over the store may be another server, one that had not been told the last word yet, or none.
#[tokio::test]
async fn peers_G20_a_mark_outlives_the_stores_server() {
    let (trino, store) = (trino().await, Arc::<Memory>::default());
    let (ground, yaml) = (Ground::Memory(Arc::clone(&store)), groups(&[trino.url()], ""));
    let gateways = vec![ground.gateway(&yaml).await, ground.gateway(&yaml).await];
    let said = async |word: &str, mark: Mark| {
        assert_eq!(gateways[0].command(&format!("/admin/backends/a/{word}")).await.0, 200);
        for each in &gateways {
            wait::until(word, || mark_of(each) == mark).await;
        }
        let (key, value) = store.list(Kind::Mark).await.unwrap().pop().expect("a mark");
        (value.clone(), Change::put(key.clone(), value, A_SECOND * 3600), Change::remove(key))
    };
    let (_, older, _) = said("activate", Mark::Active).await;
    let (last, _, none) = said("deactivate", Mark::Inactive).await;
    for lost in [older, none] {
        store.apply(vec![lost]).await.unwrap();
        wait::until_async("the last word", async || {
            store.list(Kind::Mark).await.unwrap().first().is_some_and(|(_, value)| *value == last)
        })
        .await;
        for each in &gateways {
            assert_eq!(mark_of(each), Mark::Inactive);
        }
    }
    stop(gateways).await;
}

#[tokio::test]
async fn one_replica_calls_the_driver_and_all_know_how_long_it_took() {
    one_call(&Ground::memory()).await;
}

#[tokio::test]
async fn a_call_that_failed_leaves_the_next_one_to_anybody() {
    let ground = Ground::memory();
    let sleeper = Sleeper::new();
    let (webhook, gateways) = sleeping(&ground, &sleeper).await;
    webhook.first(&[Manner::Refuse(500)]);
    let client = gateways[0].client().may_change_id();
    assert_eq!(client.rows("SELECT 1").await.len(), 1);
    assert_eq!(webhook.resumes().len(), 2, "again, and by the same one");
    stop(gateways).await;
}

/// The lease of who called before does not outlive the sleep that came after.
#[tokio::test]
async fn what_sleeps_again_is_woken_at_once_by_another_than_before() {
    let ground = Ground::memory();
    let sleeper = Sleeper::new();
    let (group, backend) = ("suspend: { afterIdle: 1s }", ", stats: { user: sluice }");
    let more = "queries: { linger: 1ms, unmetLease: 1ms }";
    let idle = Plan { group, backend, more, ..PLAN };
    let (webhook, gateways) = sleeping_as(idle, &ground, &sleeper).await;
    for (at, woken) in gateways.iter().zip(1..) {
        let client = at.client().may_change_id();
        let asked = tokio::spawn(async move { client.rows("SELECT 1").await });
        webhook.until_resumes(woken).await;
        assert_eq!(asked.await.unwrap().len(), 1);
        assert_eq!(webhook.resumes().len(), woken);
        wait::until("it was put to sleep", || !webhook.suspends().is_empty()).await;
        for each in &gateways {
            wait::until("it sleeps again", || wake_of(each) == WakeState::Asleep).await;
        }
    }
    stop(gateways).await;
}

pub(super) async fn marks(ground: &Ground) {
    let trino = trino().await;
    let yaml = groups(&[trino.url()], "");
    let (a, b) = (ground.gateway(&yaml).await, ground.gateway(&yaml).await);
    a.until_healthy(1).await;
    b.until_healthy(1).await;
    for (at, other, word, active) in
        [(&a, &b, "deactivate", false), (&b, &a, "activate", true), (&a, &b, "drain", false)]
    {
        let (status, words) = at.command(&format!("/admin/backends/a/{word}")).await;
        assert_eq!(status, 200, "{words}");
        let said = Instant::now();
        wait::until(word, || (mark_of(other) == Mark::Active) == active).await;
        assert!(said.elapsed() <= A_SECOND, "{word} took {:?}", said.elapsed());
        assert_eq!(mark_of(at) == Mark::Active, active);
    }
    for each in [&a, &b] {
        wait::until("nothing runs there", || mark_of(each) == Mark::Inactive).await;
    }
    let refused = b.client().start("SELECT 1").await.unwrap_err();
    assert_eq!(refused.status(), Some(503));
    stop(vec![a, b]).await;
    let c = ground.gateway(&yaml).await;
    wait::until("the mark of before", || mark_of(&c) != Mark::Active).await;
    assert_eq!(c.command("/admin/backends/a/activate").await.0, 200);
    c.until_healthy(1).await;
    assert_eq!(c.client().rows("SELECT 1").await.len(), 1);
    stop(vec![c]).await;
}

pub(super) async fn held_down(ground: &Ground) {
    let sleeper = Sleeper::new();
    let (webhook, gateways) = sleeping(ground, &sleeper).await;
    let [a, b] = gateways.as_slice() else { panic!("two") };
    assert_eq!(a.command("/admin/groups/adhoc/suspend").await.0, 200);
    wait::until("held down there too", || wake_of(b) == WakeState::HeldDown).await;
    let refused = b.client().start("SELECT 1").await.unwrap_err();
    assert_eq!(refused.status(), Some(503));
    assert_eq!(webhook.resumes().len(), 0);
    wait::until("its driver was told", || webhook.suspends().len() == 1).await;
    wait::until("it went down", || wake_of(a) == WakeState::HeldDown).await;
    let c = ground.gateway(&yaml(&sleeper, &webhook)).await;
    wait::until("held down after a restart", || wake_of(&c) == WakeState::HeldDown).await;
    assert_eq!(b.command("/admin/groups/adhoc/resume").await.0, 200);
    for each in [a, b, &c] {
        wait::until("ready everywhere", || wake_of(each) == WakeState::Ready).await;
    }
    assert_eq!(webhook.resumes().len(), 1, "one call for all of them");
    stop(vec![c]).await;
    stop(gateways).await;
}

pub(super) async fn one_call(ground: &Ground) {
    let sleeper = Sleeper::new();
    let (webhook, gateways) = sleeping(ground, &sleeper).await;
    webhook.will(Manner::Accept);
    let clients = gateways.iter().map(|each| each.client().may_change_id());
    let asked: Vec<_> =
        clients.map(|client| tokio::spawn(async move { client.rows("SELECT 1").await })).collect();
    for each in &gateways {
        wait::until("both want it", || wake_of(each) == WakeState::Warming).await;
    }
    assert_eq!(webhook.resumes().len(), 1, "one of them calls");
    sleeper.wake().await;
    for rows in asked {
        assert_eq!(rows.await.unwrap().len(), 1);
    }
    assert_eq!(webhook.resumes().len(), 1);
    let usual = |gateway: &Gateway| {
        let snapshot = gateway.shared.current.load();
        snapshot.group(&GroupName::parse("adhoc").unwrap()).unwrap().wake.usual
    };
    let late = ground.gateway(&yaml(&sleeper, &webhook)).await;
    wait::until("a lesson of others", || usual(&late).is_some()).await;
    stop(vec![late]).await;
    stop(gateways).await;
}

fn yaml(sleeper: &Arc<Sleeper>, webhook: &Webhook) -> String {
    PLAN.yaml(&[("a", sleeper)], webhook)
}

/// Two gateways before one backend that sleeps.
async fn sleeping(ground: &Ground, sleeper: &Arc<Sleeper>) -> (Webhook, Vec<Gateway>) {
    sleeping_as(PLAN, ground, sleeper).await
}

async fn sleeping_as(
    plan: Plan,
    ground: &Ground,
    sleeper: &Arc<Sleeper>,
) -> (Webhook, Vec<Gateway>) {
    let webhook = Webhook::start(&[("a", sleeper)]).await;
    let mut gateways = Vec::new();
    for _ in 0..2 {
        let gateway = ground.gateway(&plan.yaml(&[("a", sleeper)], &webhook)).await;
        wait::until("it sleeps", || wake_of(&gateway) == WakeState::Asleep).await;
        gateways.push(gateway);
    }
    (webhook, gateways)
}

fn mark_of(gateway: &Gateway) -> Mark {
    let snapshot = gateway.shared.current.load();
    snapshot.backends[&BackendName::parse("a").unwrap()].mark
}

fn wake_of(gateway: &Gateway) -> WakeState {
    let snapshot = gateway.shared.current.load();
    snapshot.backends[&BackendName::parse("a").unwrap()].wake.unwrap()
}

async fn stop(gateways: Vec<Gateway>) {
    for gateway in gateways {
        gateway.stop().await;
    }
}
