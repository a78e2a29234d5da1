//! Who is served first: FIFO within a user, fair over users, and nobody overtakes (peers L5).

use tokio::task::JoinSet;

use super::ENDLESS;
use crate::harness::client::Running;
use crate::harness::stage::{Held, Plan, Stage, is_synthetic};
use crate::harness::wait;

/// One place, taken by an endless query; those that wait are held on their POST.
async fn full(cold_start: &'static str) -> (Stage, Running) {
    let stage = Plan { cold_start, ..Plan::default() }.awake().await;
    let running = stage.user("first").start(ENDLESS).await.unwrap();
    assert!(!is_synthetic(running.id()));
    (stage, running)
}

const ONE: &str = "holdFor: 60s, maxRunning: 1";
const QUICK: &str = "/* sim: queued=0 running=0 finishing=0 */";

/// The users and statements that reached the coordinator behind the first one, in order.
fn served(stage: &Stage) -> Vec<String> {
    let sent = stage.sleeper.statements();
    let told = |seen: &sluice::simulator::Seen| {
        let user = seen.header("x-trino-user").unwrap_or_default().to_owned();
        format!("{user} {}", seen.text().replace(QUICK, "").trim())
    };
    sent.iter().skip(1).map(told).collect()
}

/// Each is followed by a client of its own: one that nobody polls keeps its place at the backend.
async fn all_served(held: Vec<Held>) {
    let clients: JoinSet<_> = held.into_iter().map(Held::rows).collect();
    for rows in clients.join_all().await {
        assert_eq!(rows.len(), 1);
    }
}

#[tokio::test]
async fn peers_L5_within_a_user_first_come_is_first_served() {
    let (stage, running) = full(ONE).await;
    let mut held = Vec::new();
    for number in 0..6 {
        held.push(stage.held(&stage.user("alice"), &format!("SELECT {number} {QUICK}")).await);
    }
    running.cancel().await.unwrap();
    all_served(held).await;
    let expected: Vec<String> = (0..6).map(|number| format!("alice SELECT {number}")).collect();
    assert_eq!(served(&stage), expected);
    stage.stop().await;
}

#[tokio::test]
async fn peers_L5_two_users_share_what_becomes_free() {
    let (stage, running) = full(ONE).await;
    let mut held = Vec::new();
    // One floods the room, the other comes late with less.
    for number in 0..6 {
        held.push(stage.held(&stage.user("alice"), &format!("SELECT {number} {QUICK}")).await);
    }
    for number in 0..3 {
        held.push(stage.held(&stage.user("bob"), &format!("SELECT {number} {QUICK}")).await);
    }
    running.cancel().await.unwrap();
    all_served(held).await;
    let served = served(&stage);
    assert_eq!(served.len(), 9, "{served:?}");
    let of = |user: &str, until: usize| {
        served[..until].iter().filter(|each| each.starts_with(user)).count()
    };
    for until in 1..=6 {
        let (alice, bob) = (of("alice", until), of("bob", until));
        assert!(alice.abs_diff(bob) <= 1, "after {until}: {served:?}");
    }
    for user in ["alice", "bob"] {
        let own: Vec<_> = served.iter().filter(|each| each.starts_with(user)).collect();
        assert!(own.is_sorted(), "{own:?}");
    }
    stage.stop().await;
}

#[tokio::test]
async fn peers_L5_a_new_statement_never_overtakes_one_that_waits() {
    let (stage, running) = full(ONE).await;
    let mut held = vec![stage.held(&stage.user("alice"), &format!("SELECT 0 {QUICK}")).await];
    running.cancel().await.unwrap();
    // From now on the place is free at times, and somebody always waits for it.
    let submitted = r#"gateway_query_events_total{event="submitted",routing_group="adhoc"}"#;
    for number in 1..8 {
        let (client, sql) = (stage.user("alice"), format!("SELECT {number} {QUICK}"));
        let before = stage.gateway.metric(submitted).await;
        held.push(Held::of(tokio::spawn(async move { client.start(sql).await })));
        wait::until_async("it is accepted", async || {
            stage.gateway.metric(submitted).await > before
        })
        .await;
    }
    all_served(held).await;
    let served = served(&stage);
    assert!(served.is_sorted(), "{served:?}");
    stage.stop().await;
}

#[tokio::test]
async fn peers_L5_while_it_wakes_new_ones_queue_up_behind_the_old() {
    let cold_start = "holdFor: 60s, maxRunning: 1";
    let stage = Plan { cold_start, ..Plan::default() }.asleep().await;
    stage.webhook.will(crate::harness::webhook::Manner::Accept);
    let mut held = Vec::new();
    for number in 0..5 {
        held.push(stage.held(&stage.user("alice"), &format!("SELECT {number} {QUICK}")).await);
    }
    stage.sleeper.wake().await;
    all_served(held).await;
    let sent: Vec<_> = stage.sleeper.statements().iter().map(|seen| seen.text()).collect();
    let expected: Vec<_> = (0..5).map(|number| format!("SELECT {number} {QUICK}")).collect();
    assert_eq!(sent, expected);
    stage.stop().await;
}

#[tokio::test]
async fn an_absent_client_keeps_its_place_and_blocks_nobody() {
    let (stage, running) = full("holdFor: 1s, maxRunning: 1").await;
    // It got its page and does not poll.
    let mut absent = stage.user("alice").start(format!("SELECT 0 {QUICK}")).await.unwrap();
    assert!(is_synthetic(absent.id()));
    let present = stage.user("alice");
    let present = tokio::spawn(async move { present.query(format!("SELECT 1 {QUICK}")).await });
    wait::until_async("both wait", async || stage.waiters().await == 2.0).await;
    running.cancel().await.unwrap();
    let done = present.await.unwrap().unwrap();
    assert_eq!(done.rows.len(), 1, "the absent one blocks nobody");
    while absent.advance().await.unwrap() {}
    assert_eq!(absent.done().rows.len(), 1, "its place was kept");
    stage.stop().await;
}
