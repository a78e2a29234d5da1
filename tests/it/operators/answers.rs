//! `/healthz`, `/readyz`, `/api/v1/status` and `/v1/info` of a whole gateway, word by word.

use std::time::Duration;

use serde_json::{Value, json};
use sluice::snapshot::BackendState;
use tokio::time::Instant;

use super::HELD;
use crate::harness::{
    gateway::{Gateway, groups},
    raw::Raw,
    sleeper::Sleeper,
    stage::Plan,
    trino, wait,
    webhook::Manner,
};

/// Connections that the data port takes in the test that fills it.
const PLACES: usize = 8;

/// What `/healthz` may take at most.
const SOON: Duration = Duration::from_millis(100);

async fn page(gateway: &Gateway, path: &str) -> Value {
    let (status, text) = gateway.health(path).await;
    assert_eq!(status, 200, "{path}: {text}");
    serde_json::from_str(&text).unwrap()
}

/// The quickest of some answers: the machine may be busy, the gateway may not.
async fn quickest_health(gateway: &Gateway) -> Duration {
    let mut quickest = Duration::MAX;
    for _ in 0..10 {
        let begun = Instant::now();
        assert_eq!(gateway.health("/healthz").await, (200, "ok".to_owned()));
        quickest = quickest.min(begun.elapsed());
    }
    quickest
}

#[tokio::test]
async fn obs_H1_life_is_told_with_the_data_port_saturated_and_while_draining() {
    let data = format!("data: {{ bind: \"127.0.0.1:0\", workers: 1, maxConnections: {PLACES} }}");
    let drain = "drain: { wait: 20s, deadline: 1s }";
    let nobody = groups(&["http://127.0.0.1:1".to_owned()], "");
    let gateway = Gateway::start(&format!("{data}\n{drain}\n{nobody}")).await;
    let mut taken = Vec::new();
    for _ in 0..PLACES {
        let mut raw = Raw::to(gateway.addresses.data).await;
        raw.send("GET /v1/info HTTP/1.1\r\nhost: gw\r\n\r\n").await;
        assert_eq!(raw.answer().await.status(), 200);
        taken.push(raw);
    }
    let mut late = Raw::to(gateway.addresses.data).await;
    late.send("GET /v1/info HTTP/1.1\r\nhost: gw\r\n\r\n").await;
    assert!(quickest_health(&gateway).await < SOON, "saturated");
    let unanswered = tokio::time::timeout(Duration::from_millis(50), late.begins(1)).await;
    assert!(unanswered.is_err(), "there was a place left on the data port");
    gateway.terminate();
    wait::until_async("it drains", async || gateway.health("/readyz").await.0 == 503).await;
    assert!(quickest_health(&gateway).await < SOON, "draining");
    gateway.terminate();
    gateway.ended().await;
}

#[tokio::test]
async fn obs_H2_the_gateway_is_ready_with_all_backends_down() {
    let coordinator = trino::trino().await;
    let gateway = Gateway::before(&[&coordinator]).await;
    drop(coordinator);
    wait::until_async("it is down", async || {
        page(&gateway, "/api/v1/routing-groups/adhoc").await["state"] == "ERROR"
    })
    .await;
    let ready = page(&gateway, "/readyz").await;
    assert_eq!(ready["status"], "healthy");
    let checks: Vec<&String> = ready["checks"].as_object().unwrap().keys().collect();
    assert_eq!(checks.len(), 5, "{checks:?}");
    gateway.stop().await;
}

