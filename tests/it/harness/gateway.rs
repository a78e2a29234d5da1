//! A gateway in this process: started from YAML on free ports, looked into, stopped; its end is checked for leaks.

use std::{
    path::PathBuf,
    sync::{Arc, LazyLock},
    time::Duration,
};

use sluice::{
    app::{self, Addresses},
    config::{self, Loaded},
    lifecycle::{Signal, Signals},
    proxy::Shared,
    simulator::Simulator,
    store::{Store, Terms},
    telemetry::logs::Logs,
};
use tokio::{sync::mpsc, task::JoinHandle};

use super::{client::Client, wait};

/// A running gateway.
pub(crate) struct Gateway {
    pub(crate) addresses: Addresses,
    /// Ledger, table, bindings, snapshot: for assertions only.
    pub(crate) shared: Arc<Shared>,
    signals: mpsc::UnboundedSender<Signal>,
    running: JoinHandle<()>,
    file: PathBuf,
    _folder: tempfile::TempDir,
}

/// Ports that the system chooses, quick probes, a short drain.
const SETTINGS: &str = r#"
metrics: { bind: "127.0.0.1:0" }
admin: { bind: "127.0.0.1:0" }
health: { bind: "127.0.0.1:0", interval: 100ms, timeout: 1s }
drain: { wait: 50ms, deadline: 5s }
"#;

/// The data listener that every test uses unless it says otherwise.
const DATA: &str = "data: { bind: \"127.0.0.1:0\", workers: 2 }\n";

impl Gateway {
    /// One group `adhoc` with these coordinators, named `a`, `b`, …; ready when all of them are healthy.
    pub(crate) async fn before(coordinators: &[&Simulator]) -> Self {
        let urls: Vec<String> = coordinators.iter().map(|each| each.url()).collect();
        Self::with_backends(&urls).await
    }

    /// The same for any URLs.
    pub(crate) async fn with_backends(urls: &[String]) -> Self {
        let gateway = Self::start(&groups(urls, "")).await;
        gateway.until_healthy(urls.len()).await;
        gateway
    }

    /// From the rest of a configuration: `routingGroups` and whatever the test is about. Keys given here replace the
    /// usual ones.
    pub(crate) async fn start(yaml: &str) -> Self {
        let (loaded, file, folder) = Self::load(yaml);
        let app = app::start(loaded, Some(file.clone()), Logs::detached()).await;
        Self::of(app.expect("the gateway starts"), file, folder)
    }

    /// The same before a store that other gateways have too.
    pub(crate) async fn sharing(yaml: &str, store: Arc<dyn Store>) -> Self {
        let (loaded, file, folder) = Self::load(yaml);
        let app =
            app::start_with(loaded, Some(file.clone()), Logs::detached(), store, Terms::FLEET);
        Self::of(app.await.expect("the gateway starts"), file, folder)
    }

    fn load(yaml: &str) -> (Loaded, PathBuf, tempfile::TempDir) {
        let text = complete(yaml);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("sluice.yaml");
        std::fs::write(&file, &text).expect("the configuration is written");
        let loaded = config::load(&file).unwrap_or_else(|problems| panic!("{problems}\n{text}"));
        (loaded, file, folder)
    }

    fn of(app: app::App, file: PathBuf, folder: tempfile::TempDir) -> Self {
        let (addresses, shared) = (app.addresses, Arc::clone(&app.shared));
        let (signals, heard) = Signals::channel();
        let running = tokio::spawn(app.run(heard));
        Self { addresses, shared, signals, running, file, _folder: folder }
    }

