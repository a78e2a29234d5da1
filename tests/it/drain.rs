//! SIGTERM: readiness off first, clients are asked to leave, nothing that is under way fails.

#![allow(non_snake_case, reason = "tests bear the ids of the facts")]

use std::{
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    task::JoinSet,
    time::Instant,
};

use crate::harness::{
    client::Client,
    gateway::{Gateway, groups},
    raw::Raw,
    trino, wait,
};

/// Clients that poll while the gateway goes.
const CLIENTS: usize = 200;

fn yaml(url: String, port: u16, drain: &str) -> String {
    let data = format!("data: {{ bind: \"127.0.0.1:{port}\", sharePort: true, workers: 2 }}\n");
    format!("{data}drain: {{ {drain} }}\n{}", groups(&[url], ""))
}

/// Runs queries one after another until told to stop; a single error fails the test.
fn poll_on(url: &str, stop: &Arc<AtomicBool>, done: &Arc<AtomicUsize>) -> JoinSet<()> {
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let (client, stop, done) = (Client::new(url), Arc::clone(stop), Arc::clone(done));
        clients.spawn(async move {
            let sql =
                "SELECT * FROM sim.rows(30) /* sim: pages=3 rows=10 pace=50ms running=100ms */";
            while !stop.load(Ordering::Relaxed) {
                let outcome = client.query(sql).await;
                let query = outcome.unwrap_or_else(|error| panic!("client {number}: {error}"));
                assert_eq!(query.error_name(), None);
                assert_eq!(query.rows.len(), 30);
                done.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    clients
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_X16_two_hundred_polling_clients_do_not_notice_that_another_process_takes_over() {
    let coordinator = trino::trino().await;
    let first = Gateway::start(&yaml(coordinator.url(), 0, "wait: 1500ms, deadline: 10s")).await;
    first.until_healthy(1).await;
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut clients = poll_on(&first.url(), &stop, &done);
    wait::until("every client is at work", || done.load(Ordering::Relaxed) > CLIENTS).await;
    let port = first.addresses.data.port();
    let second = Gateway::start(&yaml(coordinator.url(), port, "wait: 50ms, deadline: 5s")).await;
    second.until_healthy(1).await;
    first.terminate();
    first.ended().await;
    let then = done.load(Ordering::Relaxed);
    wait::until("they go on at the second", || done.load(Ordering::Relaxed) > then + CLIENTS).await;
    stop.store(true, Ordering::Relaxed);
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    second.stop().await;
}

#[tokio::test]
async fn obs_H2_readiness_goes_first_health_stays_and_open_polls_finish() {
    let coordinator = trino::trino().await;
    let urls = groups(&[coordinator.url()], "");
    let gateway = Gateway::start(&format!("drain: {{ wait: 4s, deadline: 10s }}\n{urls}")).await;
    gateway.until_healthy(1).await;
    wait::until_async("ready", async || gateway.health("/readyz").await.0 == 200).await;
    let mut running = gateway
        .client()
        .start("SELECT * FROM sim.rows(10) /* sim: running=1500ms */")
        .await
        .unwrap();
    let mut idle = Raw::to(gateway.addresses.data).await;
    idle.send("GET /v1/info HTTP/1.1\r\nhost: gw\r\n\r\n").await;
    assert_eq!(idle.answer().await.header("connection"), "");
    let polling = tokio::spawn(async move {
        let mut closes = Vec::new();
        while running.advance().await.unwrap() {
            closes.push(running.last().answer.header("connection").to_owned());
        }
        closes.push(running.last().answer.header("connection").to_owned());
        (running.done().rows.len(), closes)
    });
    let begun = Instant::now();
    gateway.terminate();
    wait::until_async("readiness is off", async || gateway.health("/readyz").await.0 == 503).await;
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(gateway.health("/healthz").await, (200, "ok".to_owned()));
    assert!(gateway.health("/readyz").await.1.contains("draining"));
    idle.send("GET /v1/info/state HTTP/1.1\r\nhost: gw\r\n\r\n").await;
    let told = idle.answer().await;
    assert_eq!((told.text().as_str(), told.header("connection")), ("\"SHUTTING_DOWN\"", "close"));
    assert!(idle.is_ended().await);
    let told = Raw::ask(gateway.addresses.data, "GET /v1/info HTTP/1.1\r\nhost: gw\r\n\r\n").await;
    assert_eq!((told.status(), told.header("connection")), (200, "close"), "it still accepts");
    let (rows, closes) = polling.await.unwrap();
    assert_eq!(rows, 10);
    assert_eq!(closes.last().map(String::as_str), Some("close"), "{closes:?}");
    gateway.ended().await;
}

#[tokio::test]
async fn a_long_poll_under_way_asks_its_client_to_leave_and_idle_connections_are_closed() {
    let coordinator = trino::trino().await;
    let gateway = Gateway::before(&[&coordinator]).await;
    let silent = Raw::to(gateway.addresses.data).await;
    let mut idle = Raw::to(gateway.addresses.data).await;
    idle.send("GET /v1/info HTTP/1.1\r\nhost: gw\r\n\r\n").await;
    assert_eq!(idle.answer().await.status(), 200);
    let mut running = gateway.client().start("SELECT 1 /* sim: running=1s */").await.unwrap();
    while running.next().unwrap().is_queued {
        running.advance().await.unwrap();
    }
    let polls = coordinator.counts().polls;
    let polling = tokio::spawn(async move {
        running.advance().await.unwrap();
        running
    });
    wait::until("the poll is with its coordinator", || coordinator.counts().polls > polls).await;
    gateway.terminate();
    let mut silent = silent;
    assert!(silent.is_ended().await && idle.is_ended().await, "closed before the deadline");
    let running = polling.await.unwrap();
    assert_eq!(running.last().answer.header("connection"), "close");
    let began = Instant::now();
    gateway.ended().await;
    assert!(began.elapsed() < Duration::from_secs(3), "nothing was left to wait for");
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    let coordinator = trino::trino().await;
    let urls = groups(&[coordinator.url()], "");
    let gateway = Gateway::start(&format!("drain: {{ wait: 5m, deadline: 5m }}\n{urls}")).await;
    gateway.until_healthy(1).await;
    let mut raw = Raw::to(gateway.addresses.data).await;
    raw.send(crate::harness::raw::post("", "SELECT 1 /* sim: ending=stall at=post */")).await;
    wait::until("an accepted statement", || gateway.in_flight() == 1).await;
    gateway.terminate();
    wait::until_async("it drains", async || gateway.health("/readyz").await.0 == 503).await;
    gateway.terminate();
    let shared = Arc::clone(&gateway.shared);
    gateway.ended().await;
    assert_eq!(shared.ledger.total(), 0, "what was cut does not count");
    assert_eq!(raw.answer().await.status(), 0);
}

/// The real program; killed when dropped.
pub(crate) struct Process {
    pub(crate) child: Child,
    pub(crate) data: std::net::SocketAddr,
    /// `data=… metrics=… health=… admin=…`, as it said when it started.
    listeners: String,
    pub(crate) lines: tokio::io::Lines<BufReader<tokio::process::ChildStdout>>,
    _folder: tempfile::TempDir,
}

impl Process {
    /// Starts it with this configuration and log level, and waits until it says that it is ready.
    pub(crate) async fn start(yaml: &str, level: &str) -> Self {
        Self::start_with(yaml, level, &[]).await
    }

    /// The same with these variables in its environment.
    pub(crate) async fn start_with(yaml: &str, level: &str, variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sluice.yaml");
        std::fs::write(&file, yaml).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_sluice"))
            .args(["serve", "--config"])
            .arg(&file)
            .env("RUST_LOG", level)
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let listeners = loop {
            let line = lines.next_line().await.unwrap().expect("it starts");
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            if line["event"] == "gateway_started" {
                break line["listeners"].as_str().expect("its addresses").to_owned();
            }
        };
        let data = address(&listeners, "data").expect("its data port");
        Self { child, data, listeners, lines, _folder: folder }
    }

    /// Where one of its listeners is, if it has it.
    pub(crate) fn address(&self, listener: &str) -> Option<std::net::SocketAddr> {
        address(&self.listeners, listener)
    }

    /// The URL of another listener, by the name of its key.
    pub(crate) fn url(&self, listener: &str) -> String {
        format!("http://{}", self.address(listener).expect("its address"))
    }

    /// Ends it and gives all it has said since.
    pub(crate) async fn log(mut self) -> Vec<String> {
        self.signal("-TERM").await;
        let mut log = Vec::new();
        while let Some(line) = self.lines.next_line().await.unwrap() {
            log.push(line);
        }
        log
    }

    pub(crate) async fn signal(&self, name: &str) {
        let id = self.child.id().expect("it runs").to_string();
        let sent = Command::new("kill").args([name, &id]).status().await.unwrap();
        assert!(sent.success());
    }
}

fn address(listeners: &str, name: &str) -> Option<std::net::SocketAddr> {
    let mut each = listeners.split(' ').filter_map(|each| each.split_once('='));
    each.find(|(known, _)| *known == name).and_then(|(_, address)| address.parse().ok())
}

/// A configuration of the real program with free ports.
pub(crate) fn process_yaml(url: &str, drain: &str) -> String {
    format!(
        "data: {{ bind: \"127.0.0.1:0\", workers: 2 }}\nmetrics: {{ bind: \"127.0.0.1:0\" }}\n\
         admin: {{ bind: \"127.0.0.1:0\" }}\nhealth: {{ bind: \"127.0.0.1:0\", interval: 100ms }}\n\
         drain: {{ {drain} }}\n{}",
        groups(&[url.to_owned()], "")
    )
}

#[tokio::test]
async fn the_program_ends_in_order_at_sigterm_and_says_so() {
    let coordinator = trino::trino().await;
    let mut process =
        Process::start(&process_yaml(&coordinator.url(), "wait: 200ms, deadline: 10s"), "info")
            .await;
    let client = Client::new(format!("http://{}", process.data));
    let query = tokio::spawn(async move {
        client
            .query("SELECT * FROM sim.rows(20) /* sim: pages=2 rows=10 running=0 pace=10ms */")
            .await
    });
    assert_eq!(query.await.unwrap().unwrap().rows.len(), 20);
    process.signal("-TERM").await;
    let status = tokio::time::timeout(Duration::from_secs(15), process.child.wait()).await;
    assert!(status.expect("it ends").unwrap().success());
    let mut events = Vec::new();
    while let Some(line) = process.lines.next_line().await.unwrap() {
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        events.extend(line["event"].as_str().map(str::to_owned));
    }
    let position = |name: &str| events.iter().position(|event| event == name);
    assert!(position("gateway_draining").is_some(), "{events:?}");
    assert!(position("gateway_draining") < position("gateway_stopped"), "{events:?}");
}
