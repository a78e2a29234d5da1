//! The metrics, health and admin listeners over real sockets, and the commands that use them.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::{fs, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use reqwest::{Client, Method, Response, StatusCode, header};
use serde_json::{Value, json};
use sluice::{
    admin::{self, ConfigStatus, Operated, Reload, Seen, client, listener::Limits},
    backends,
    config::model::Config,
    events::Events,
    lifecycle::{Check, Lifecycle, Part, Signal, Signals, Timing},
    metrics::{BackendGauge, GroupGauge, InFlight, Living, Metrics, Runtimes, Scrape, Wanted},
    queries::{Ledger, ReplicaMark, Rooms},
    snapshot::Demand,
    store::{Memory, SharedStore, Terms},
    telemetry::logs::Logs,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::Handle,
    sync::mpsc,
    time::Instant,
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

const TOKEN: &str = "a secret";

/// The three listeners of one gateway, without a data plane.
struct Gateway {
    metrics: String,
    health: String,
    admin: String,
    lifecycle: Lifecycle,
    config: ConfigStatus,
    reloads: mpsc::Receiver<Reload>,
    parts: Vec<Part>,
    client: Client,
    _stop: DropGuard,
}

/// One query that runs in the only group.
struct OneQuery(Lifecycle);

impl Living for OneQuery {
    fn in_flight(&self) -> Vec<InFlight> {
        let of = |state, count| InFlight {
            group: "team-a--analytics".into(),
            namespace: "team-a".into(),
            xtrinode: "analytics".into(),
            state,
            count,
        };
        vec![of("QUEUED", 0), of("RUNNING", 1)]
    }

    fn backends(&self) -> Vec<BackendGauge> {
        Vec::new()
    }

    fn groups(&self) -> Vec<GroupGauge> {
        Vec::new()
    }

    fn demand(&self, _: &str) -> Option<Wanted> {
        None
    }

    fn tracked_queries(&self) -> u64 {
        1
    }

    fn active_sessions(&self) -> u64 {
        0
    }

    fn runtimes(&self) -> Runtimes {
        Runtimes::default()
    }

    fn ready(&self) -> bool {
        self.0.is_ready()
    }
}

fn config(token: Option<&str>) -> Arc<Config> {
    let backend = json!({ "name": "trino-a", "url": "http://127.0.0.1:1" });
    let file = json!({
        "routingGroups": [{ "name": "team-a--analytics", "backends": [backend] }],
        "admin": { "token": token },
    });
    Arc::new(serde_json::from_value(file).unwrap())
}

async fn start(token: Option<&str>) -> Gateway {
    let stop = CancellationToken::new();
    let metrics = Metrics::new().unwrap();
    let lifecycle = Lifecycle::new();
    let parts = [(Check::Config, "file"), (Check::Listeners, "data"), (Check::Store, "memory")];
    let parts = parts.map(|(check, name)| lifecycle.part(check, name));
    let events = Events::new(Arc::clone(&metrics));
    let tracker = TaskTracker::new();
    let ledger = Arc::<Ledger>::default();
    let store = Arc::<Memory>::default();
    let tasks = (&tracker, stop.child_token());
    let store = SharedStore::start(store, Terms::OWN, &metrics, None, tasks);
    let (current, control) = backends::start(
        config(token),
        "sha256:one",
        Arc::clone(&metrics),
        events.clone(),
        Arc::clone(&ledger) as Arc<dyn Demand>,
        &store,
        (stop.child_token(), &tracker),
    )
    .unwrap();
    let status = ConfigStatus::new(Arc::clone(&metrics), events.clone(), "sha256:one".into());
    let (reload, reloads) = mpsc::channel(1);
    let living: Arc<dyn Living> = Arc::new(OneQuery(lifecycle.clone()));
    let seen = Seen {
        scrape: Scrape::new(Arc::clone(&metrics), Arc::clone(&living), Handle::current()),
        metrics: Arc::clone(&metrics),
        living,
        lifecycle: lifecycle.clone(),
        current: current.clone(),
        config: status.clone(),
        started: Instant::now(),
        instance: "gw-0".into(),
    };
    let rooms = Rooms::new(current.clone(), ledger, ReplicaMark::draw());
    let (table, logs) = (Arc::default(), Logs::detached());
    let operated = Operated {
        metrics,
        current,
        control,
        logs,
        table,
        rooms,
        chronicle: Arc::default(),
        events,
        reload,
    };
    Gateway {
        metrics: serve(admin::metrics(seen.clone()), &stop).await,
        health: serve(admin::health(seen), &stop).await,
        admin: serve(admin::commands(operated), &stop).await,
        lifecycle,
        config: status,
        reloads,
        parts: parts.into(),
        client: Client::builder().no_proxy().build().unwrap(),
        _stop: stop.drop_guard(),
    }
}

async fn serve(router: axum::Router, stop: &CancellationToken) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(admin::listener::serve(listener, router, Limits::default(), stop.child_token()));
    format!("http://{address}")
}

