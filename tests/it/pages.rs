//! Coordinators with what browsers see of a Trino, web UI and OAuth2, and a gateway before them.
//!
//! They answer as real-trino.md 11 and 12 saw it: absolute paths, cookies of one name, redirects without the marker,
//! OAuth2 URIs that ignore `X-Forwarded-Prefix`. Every answer names its coordinator in `x-served-by`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, Method, StatusCode, header};
use reqwest::{Client, RequestBuilder, redirect::Policy};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sluice::{
    admin::listener::{Limits, serve},
    app::{self, App},
    config::{Loaded, model::Config},
    snapshot::BackendState,
    store::{Memory, Terms},
    telemetry::logs::Logs,
};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// The uuid of every exchange that a coordinator opens; its name is put before it.
pub(crate) const UUID: &str = "7e1ad-d72b-4103-81a6-d44b466207fd";

/// One coordinator.
#[derive(Debug)]
pub(crate) struct Trino {
    name: &'static str,
    version: &'static str,
    /// Whether `X-Forwarded-*` are honoured (`http-server.process-forwarded=true`), else they are refused.
    forwarded: bool,
    asleep: bool,
    /// Whether the browser of an OAuth2 exchange has come back.
    logged_in: Mutex<bool>,
}

impl Trino {
    /// A coordinator whose query ids end in five times its name.
    pub(crate) fn new(name: &'static str, version: &'static str, forwarded: bool) -> Self {
        Self { name, version, forwarded, asleep: false, logged_in: Mutex::default() }
    }

    /// A coordinator whose port is closed.
    pub(crate) fn asleep(name: &'static str) -> Self {
        Self { asleep: true, ..Self::new(name, "483", true) }
    }
}

/// A gateway and its coordinators.
pub(crate) struct Fleet {
    /// The gateway's data port, `http://127.0.0.1:…`.
    pub(crate) url: String,
    client: Client,
    app: App,
    _stop: Arc<DropGuard>,
}

impl Fleet {
    /// Starts coordinators, each in a group of its own name and with these URIs, and a gateway before them.
    pub(crate) async fn start(trinos: Vec<Trino>, uris: &str) -> Self {
        let (config, stop) = coordinators(trinos, uris).await;
        let app = app::start(loaded(config), None, Logs::detached()).await.unwrap();
        Self::of(app, stop).await
    }

    /// The same with two gateways that share a store.
    pub(crate) async fn start_two(trinos: Vec<Trino>, uris: &str) -> [Self; 2] {
        let (config, stop) = coordinators(trinos, uris).await;
        let store = Arc::new(Memory::default());
        let one = async || {
            let store = Arc::<Memory>::clone(&store);
            let loaded = loaded(config.clone());
            let app = app::start_with(loaded, None, Logs::detached(), store, Terms::FLEET).await;
            Self::of(app.unwrap(), Arc::clone(&stop)).await
        };
        [one().await, one().await]
    }

    async fn of(app: App, stop: Arc<DropGuard>) -> Self {
        let client = Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
        let url = format!("http://{}", app.addresses.data);
        let fleet = Self { url, client, app, _stop: stop };
        fleet.ready().await;
        fleet
    }

    async fn ready(&self) {
        let is_ready = || {
            let snapshot = self.app.shared.current.load();
            let mut backends = snapshot.backends.values();
            backends.all(|backend| backend.probed && backend.state != BackendState::Resuming)
        };
        let mut ticks = tokio::time::interval(Duration::from_millis(5));
        let waited = tokio::time::timeout(Duration::from_secs(20), async {
            while !is_ready() {
                ticks.tick().await;
            }
        });
        waited.await.unwrap();
    }

    /// A request to the gateway; `from` is the path of the page that asks, or nothing.
    pub(crate) fn ask(&self, method: Method, path: &str, from: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.url));
        if from.is_empty() {
            return request;
        }
        request.header(header::REFERER, format!("{}{from}", self.url))
    }

    /// A script's GET.
    pub(crate) async fn get(&self, path: &str, from: &str) -> Seen {
        Seen::of(self.ask(Method::GET, path, from)).await
    }

    /// A window's GET.
    pub(crate) async fn open(&self, path: &str, from: &str) -> Seen {
        Seen::of(self.ask(Method::GET, path, from).header("sec-fetch-mode", "navigate")).await
    }
}