    /// Where Trino's clients connect.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addresses.data)
    }

    /// A strict client of it.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.url())
    }

    /// Waits until that many backends are healthy.
    pub(crate) async fn until_healthy(&self, backends: usize) {
        wait::until("healthy backends", || {
            let snapshot = self.shared.current.load();
            let healthy = |backend: &&Arc<sluice::snapshot::Backend>| {
                backend.state == sluice::snapshot::BackendState::Healthy
            };
            snapshot.backends.values().filter(healthy).count() == backends
        })
        .await;
    }

    /// Queries that count now.
    pub(crate) fn in_flight(&self) -> usize {
        self.shared.ledger.total()
    }

    /// Waits until no query counts.
    pub(crate) async fn until_idle(&self) {
        wait::until("an empty ledger", || self.in_flight() == 0).await;
    }

    /// One sample of `/metrics`, by its whole name with labels as Prometheus writes it; 0 where it is absent.
    pub(crate) async fn metric(&self, series: &str) -> f64 {
        let page = self.metrics().await;
        let line = page
            .lines()
            .find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')));
        line.and_then(|line| line.rsplit(' ').next())
            .map_or(0.0, |value| value.parse().expect("a number"))
    }

    /// The whole page of metrics.
    pub(crate) async fn metrics(&self) -> String {
        get(&format!("http://{}/metrics", self.addresses.metrics)).await.1
    }

    /// Status and body of a path of the health listener.
    pub(crate) async fn health(&self, path: &str) -> (u16, String) {
        get(&format!("http://{}{path}", self.addresses.health)).await
    }

    /// Status and body of a command at the admin listener.
    pub(crate) async fn command(&self, path: &str) -> (u16, String) {
        let url = format!("http://{}{path}", self.addresses.admin);
        let answer = CLIENT.post(url).send().await.expect("the admin listener answers");
        (answer.status().as_u16(), answer.text().await.expect("a body"))
    }

    /// Status and page of a question to the admin listener.
    pub(crate) async fn asked(&self, path: &str) -> (u16, serde_json::Value) {
        let (status, text) = get(&format!("http://{}{path}", self.addresses.admin)).await;
        (status, serde_json::from_str(&text).unwrap_or_else(|_| panic!("{path}: {text}")))
    }

    /// Writes the file anew and waits for nothing; the watcher or `command("/admin/reload")` takes it over.
    pub(crate) fn rewrite(&self, yaml: &str) {
        std::fs::write(&self.file, complete(yaml)).expect("the configuration is written");
    }

    /// As the system does.
    pub(crate) fn signal(&self, signal: Signal) {
        let _ = self.signals.send(signal);
    }

    /// As SIGTERM does.
    pub(crate) fn terminate(&self) {
        let _ = self.signals.send(Signal::Stop);
    }

    /// Waits for the end that `terminate` began.
    pub(crate) async fn ended(self) {
        tokio::time::timeout(Duration::from_secs(30), self.running)
            .await
            .expect("it ends in time")
            .expect("no panic");
    }

    /// Stops it and checks that nothing leaked: no query counts, no connection is open.
    pub(crate) async fn stop(self) {
        self.until_idle().await;
        self.terminate();
        let shared = Arc::clone(&self.shared);
        self.ended().await;
        assert_eq!(shared.ledger.total(), 0, "leases leaked");
        let snapshot = shared.current.load_full();
        for backend in snapshot.backends.values() {
            assert_eq!(backend.live.load.get(), 0, "load of {} leaked", backend.name);
        }
    }
}

/// `routingGroups` with one group `adhoc` of backends `a`, `b`, …; `more` stands in every backend, as `, uris: host`.
pub(crate) fn groups(urls: &[String], more: &str) -> String {
    let names = ('a'..='z').map(String::from);
    let backends: Vec<String> = names
        .zip(urls)
        .map(|(name, url)| format!("      - {{ name: {name}, url: \"{url}\"{more} }}\n"))
        .collect();
    format!("routingGroups:\n  - name: adhoc\n    backends:\n{}", backends.concat())
}

fn complete(yaml: &str) -> String {
    let has = |key: &str| yaml.lines().any(|line| line.starts_with(key));
    let usual = SETTINGS.lines().filter(|line| {
        line.split(':').next().is_none_or(|key| key.is_empty() || !has(&format!("{key}:")))
    });
    let data = if has("data:") { "" } else { DATA };
    format!("{data}{}\n{yaml}", usual.collect::<Vec<_>>().join("\n"))
}

/// Made once: its roots of trust take a while. It keeps no connection, since each test has a runtime of its own.
static CLIENT: LazyLock<reqwest::Client> = LazyLock::new(|| {
    let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0);
    client.build().expect("a client without connections")
});

async fn get(url: &str) -> (u16, String) {
    let answer = CLIENT.get(url).send().await.unwrap_or_else(|error| panic!("{url}: {error}"));
    (answer.status().as_u16(), answer.text().await.expect("a body"))
}
