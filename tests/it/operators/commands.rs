//! `sluice resume`, `suspend`, `drain` and their kin, as an operator types them.

use std::time::Duration;

use sluice::snapshot::BackendState;
use tokio::{process::Command, time::timeout};

use super::HELD;
use crate::harness::{
    gateway::{Gateway, groups},
    stage::Plan,
    trino, wait,
};

/// Starting a debug build on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether it succeeded, and what it said on the channel that belongs to that.
async fn sluice(gateway: &Gateway, args: &[&str], token: Option<&str>) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
    command.args(args).env("SLUICE_ADMIN_URL", format!("http://{}", gateway.addresses.admin));
    command.env_remove("SLUICE_ADMIN_TOKEN").kill_on_drop(true);
    command.envs(token.map(|token| ("SLUICE_ADMIN_TOKEN", token)));
    let output = timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    let success = output.status.success();
    let (told, silent) = match success {
        true => (output.stdout, output.stderr),
        false => (output.stderr, output.stdout),
    };
    assert_eq!(String::from_utf8_lossy(&silent), "", "{args:?}");
    (success, String::from_utf8_lossy(&told).trim_end().to_owned())
}

#[tokio::test]
async fn suspend_and_resume_put_a_group_to_sleep_and_wake_it() {
    let stage = Plan { cold_start: HELD, ..Plan::default() }.awake().await;
    let (success, words) = sluice(&stage.gateway, &["suspend", "adhoc"], None).await;
    assert!(success && words.starts_with("routing group adhoc: a is "), "{words}");
    wait::until("it is put to sleep", || stage.webhook.suspends().len() == 1).await;
    stage.until("a", BackendState::Sleeping).await;
    let (success, words) = sluice(&stage.gateway, &["resume", "adhoc"], None).await;
    assert!(success && words.starts_with("routing group adhoc: a is "), "{words}");
    stage.until("a", BackendState::Healthy).await;
    assert_eq!(stage.webhook.resumes().len(), 1);
    for verb in ["suspend", "resume"] {
        let (success, words) = sluice(&stage.gateway, &[verb, "none"], None).await;
        assert!(!success && words.contains("answered 404"), "{words}");
        assert!(words.contains("no routing group is called `none`"), "{words}");
    }
    stage.stop().await;
}

#[tokio::test]
async fn what_nothing_wakes_is_neither_suspended_nor_resumed() {
    let gateway = Gateway::start(&groups(&["http://127.0.0.1:1".to_owned()], "")).await;
    for verb in ["suspend", "resume"] {
        let (success, words) = sluice(&gateway, &[verb, "adhoc"], None).await;
        assert!(!success && words.contains("answered 409"), "{words}");
        assert!(words.contains("has a resume driver"), "{words}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn drain_deactivate_and_activate_mark_a_backend() {
    let coordinator = trino::trino().await;
    let gateway = Gateway::before(&[&coordinator]).await;
    let state = || gateway.shared.current.load().backends["a"].state;
    for (verb, word, becomes) in [
        ("deactivate", "inactive", BackendState::Inactive),
        ("activate", "active", BackendState::Healthy),
        ("drain", "draining", BackendState::Inactive),
        ("activate", "active", BackendState::Healthy),
    ] {
        let said = sluice(&gateway, &[verb, "a"], None).await;
        assert_eq!(said, (true, format!("backend a is {word}")));
        wait::until("its state", || state() == becomes).await;
    }
    let (success, words) = sluice(&gateway, &["drain", "none"], None).await;
    assert!(!success && words.contains("no backend is called `none`"), "{words}");
    gateway.stop().await;
}

#[tokio::test]
async fn a_drained_backend_takes_nothing_new_and_ends_what_it_has() {
    let coordinator = trino::trino().await;
    let gateway = Gateway::before(&[&coordinator]).await;
    let mut running = gateway.client().start("SELECT 1 /* sim: running=300ms */").await.unwrap();
    assert!(sluice(&gateway, &["drain", "a"], None).await.0);
    let refused = gateway.client().send(http::Method::POST, "/v1/statement", "SELECT 1").await;
    let refused = refused.unwrap();
    assert_eq!((refused.status.as_u16(), refused.header("x-gateway-reason")), (503, "draining"));
    while running.advance().await.unwrap() {}
    assert_eq!(running.done().error_name(), None);
    wait::until("it left", || {
        gateway.shared.current.load().backends["a"].state == BackendState::Inactive
    })
    .await;
    gateway.stop().await;
}

#[tokio::test]
async fn commands_bring_the_token() {
    let nobody = groups(&["http://127.0.0.1:1".to_owned()], "");
    let admin = "admin: { bind: \"127.0.0.1:0\", token: \"a secret\" }";
    let gateway = Gateway::start(&format!("{admin}\n{nobody}")).await;
    let (success, words) = sluice(&gateway, &["drain", "a"], None).await;
    assert!(!success && words.contains("answered 401"), "{words}");
    let (success, words) = sluice(&gateway, &["drain", "a"], Some("another")).await;
    assert!(!success && words.contains("answered 401") && !words.contains("another"), "{words}");
    assert!(sluice(&gateway, &["drain", "a"], Some("a secret")).await.0);
    gateway.stop().await;
}
