//! Another configuration while everything runs: taken over whole, or refused whole and told.

#![allow(non_snake_case, reason = "tests bear the ids of the facts")]

use std::os::unix::fs::symlink;

use sluice::{app, config, lifecycle::Signals, telemetry::logs::Logs};

use crate::harness::{
    gateway::{Gateway, groups},
    trino, wait,
};

fn two_groups(url: &str, other: &str) -> String {
    let more = format!("  - name: etl\n    backends:\n      - {{ name: e, url: \"{other}\" }}\n");
    format!("defaultRoutingGroup: adhoc\n{}{more}", groups(&[url.to_owned()], ""))
}

async fn status(gateway: &Gateway) -> serde_json::Value {
    serde_json::from_str(&gateway.health("/api/v1/status").await.1).unwrap()
}

async fn until_groups(gateway: &Gateway, count: f64) {
    wait::until_async("that many groups", async || {
        gateway.metric("gateway_routing_groups").await == count
    })
    .await;
}

#[tokio::test]
async fn a_changed_file_is_taken_over_and_a_new_group_begins_at_zero() {
    let (one, two) = (trino::trino().await, trino::trino().await);
    let gateway = Gateway::before(&[&one]).await;
    gateway.rewrite(&two_groups(&one.url(), &two.url()));
    until_groups(&gateway, 2.0).await;
    let page = gateway.metrics().await;
    for series in [
        "gateway_requests_total{routing_group=\"etl\",status_code=\"200\"} 0",
        "gateway_503_total{routing_group=\"etl\"} 0",
        "gateway_config_reloads_total{result=\"success\"} 1",
    ] {
        assert!(page.contains(series), "{series}");
    }
    assert!(
        page.contains("xtrinode_gateway_inflight_queries{")
            && page.contains("routing_group=\"etl\",state=\"RUNNING\"")
    );
    gateway.until_healthy(2).await;
    let client = gateway.client().with("x-trino-routing-group", "etl");
    assert_eq!(client.rows("SELECT 1").await.len(), 1);
    assert_eq!(two.counts().statements, 1);
    gateway.stop().await;
}

#[tokio::test]
async fn obs_M20_a_bad_file_leaves_the_old_one_running_and_says_so() {
    let one = trino::trino().await;
    let gateway = Gateway::before(&[&one]).await;
    let hash = status(&gateway).await["config"]["hash"].clone();
    gateway.rewrite("routingGroups: []\nnonsense: 1\n");
    let (code, words) = gateway.command("/admin/reload").await;
    assert!((400..500).contains(&code), "{code}: {words}");
    assert!(words.contains("nonsense"), "{words}");
    let config = status(&gateway).await["config"].clone();
    assert_eq!(config["hash"], hash);
    assert!(config["lastError"].as_str().unwrap().contains("nonsense"), "{config}");
    assert_eq!(gateway.metric("gateway_config_last_reload_successful").await, 0.0);
    assert!(gateway.metric("gateway_config_reloads_total{result=\"error\"}").await >= 1.0);
    assert_eq!(gateway.health("/readyz").await.0, 200, "a bad reload takes nobody out of service");
    assert_eq!(gateway.client().rows("SELECT 1").await.len(), 1);
    gateway.rewrite(&groups(&[one.url()], ", weight: 2"));
    let (code, words) = gateway.command("/admin/reload").await;
    assert_eq!(code, 200, "{words}");
    assert!(status(&gateway).await["config"]["lastError"].is_null());
    assert_eq!(gateway.metric("gateway_config_last_reload_successful").await, 1.0);
    gateway.stop().await;
}

