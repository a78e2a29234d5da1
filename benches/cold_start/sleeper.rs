//! Coordinators that start on demand, and the webhook that is asked to start them; both note when things happened.

use std::{collections::HashMap, net::SocketAddr, sync::Mutex};

use axum::{Json, Router, extract::State, routing};
use serde_json::{Value, json};
use sluice::admin::listener::{Limits, serve};
use tokio::{net::TcpListener, sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

/// The webhook of all groups.
#[derive(Clone, Debug)]
pub(crate) struct Hook {
    pub(crate) address: SocketAddr,
    calls: watch::Sender<HashMap<String, Vec<Instant>>>,
}

impl Hook {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let hook =
            Self { address: listener.local_addr().unwrap(), calls: watch::Sender::default() };
        let router = Router::new().route("/resume", routing::post(take)).with_state(hook.clone());
        tokio::spawn(serve(listener, router, Limits::default(), CancellationToken::new()));
        hook
    }

    /// When a group's first call came.
    pub(crate) async fn called(&self, group: &str) -> Instant {
        let mut calls = self.calls.subscribe();
        let calls = calls.wait_for(|calls| calls.contains_key(group)).await.unwrap();
        calls[group][0]
    }

    /// How many calls came for a group.
    pub(crate) fn calls(&self, group: &str) -> usize {
        self.calls.borrow().get(group).map_or(0, Vec::len)
    }
}

async fn take(State(hook): State<Hook>, Json(call): Json<Value>) -> Json<Value> {
    let now = Instant::now();
    let group = call["group"].as_str().unwrap_or_default().to_owned();
    hook.calls.send_modify(|calls| calls.entry(group).or_default().push(now));
    Json(json!({}))
}

/// A coordinator that says `starting: true` until it is told to be ready.
#[derive(Clone, Debug)]
pub(crate) struct Sleeper {
    pub(crate) address: SocketAddr,
    seen: watch::Sender<Seen>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    ready: bool,
    probes: u32,
    told: Option<Instant>,
    statement: Option<Instant>,
}

/// So many of them.
pub(crate) async fn all(number: usize) -> Vec<Sleeper> {
    let mut all = Vec::new();
    for _ in 0..number {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sleeper =
            Sleeper { address: listener.local_addr().unwrap(), seen: watch::Sender::default() };
        let router = Router::new()
            .route("/v1/info", routing::get(info))
            .route("/v1/statement", routing::post(statement))
            .with_state(sleeper.clone());
        tokio::spawn(serve(listener, router, Limits::default(), CancellationToken::new()));
        all.push(sleeper);
    }
    all
}

impl Sleeper {
    /// Waits until its probes have come again.
    pub(crate) async fn probed_twice(&self) {
        let mut seen = self.seen.subscribe();
        let before = seen.borrow_and_update().probes;
        seen.wait_for(|seen| seen.probes >= before + 2).await.unwrap();
    }

    /// It is ready from now on.
    pub(crate) fn wake(&self) -> Instant {
        self.seen.send_modify(|seen| seen.ready = true);
        Instant::now()
    }

    /// When its statement came.
    pub(crate) async fn arrived(&self) -> Instant {
        let mut seen = self.seen.subscribe();
        seen.wait_for(|seen| seen.statement.is_some()).await.unwrap().statement.unwrap()
    }

    /// When a probe first heard that it is ready.
    pub(crate) fn told(&self) -> Instant {
        self.seen.borrow().told.unwrap()
    }
}

async fn info(State(sleeper): State<Sleeper>) -> Json<Value> {
    let ready = sleeper.seen.borrow().ready;
    sleeper.seen.send_modify(|seen| {
        seen.probes += 1;
        if ready {
            seen.told.get_or_insert_with(Instant::now);
        }
    });
    Json(json!({
        "nodeVersion": { "version": "483" }, "environment": "bench", "coordinator": true,
        "starting": !ready, "uptime": "1.00m",
    }))
}

async fn statement(State(sleeper): State<Sleeper>) -> Json<Value> {
    static NUMBER: Mutex<u32> = Mutex::new(0);
    sleeper.seen.send_modify(|seen| seen.statement = Some(Instant::now()));
    let number = {
        let mut number = NUMBER.lock().unwrap();
        *number += 1;
        *number
    };
    let id = format!("20261101_101500_{number:05}_bench");
    let base = format!("http://{}", sleeper.address);
    Json(json!({
        "id": id, "infoUri": format!("{base}/ui/query.html?{id}"), "stats": { "state": "FINISHED" }, "warnings": [],
    }))
}

/// Nothing listens there: the discard port of an address of this machine that nobody else uses.
pub(crate) fn nowhere(number: usize) -> String {
    format!("127.1.{}.{}:9", number / 250, number % 250 + 1)
}