#[tokio::test]
async fn obs_H3_the_status_page_has_the_documented_shape() {
    let coordinator = trino::trino().await;
    let gateway = Gateway::before(&[&coordinator]).await;
    let page = page(&gateway, "/api/v1/status").await;
    assert_eq!(keys(&page), ["config", "node", "routingGroups", "status", "workers"]);
    assert_eq!(page["status"], "ACTIVE");
    let node = ["instance", "role", "trinoVersion", "uptimeSeconds", "version"];
    assert_eq!(keys(&page["node"]), node);
    assert_eq!(
        (&page["node"]["role"], &page["node"]["trinoVersion"]),
        (&json!("gateway"), &json!("483"))
    );
    let url = coordinator.url();
    assert_eq!(page["workers"], json!({ "total": 1, "healthy": 1, "healthyUrls": [url] }));
    assert_eq!(keys(&page["config"]), ["hash", "lastError", "loadedAt"]);
    let group = &page["routingGroups"][0];
    let all = ["backends", "inflight", "name", "namespace", "resume", "state", "xtrinode"];
    assert_eq!(keys(group), all);
    assert_eq!(group["state"], "RUNNING");
    let resume =
        json!({ "inProgress": false, "waiters": 0, "lastOutcome": null, "lastSuccess": null });
    assert_eq!(group["resume"], resume);
    let backend = &group["backends"][0];
    assert_eq!(keys(backend), ["circuit", "kind", "lastCheck", "name", "state", "url"]);
    assert_eq!((&backend["state"], &backend["kind"]), (&json!("healthy"), &json!("trino")));
    let checked = backend["lastCheck"].as_str().unwrap().to_owned();
    wait::until_async("the time of the last check moves on", async || {
        let again = self::page(&gateway, "/api/v1/routing-groups/adhoc").await;
        again["backends"][0]["lastCheck"].as_str().unwrap() > checked.as_str()
    })
    .await;
    gateway.stop().await;
}

fn keys(object: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

#[tokio::test]
async fn obs_H3_the_states_of_a_query_stand_in_the_order_of_its_life() {
    let gateway = Gateway::start(&groups(&["http://127.0.0.1:1".to_owned()], "")).await;
    let (_, text) = gateway.health("/api/v1/routing-groups/adhoc").await;
    let at = |state: &str| text.find(&format!("\"{state}\":")).unwrap();
    let order = ["RESUMING", "QUEUED", "DISPATCHING", "PLANNING", "RUNNING", "FINISHING"];
    assert!(order.windows(2).all(|two| at(two[0]) < at(two[1])), "{text}");
    gateway.stop().await;
}

#[tokio::test]
async fn obs_H3_a_group_is_told_asleep_resuming_awake_draining_and_inactive() {
    let sleeper = Sleeper::slow();
    let stage = Plan { cold_start: HELD, ..Plan::default() }.with(&[&sleeper]).await;
    assert_eq!(stage.status().await["state"], "PAUSED");
    stage.webhook.will(Manner::Obey);
    let held = stage.held(&stage.client(), "SELECT 1").await;
    stage.until("a", BackendState::Resuming).await;
    let page = stage.status().await;
    assert_eq!((&page["state"], &page["inflight"]["RESUMING"]), (&json!("RESUMING"), &json!(1)));
    assert_eq!(
        (&page["resume"]["inProgress"], &page["resume"]["waiters"]),
        (&json!(true), &json!(1))
    );
    wait::until_async("it was woken", async || sleeper.is_awake().await).await;
    sleeper.ready();
    assert_eq!(held.rows().await.len(), 1);
    let page = stage.status().await;
    assert_eq!((&page["state"], &page["resume"]["inProgress"]), (&json!("RUNNING"), &json!(false)));
    assert_eq!(page["resume"]["lastOutcome"], "success");
    assert!(page["resume"]["lastSuccess"].is_string());
    for (command, state) in
        [("deactivate", "PAUSED"), ("activate", "RUNNING"), ("drain", "DRAINING")]
    {
        let path = format!("/admin/backends/a/{command}");
        assert_eq!(stage.gateway.command(&path).await.0, 200);
        assert_eq!(stage.status().await["state"], state, "{command}");
    }
    stage.until("a", BackendState::Inactive).await;
    assert_eq!(stage.status().await["state"], "PAUSED", "drained");
    stage.stop().await;
}

#[tokio::test]
async fn obs_H4_the_gateways_own_version_is_told_where_it_may_be() {
    let nobody = groups(&["http://127.0.0.1:1".to_owned()], "");
    for (settings, told) in [("", false), ("info: { exposeVersion: true }\n", true)] {
        let gateway = Gateway::start(&format!("{settings}{nobody}")).await;
        let info = gateway.client().get("/v1/info").await.unwrap().json().unwrap();
        let version = info.get("gatewayVersion").and_then(Value::as_str);
        assert_eq!(version, told.then_some(env!("CARGO_PKG_VERSION")), "{info}");
        assert_eq!(info["nodeVersion"]["version"], "483");
        gateway.stop().await;
    }
}