#[tokio::test]
async fn what_needs_a_restart_is_refused_by_name() {
    let one = trino::trino().await;
    let gateway = Gateway::before(&[&one]).await;
    let groups = groups(&[one.url()], "");
    for (yaml, key) in [
        (format!("data: {{ bind: \"127.0.0.1:0\", workers: 3 }}\n{groups}"), "data.workers"),
        (
            format!("data: {{ bind: \"127.0.0.1:0\", workers: 2, maxConnections: 9 }}\n{groups}"),
            "data.maxConnections",
        ),
        (format!("upstream: {{ connectTimeout: 1s }}\n{groups}"), "upstream.connectTimeout"),
    ] {
        gateway.rewrite(&yaml);
        let (code, words) = gateway.command("/admin/reload").await;
        assert!((400..500).contains(&code), "{code}: {words}");
        assert!(words.contains("restart") && words.contains(key), "{words}");
    }
    assert_eq!(gateway.client().rows("SELECT 1").await.len(), 1);
    gateway.stop().await;
}

#[tokio::test]
async fn an_external_url_follows_a_reload() {
    let one = trino::trino().await;
    let gateway = Gateway::before(&[&one]).await;
    let data =
        "data: { bind: \"127.0.0.1:0\", workers: 2, externalUrl: \"http://sql.example.com\" }\n";
    gateway.rewrite(&format!("{data}{}", groups(&[one.url()], "")));
    assert_eq!(gateway.command("/admin/reload").await.0, 200);
    let client =
        crate::harness::client::Client::new("http://sql.example.com").via(gateway.addresses.data);
    assert_eq!(client.rows("SELECT 1").await.len(), 1);
    gateway.stop().await;
}

#[tokio::test]
async fn a_removed_backend_serves_the_queries_it_has() {
    let (one, two) = (trino::trino().await, trino::trino().await);
    let gateway = Gateway::before(&[&one]).await;
    let mut running =
        gateway.client().start("SELECT * FROM sim.rows(10) /* sim: queued=2 */").await.unwrap();
    let text = groups(&[two.url()], "").replace("name: a,", "name: z,");
    gateway.rewrite(&text);
    assert_eq!(gateway.command("/admin/reload").await.0, 200);
    while running.advance().await.unwrap() {}
    assert_eq!(running.done().rows.len(), 10);
    gateway.until_healthy(1).await;
    assert_eq!(gateway.client().rows("SELECT 1").await.len(), 1);
    assert_eq!((one.counts().statements, two.counts().statements), (1, 1));
    gateway.stop().await;
}

#[tokio::test]
async fn the_swap_of_a_config_map_and_a_hangup_are_seen() {
    let (one, two) = (trino::trino().await, trino::trino().await);
    let folder = tempfile::tempdir().unwrap();
    let any = "{ bind: \"127.0.0.1:0\" }";
    let head = format!(
        "data: {any}\nmetrics: {any}\nhealth: {any}\nadmin: {any}\ndrain: {{ wait: 10ms }}\n"
    );
    for (name, text) in
        [("..one", groups(&[one.url()], "")), ("..two", two_groups(&one.url(), &two.url()))]
    {
        std::fs::create_dir(folder.path().join(name)).unwrap();
        let file = folder.path().join(name).join("sluice.yaml");
        std::fs::write(file, format!("{head}{text}")).unwrap();
    }
    symlink("..one", folder.path().join("..data")).unwrap();
    let file = folder.path().join("sluice.yaml");
    symlink("..data/sluice.yaml", &file).unwrap();
    let app = app::start(config::load(&file).unwrap(), Some(file), Logs::detached()).await.unwrap();
    let shared = std::sync::Arc::clone(&app.shared);
    let (signals, heard) = Signals::channel();
    let running = tokio::spawn(app.run(heard));
    let count = || shared.current.load().groups.len();
    assert_eq!(count(), 1);
    for (target, groups) in [("..two", 2), ("..one", 1)] {
        symlink(target, folder.path().join("..new")).unwrap();
        std::fs::rename(folder.path().join("..new"), folder.path().join("..data")).unwrap();
        if target == "..one" {
            signals.send(sluice::lifecycle::Signal::Reload).unwrap();
        }
        wait::until("the other configuration", || count() == groups).await;
    }
    signals.send(sluice::lifecycle::Signal::Stop).unwrap();
    running.await.unwrap();
}