impl Gateway {
    fn ready(&self) {
        self.parts.iter().for_each(Part::ready);
    }

    async fn health(&self, path: &str) -> (u16, String) {
        let response = self.client.get(format!("{}{path}", self.health)).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    async fn status(&self) -> Value {
        serde_json::from_str(&self.health("/api/v1/status").await.1).unwrap()
    }

    async fn command(&self, path: &str, body: &str) -> (u16, Value) {
        let request = self.client.post(format!("{}{path}", self.admin)).body(body.to_owned());
        answer(request.send().await.unwrap()).await
    }

    async fn metric(&self, series: &str) -> f64 {
        let page = self.client.get(format!("{}/metrics", self.metrics)).send().await.unwrap();
        let page = page.text().await.unwrap();
        let line = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {series} in\n{page}")).parse().unwrap()
    }
}

async fn answer(response: Response) -> (u16, Value) {
    (response.status().as_u16(), response.json().await.unwrap())
}

fn operations(operation: &str, status: &str) -> String {
    format!("gateway_admin_operations_total{{operation=\"{operation}\",status=\"{status}\"}}")
}

#[test]
fn the_api_is_that_of_the_golden_file() {
    let rows = admin::ROUTES.iter().map(|route| {
        let answers: Vec<String> = route.answers.iter().map(u16::to_string).collect();
        let (listener, who) = (route.listener, route.who);
        format!("{listener} {who} {} {} {}\n", route.method, route.path, answers.join(" "))
    });
    let now: String = rows.collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/admin-api.txt");
    if std::env::var_os("SLUICE_BLESS").is_some() {
        fs::write(&path, &now).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(now, golden, "the API changed; if that is meant, run the test with SLUICE_BLESS=1");
}

#[tokio::test]
async fn obs_h1_h2_life_and_readiness_in_every_phase() {
    let gateway = start(None).await;
    assert_eq!(gateway.health("/healthz").await, (200, "ok".to_owned()));
    assert_eq!(gateway.health("/readyz").await, (503, "not ready".to_owned()));
    assert_eq!(gateway.status().await["status"], "STARTING");
    assert_eq!(gateway.metric("gateway_ready").await, 0.0);

    gateway.ready();
    let healthy = r#"{"status":"healthy","checks":{"config":"ok","listeners":"ok","store":"ok","audit":"ok","discovery":"ok"}}"#;
    assert_eq!(gateway.health("/readyz").await, (200, healthy.to_owned()), "no backend lives");
    assert_eq!(gateway.metric("gateway_ready").await, 1.0);

    gateway.parts[2].failed("unreachable");
    let (status, page) = gateway.health("/readyz").await;
    assert_eq!(status, 200, "losing a dependency takes no replica out of service");
    assert!(
        page.starts_with(r#"{"status":"degraded""#) && page.contains(r#""store":"unreachable""#)
    );

    let (signals, heard) = Signals::channel();
    signals.send(Signal::Stop).unwrap();
    let timing = Timing { wait: Duration::from_secs(60), deadline: Duration::from_secs(60) };
    let leaving = gateway.lifecycle.clone();
    tokio::spawn(async move {
        leaving.run(heard, || {}, || timing, std::future::pending()).await;
    });
    gateway.lifecycle.reached(sluice::lifecycle::Phase::Draining).await;
    let (status, page) = gateway.health("/readyz").await;
    assert_eq!(status, 503);
    assert!(page.starts_with(r#"{"status":"unhealthy""#) && page.contains(r#""drain":"draining""#));
    assert_eq!(gateway.health("/healthz").await, (200, "ok".to_owned()));
    assert_eq!(gateway.status().await["status"], "SHUTTING_DOWN");
}

#[tokio::test]
async fn obs_h3_the_status_page_tells_the_fleet() {
    let gateway = start(None).await;
    gateway.ready();
    let page = gateway.status().await;
    assert_eq!(page["status"], "ACTIVE");
    assert_eq!(page["node"]["role"], "gateway");
    assert_eq!(page["node"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(page["node"]["trinoVersion"], "483");
    assert_eq!(page["node"]["instance"], "gw-0");
    assert_eq!(page["workers"]["total"], 1);
    assert_eq!(page["config"]["hash"], "sha256:one");
    assert_eq!(page["config"]["lastError"], Value::Null);
    let group = &page["routingGroups"][0];
    assert_eq!(group["name"], "team-a--analytics");
    assert_eq!((&group["namespace"], &group["xtrinode"]), (&json!("team-a"), &json!("analytics")));
    assert_eq!(group["inflight"], json!({ "QUEUED": 0, "RUNNING": 1 }));
    assert_eq!(group["backends"][0]["url"], "http://127.0.0.1:1");
    assert_eq!(group["backends"][0]["circuit"], "closed");

    let (status, same) = gateway.health("/api/v1/routing-groups/team-a--analytics").await;
    assert_eq!(status, 200);
    let same: Value = serde_json::from_str(&same).unwrap();
    assert_eq!(same["name"], group["name"]);
    let (status, words) = gateway.health("/api/v1/routing-groups/none").await;
    assert_eq!((status, words.as_str()), (404, r#"{"error":"no routing group `none`"}"#));
    let (_, all) = gateway.health("/api/v1/routing-groups").await;
    assert_eq!(serde_json::from_str::<Value>(&all).unwrap().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_page_of_metrics_says_its_format_and_what_runs() {
    let gateway = start(None).await;
    let page = gateway.client.get(format!("{}/metrics", gateway.metrics)).send().await.unwrap();
    let kind = page.headers()[header::CONTENT_TYPE].to_str().unwrap();
    assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
    let page = page.text().await.unwrap();
    assert!(page.contains(&format!("version=\"{}\"", env!("CARGO_PKG_VERSION"))));
    assert!(page.contains(r#"gateway_503_total{routing_group="unknown"} 0"#));
    assert_eq!(gateway.metric("gateway_up").await, 1.0);
}

#[tokio::test]
async fn backends_are_marked_and_the_page_shows_it_at_once() {
    let gateway = start(None).await;
    for (command, mark, state) in
        [("deactivate", "inactive", "PAUSED"), ("activate", "active", "ERROR")]
    {
        let path = format!("/admin/backends/trino-a/{command}");
        let (status, page) = gateway.command(&path, "").await;
        assert_eq!((status, &page["mark"]), (200, &json!(mark)), "{page}");
        assert_eq!(gateway.status().await["routingGroups"][0]["state"], state);
        assert_eq!(gateway.metric(&operations(command, "success")).await, 1.0);
    }
    let (status, page) = gateway.command("/admin/backends/none/drain", "").await;
    assert_eq!(status, 404);
    assert!(page["error"].as_str().unwrap().contains("`none`"), "{page}");
    assert_eq!(gateway.metric(&operations("drain", "rejected")).await, 1.0);
}

#[tokio::test]
async fn obs_l3_the_log_level_changes_and_a_wrong_one_is_refused_in_words() {
    let gateway = start(None).await;
    let (status, page) = gateway.command("/admin/log-level", r#"{"level":"sluice=debug"}"#).await;
    assert_eq!((status, page), (200, json!({ "level": "sluice=debug" })));
    let large = format!(r#"{{"level":"{}"}}"#, "x".repeat(20_000));
    for wrong in
        ["", "debug", "{}", r#"{"level":"sluice=loud"}"#, r#"{"level":"info","x":1}"#, &large]
    {
        let (status, page) = gateway.command("/admin/log-level", wrong).await;
        assert_eq!(status, 400, "{page}");
    }
    assert_eq!(gateway.metric(&operations("log_level", "rejected")).await, 6.0);
}

#[tokio::test]
async fn obs_m20_a_reload_is_answered_counted_and_shown() {
    let mut gateway = start(None).await;
    let asked = gateway.client.post(format!("{}/admin/reload", gateway.admin)).send();
    let reload = async {
        let Reload { answer } = gateway.reloads.recv().await.unwrap();
        gateway.config.refused("sluice.yaml:3:1: unknown key `routes`");
        answer.send(Err("sluice.yaml:3:1: unknown key `routes`".to_owned())).unwrap();
    };
    let (response, ()) = tokio::join!(asked, reload);
    let (status, page) = answer(response.unwrap()).await;
    assert_eq!((status, &page["error"]), (422, &json!("sluice.yaml:3:1: unknown key `routes`")));
    let shown = gateway.status().await["config"].clone();
    assert_eq!(shown["hash"], "sha256:one", "the old one goes on");
    assert_eq!(shown["lastError"], "sluice.yaml:3:1: unknown key `routes`");
    assert_eq!(gateway.metric("gateway_config_last_reload_successful").await, 0.0);
    assert_eq!(gateway.metric(r#"gateway_config_reloads_total{result="error"}"#).await, 1.0);
    assert_eq!(gateway.metric(&operations("reload", "failure")).await, 1.0);

    let asked = gateway.client.post(format!("{}/admin/reload", gateway.admin)).send();
    let reload = async {
        let Reload { answer } = gateway.reloads.recv().await.unwrap();
        gateway.config.accepted("sha256:two".into(), 1);
        answer.send(Ok("sha256:two".into())).unwrap();
    };
    let (response, ()) = tokio::join!(asked, reload);
    assert_eq!(answer(response.unwrap()).await, (200, json!({ "configHash": "sha256:two" })));
    let shown = gateway.status().await["config"].clone();
    assert_eq!((&shown["hash"], &shown["lastError"]), (&json!("sha256:two"), &Value::Null));
    assert_eq!(gateway.metric("gateway_config_last_reload_successful").await, 1.0);
}

#[tokio::test]
async fn obs_m22_without_the_token_nothing_happens_and_that_is_counted() {
    let gateway = start(Some(TOKEN)).await;
    let url = format!("{}/admin/backends/trino-a/deactivate", gateway.admin);
    let response = gateway.client.post(&url).send().await.unwrap();
    assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Bearer realm=\"sluice admin\"");
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    let wrong = gateway.client.post(&url).bearer_auth("a secret?").send().await.unwrap();
    assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(gateway.metric(&operations("deactivate", "rejected")).await, 2.0);
    assert_ne!(gateway.status().await["routingGroups"][0]["state"], "PAUSED");
    let right = gateway.client.post(&url).bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!(right.status(), StatusCode::OK);
    let unknown = gateway.client.post(format!("{}/nothing", gateway.admin)).send().await.unwrap();
    assert_eq!(unknown.status(), StatusCode::UNAUTHORIZED, "strangers learn no paths");
}

#[tokio::test]
async fn without_a_token_a_web_page_cannot_command() {
    let gateway = start(None).await;
    let url = format!("{}/admin/backends/trino-a/deactivate", gateway.admin);
    for (name, value) in [(header::ORIGIN, "https://evil.example"), (header::HOST, "evil.example")]
    {
        let refused = gateway.client.post(&url).header(name, value).send().await.unwrap();
        let (status, page) = answer(refused).await;
        assert_eq!(status, 403);
        assert!(page["error"].as_str().unwrap().starts_with("without admin.token"), "{page}");
    }
    assert_eq!(gateway.metric(&operations("deactivate", "rejected")).await, 2.0);
}

#[tokio::test]
async fn what_is_not_there_is_said_in_words() {
    let gateway = start(None).await;
    for (method, path, status, words) in [
        (Method::GET, "/admin/reload", 405, "/admin/reload does not answer GET"),
        (Method::POST, "/admin/nothing", 404, "nothing at POST /admin/nothing here"),
    ] {
        let request = gateway.client.request(method, format!("{}{path}", gateway.admin));
        let response = request.send().await.unwrap();
        if status == 405 {
            assert_eq!(response.headers()[header::ALLOW], "POST");
        }
        assert_eq!(answer(response).await, (status, json!({ "error": words })));
    }
    assert_eq!(gateway.health("/metrics").await.0, 404, "each page on its own listener");
    let head = gateway.client.head(format!("{}/healthz", gateway.health)).send().await.unwrap();
    assert_eq!(head.status(), StatusCode::OK);
}

#[tokio::test]
async fn the_commands_speak_in_words() {
    let gateway = start(Some(TOKEN)).await;
    let mark =
        |token, backend| client::mark(&gateway.admin, token, backend, client::Command::Deactivate);
    assert_eq!(mark(Some(TOKEN), "trino-a").await.unwrap(), "backend trino-a is inactive");
    let refused = mark(None, "trino-a").await.unwrap_err().to_string();
    assert!(refused.contains("answered 401: commands need"), "{refused}");
    let unknown = mark(Some(TOKEN), "../../reload").await.unwrap_err().to_string();
    assert!(unknown.contains("answered 404"), "{unknown}");

    let alive = client::healthcheck(&format!("{}/healthz", gateway.health)).await.unwrap();
    assert_eq!(alive, "ok");
    let url = format!("{}/readyz", gateway.health.replace("http://", "http://me:pass@"));
    let refused = client::healthcheck(&url).await.unwrap_err().to_string();
    assert!(refused.ends_with("/readyz answered 503: not ready"), "{refused}");
    assert!(!refused.contains("pass"), "{refused}");
    let closed = client::healthcheck("http://127.0.0.1:1/").await.unwrap_err().to_string();
    assert!(closed.starts_with("cannot reach http://127.0.0.1:1/"), "{closed}");
    assert!(client::healthcheck("nonsense").await.unwrap_err().to_string().contains("is no URL"));
}

/// A listener with tight limits.
async fn tight(connections: usize, stop: &CancellationToken) -> SocketAddr {
    let router = axum::Router::new().route("/", axum::routing::get(async || "here"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let limits = Limits { connections, head: Duration::from_millis(150), ..Limits::default() };
    tokio::spawn(admin::listener::serve(listener, router, limits, stop.clone()));
    address
}

#[tokio::test]
async fn whoever_sends_nothing_or_half_a_head_is_cut() {
    let stop = CancellationToken::new();
    let address = tight(10, &stop).await;
    for half in ["", "GET / HT", "GET / HTTP/1.1\r\nHost: x\r\nX-Half: "] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(half.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{half}");
    }
}

#[tokio::test]
async fn above_the_cap_connections_wait_and_cancelling_ends_all() {
    let stop = CancellationToken::new();
    let address = tight(1, &stop).await;
    let _silent = TcpStream::connect(address).await.unwrap();
    let client = Client::builder().no_proxy().build().unwrap();
    // Served as soon as the silent one's deadline has passed.
    let answer = client.get(format!("http://{address}/")).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "here");
    let mut open = TcpStream::connect(address).await.unwrap();
    stop.cancel();
    let _ = open.read_to_end(&mut Vec::new()).await;
}
