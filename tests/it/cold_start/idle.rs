//! Suspend when idle: after the last query, by Trino's own counts too, undone when demand returns.

use std::sync::Arc;
use std::time::Duration;

use sluice::simulator::{Forwarded, Login, Options, Version};
use sluice::snapshot::BackendState;

use super::{ENDLESS, HELD};
use crate::harness::client::Client;
use crate::harness::sleeper::Sleeper;
use crate::harness::stage::{Plan, Stage};
use crate::harness::wait;
use crate::harness::webhook::{Call, Manner};

fn plan() -> Plan {
    Plan {
        cold_start: HELD,
        group: "suspend: { afterIdle: 500ms }",
        backend: ", stats: { user: sluice }",
        more: "queries: { linger: 1ms, unmetLease: 1ms }",
        ..Plan::default()
    }
}

/// Awake with these options, in a group that is suspended when idle.
async fn awake(options: Options) -> Stage {
    let sleeper: Arc<Sleeper> = Sleeper::with(options);
    sleeper.wake().await;
    plan().with(&[&sleeper]).await
}

async fn until_suspended(stage: &Stage, times: usize) {
    wait::until("it is put to sleep", || stage.webhook.suspends().len() == times).await;
    stage.until("a", BackendState::Sleeping).await;
}

/// How often its own counts were asked for.
fn asked(stage: &Stage) -> usize {
    let seen = stage.sleeper.simulator().seen();
    seen.iter().filter(|seen| seen.path == "/ui/api/stats").count()
}

#[tokio::test]
async fn an_idle_backend_is_put_to_sleep_and_woken_by_the_next_statement() {
    let stage = awake(Options::default()).await;
    for round in 1..=2 {
        assert_eq!(stage.client().rows("SELECT 1").await.len(), 1);
        until_suspended(&stage, round).await;
        assert!(!stage.sleeper.is_awake().await);
        assert_eq!(stage.webhook.resumes().len(), round - 1);
    }
    assert_eq!(stage.client().rows("SELECT 1").await.len(), 1);
    assert_eq!(stage.webhook.resumes().len(), 2);
    stage.stop().await;
}

#[tokio::test]
async fn each_suspend_has_a_key_of_its_own() {
    let stage = awake(Options::default()).await;
    for round in 1..=2 {
        assert_eq!(stage.client().rows("SELECT 1").await.len(), 1);
        until_suspended(&stage, round).await;
    }
    let keys: Vec<_> = stage.webhook.suspends().iter().map(Call::key).collect();
    // Who keeps the promise of the header answers a key that it has seen with what it said then, and does nothing.
    assert!(!keys[0].is_empty() && keys[0] != keys[1], "{keys:?}");
    stage.stop().await;
}

#[tokio::test]
async fn a_backend_that_nobody_ever_used_is_put_to_sleep_too() {
    let stage = awake(Options::default()).await;
    until_suspended(&stage, 1).await;
    assert!(asked(&stage) > 0, "its own counts were asked first");
    stage.stop().await;
}

#[tokio::test]
async fn its_own_counts_are_read_behind_a_login() {
    for version in [Version::V483, Version::V435] {
        let stage = awake(Options { ui_login: true, version, ..Options::default() }).await;
        until_suspended(&stage, 1).await;
        stage.stop().await;
    }
}

#[tokio::test]
async fn its_own_counts_are_read_with_a_password_where_tls_ends_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "secret\n").unwrap();
    let stats = format!(", stats: {{ user: sluice, passwordFile: '{}' }}", file.display());
    let options = Options {
        ui_login: true,
        login: Login::Password("secret".to_owned()),
        forwarded: Forwarded::Accept,
        ..Options::default()
    };
    let sleeper = Sleeper::with(options);
    sleeper.wake().await;
    let behind = Plan { backend: Box::leak(stats.into_boxed_str()), ..plan() };
    let stage = behind.with(&[&sleeper]).await;
    until_suspended(&stage, 1).await;
    stage.stop().await;
}

#[tokio::test]
async fn it_is_not_put_to_sleep_while_our_own_queries_run() {
    let stage = awake(Options::default()).await;
    let mut running = stage.client().start(ENDLESS).await.unwrap();
    running.advance_until(|page| page.state == "RUNNING").await.unwrap();
    wait::pass(Duration::from_millis(1500)).await;
    assert_eq!(stage.webhook.suspends().len(), 0);
    running.cancel().await.unwrap();
    until_suspended(&stage, 1).await;
    stage.stop().await;
}

#[tokio::test]
async fn it_is_not_put_to_sleep_while_trinos_own_counts_are_above_0() {
    let stage = awake(Options::default()).await;
    // Somebody who goes past the gateway.
    let direct = Client::new(stage.sleeper.url());
    let mut running = direct.start(ENDLESS).await.unwrap();
    running.advance_until(|page| page.state == "RUNNING").await.unwrap();
    let before = asked(&stage);
    wait::until("it was asked again and again", || asked(&stage) >= before + 3).await;
    assert_eq!(stage.webhook.suspends().len(), 0);
    running.cancel().await.unwrap();
    until_suspended(&stage, 1).await;
    stage.stop().await;
}

#[tokio::test]
async fn it_is_not_put_to_sleep_when_its_counts_cannot_be_read() {
    let password = Login::Password("x".to_owned());
    // Over http such a coordinator answers nobody, and its UI wants a cookie that nobody gets.
    let options = Options { ui_login: true, login: password, ..Options::default() };
    let sleeper = Sleeper::with(options);
    sleeper.wake().await;
    let broken =
        Plan { backend: ", stats: { user: sluice, passwordFile: /nonexistent }", ..plan() };
    let stage = broken.with(&[&sleeper]).await;
    wait::pass(Duration::from_secs(3)).await;
    assert_eq!(stage.webhook.suspends().len(), 0, "unknown is not zero");
    stage.stop().await;
}

#[tokio::test]
async fn a_suspend_that_is_refused_leaves_it_at_work() {
    let stage = awake(Options::default()).await;
    stage.webhook.will(Manner::Refuse(500));
    wait::until("it was tried", || !stage.webhook.suspends().is_empty()).await;
    assert_eq!(stage.client().rows("SELECT 1").await.len(), 1);
    stage.until("a", BackendState::Healthy).await;
    assert_eq!(stage.webhook.resumes().len(), 0, "it never slept");
    stage.stop().await;
}

#[tokio::test]
async fn demand_that_returns_while_it_drains_undoes_it() {
    let stage = awake(Options::default()).await;
    // The driver does not answer: the backend is about to sleep and still awake.
    stage.webhook.will(Manner::Hang);
    wait::until("it is being put to sleep", || stage.webhook.suspends().len() == 1).await;
    stage.webhook.will(Manner::Obey);
    assert_eq!(stage.client().rows("SELECT 1").await.len(), 1, "its client sees no difference");
    stage.stop().await;
}

#[tokio::test]
async fn a_lease_keeps_automation_from_undoing_what_an_operator_woke() {
    let stage = plan().asleep().await;
    let (status, words) = stage.gateway.command("/admin/groups/adhoc/resume").await;
    assert!((200..300).contains(&status), "{words}");
    stage.until("a", BackendState::Healthy).await;
    wait::pass(Duration::from_secs(2)).await;
    assert_eq!(stage.webhook.suspends().len(), 0, "a manual action holds for 60 s");
    stage.stop().await;
}