/// What a client gets.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) async fn of(request: RequestBuilder) -> Self {
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Self { status, headers, body: answer.text().await.unwrap() }
    }

    /// The coordinator that answered, or nothing if it was the gateway itself.
    pub(crate) fn by(&self) -> &str {
        self.header("x-served-by")
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    pub(crate) fn location(&self) -> &str {
        self.header("location")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// A query id of that coordinator.
pub(crate) fn query_of(name: &str) -> String {
    format!("20241030_150409_00000_{}", name.repeat(5))
}

/// They listen, and this is the configuration of a gateway before them.
async fn coordinators(trinos: Vec<Trino>, uris: &str) -> (Config, Arc<DropGuard>) {
    let stop = CancellationToken::new();
    let mut groups = Vec::new();
    for trino in trinos {
        let name = trino.name;
        let url = listen(trino, &stop).await;
        let backend = json!({ "name": name, "url": url, "uris": uris });
        groups.push(json!({ "name": name, "backends": [backend] }));
    }
    let any = json!({ "bind": "127.0.0.1:0" });
    let config = json!({
        "data": { "bind": "127.0.0.1:0", "trustedProxies": ["127.0.0.0/8"], "workers": 1 },
        "metrics": any, "health": any, "admin": any,
        "defaultRoutingGroup": groups[0]["name"],
        "routingGroups": groups,
    });
    (serde_json::from_value(config).unwrap(), Arc::new(stop.drop_guard()))
}

fn loaded(config: Config) -> Loaded {
    Loaded { config, hash: "sha256:one".to_owned(), warnings: Vec::new(), files: String::new() }
}

async fn listen(trino: Trino, stop: &CancellationToken) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    if trino.asleep {
        return format!("http://{address}");
    }
    let router = Router::new().fallback(answer).with_state(Arc::new(trino));
    tokio::spawn(serve(listener, router, Limits::default(), stop.child_token()));
    format!("http://{address}")
}

async fn answer(State(trino): State<Arc<Trino>>, request: Request) -> Response {
    let mut answer = trino.answer(&request);
    answer.headers_mut().insert("x-served-by", trino.name.parse().unwrap());
    answer
}

impl Trino {
    fn answer(&self, request: &Request) -> Response {
        let headers = request.headers();
        if !self.forwarded && headers.keys().any(|name| name.as_str().starts_with("x-forwarded-")) {
            return said(StatusCode::NOT_ACCEPTABLE, "refused");
        }
        let path = request.uri().path();
        let (base, prefix) = self.base(headers);
        match path {
            "/" | "/ui" => see(&format!("{base}{prefix}/ui/")),
            "/v1/info" => said(StatusCode::OK, &self.info().to_string()),
            "/v1/statement" => self.challenge(&base),
            "/ui/auth/login" => {
                let mut answer = said(StatusCode::NO_CONTENT, "");
                let cookie = format!("Trino-UI-Token={};Version=1;Path=/ui;HttpOnly", self.name);
                answer.headers_mut().insert(header::SET_COOKIE, cookie.parse().unwrap());
                answer
            }
            "/ui/closed" => see("/ui/legacy/login.html?/ui/closed"),
            "/ui/sso" => self.to_the_provider(None, &base, prefix),
            "/oauth2/callback" => self.callback(request, &base, prefix),
            _ if path.ends_with("/killed") => {
                let own = path.contains(&query_of(self.name));
                said(if own { StatusCode::ACCEPTED } else { StatusCode::GONE }, "")
            }
            _ => match path.strip_prefix("/oauth2/token/") {
                Some(rest) => self.token(request.method(), rest, &base, prefix),
                None => said(StatusCode::OK, cookies(headers)),
            },
        }
    }

    fn info(&self) -> Value {
        json!({
            "nodeId": self.name, "nodeVersion": { "version": self.version }, "environment": "test",
            "coordinator": true, "coordinatorId": self.name.repeat(5), "starting": false,
            "uptime": "1.00m",
        })
    }

    /// What the coordinator believes its base to be, and the prefix that few of its URIs get.
    fn base<'a>(&self, headers: &'a HeaderMap) -> (String, &'a str) {
        let of = |name: &str| headers.get(name).map(|value| value.to_str().unwrap());
        match of("x-forwarded-host") {
            Some(host) => (
                format!("{}://{host}", of("x-forwarded-proto").unwrap()),
                of("x-forwarded-prefix").unwrap_or_default(),
            ),
            None => (format!("http://{}", of("host").unwrap()), ""),
        }
    }

    fn uuid(&self) -> String {
        format!("{}{UUID}", self.name)
    }

    fn challenge(&self, base: &str) -> Response {
        let (uuid, hash) = (self.uuid(), hash(&self.uuid()));
        let challenge = format!(
            "Bearer x_redirect_server=\"{base}/oauth2/token/initiate/{hash}\", x_token_server=\"{base}/oauth2/token/{uuid}\""
        );
        let mut answer = said(StatusCode::UNAUTHORIZED, "Unauthorized");
        answer.headers_mut().insert(header::WWW_AUTHENTICATE, challenge.parse().unwrap());
        answer
    }

    fn to_the_provider(&self, handler: Option<&str>, base: &str, prefix: &str) -> Response {
        let claims =
            json!({ "aud": ["trino_oauth_ui"], "handler_state": handler, "iss": self.name });
        let state = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let back = format!("{base}{prefix}/oauth2/callback");
        let back: String = url::form_urlencoded::byte_serialize(back.as_bytes()).collect();
        let mut answer =
            see(&format!("https://issuer/authorize?redirect_uri={back}&state={state}&nonce=n"));
        let nonce = format!("__Secure-Trino-Nonce={};Path=/oauth2/callback;Secure", self.name);
        answer.headers_mut().insert(header::SET_COOKIE, nonce.parse().unwrap());
        answer
    }

    fn callback(&self, request: &Request, base: &str, prefix: &str) -> Response {
        let nonce = format!("__Secure-Trino-Nonce={}", self.name);
        if cookies(request.headers()) != nonce {
            let words = "Authentication response could not be verified";
            return said(StatusCode::BAD_REQUEST, words);
        }
        let state = request.uri().query().unwrap().split("state=").nth(1).unwrap();
        let claims = URL_SAFE_NO_PAD.decode(state.split('.').nth(1).unwrap()).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        if claims["iss"] != self.name {
            return said(StatusCode::BAD_REQUEST, "a foreign state");
        }
        *self.logged_in.lock().unwrap() = true;
        if claims["handler_state"].is_string() {
            return said(StatusCode::OK, "OAuth2 authentication succeeded");
        }
        let mut answer = see(&format!("{base}{prefix}/ui/"));
        let cookie = format!("__Secure-Trino-OAuth2-Token={};Path=/ui/;Secure", self.name);
        answer.headers_mut().insert(header::SET_COOKIE, cookie.parse().unwrap());
        answer
    }

    fn token(&self, method: &Method, rest: &str, base: &str, prefix: &str) -> Response {
        if let Some(hash) = rest.strip_prefix("initiate/") {
            return self.to_the_provider(Some(hash), base, prefix);
        }
        let done = *self.logged_in.lock().unwrap() && rest == self.uuid();
        let answer = match done {
            true => json!({ "token": format!("token of {}", self.name) }),
            false => json!({ "nextUri": format!("{base}/oauth2/token/{rest}") }),
        };
        said(
            StatusCode::OK,
            &if method == Method::DELETE { String::new() } else { answer.to_string() },
        )
    }
}

pub(crate) fn hash(uuid: &str) -> String {
    Sha256::digest(uuid).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn cookies(headers: &HeaderMap) -> &str {
    headers.get(header::COOKIE).map(|value| value.to_str().unwrap()).unwrap_or_default()
}

fn said(status: StatusCode, body: &str) -> Response {
    Response::builder().status(status).body(Body::from(body.to_owned())).unwrap()
}

fn see(location: &str) -> Response {
    let answer = Response::builder().status(StatusCode::SEE_OTHER);
    answer.header(header::LOCATION, location).body(Body::empty()).unwrap()
}
