//! A tiny HTTP server that plays `/v1/info` and `/` of a coordinator, as a test tells it from moment to moment.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::JoinHandle};

/// What `http-server.process-forwarded` and the version make of forwarded headers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Forwarded {
    /// `true`, since 452.
    Honoured,
    /// `true`, before 452.
    WithoutPrefix,
    /// `ignore`, or before 451.
    Ignored,
    /// Not set, since 451.
    Refused,
}

/// What `/v1/info` answers.
#[derive(Clone, Debug)]
pub(super) enum Info {
    /// Nothing, ever.
    Hangs,
    /// That status, without a body.
    Status(u16),
    /// 200 with that body.
    Body(String),
}

/// How `/ui/api/stats` is to be asked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Login {
    /// Plainly.
    None,
    /// With Basic.
    Basic,
    /// With the cookie of a JSON login (483).
    Json,
    /// With the cookie of a form (435), where the JSON login is not found.
    Form,
    /// The same where unknown paths lead to the login page.
    FormBySeeOther,
    /// In no way.
    Never,
}

/// What a test may change while it runs.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) info: Info,
    pub(super) forwarded: Forwarded,
    /// Whether `/` answers at all.
    pub(super) root_hangs: bool,
    pub(super) login: Login,
    /// Its running queries, also those that did not come through us.
    pub(super) queries: u64,
    pub(super) workers: u64,
}

/// The server.
#[derive(Debug)]
pub(super) struct Coordinator {
    pub(super) url: String,
    part: Arc<Mutex<Part>>,
    requests: Arc<Mutex<Vec<(String, HeaderMap)>>>,
    listening: JoinHandle<()>,
}

/// A ready coordinator of Trino 477 or later.
pub(super) fn ready(coordinator: &str, uptime: &str) -> Info {
    info(&format!(r#""nodeId":"n","coordinatorId":"{coordinator}","#), false, uptime)
}

/// A coordinator of Trino 435, which shows no ids.
pub(super) fn old(starting: bool, uptime: &str) -> Info {
    info("", starting, uptime)
}

fn info(ids: &str, starting: bool, uptime: &str) -> Info {
    Info::Body(format!(
        r#"{{{ids}"nodeVersion":{{"version":"483"}},"environment":"test","coordinator":true,"starting":{starting},"uptime":"{uptime}"}}"#
    ))
}

impl Coordinator {
    pub(super) async fn start(info: Info) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let part = Part {
            info,
            forwarded: Forwarded::Ignored,
            root_hangs: false,
            login: Login::None,
            queries: 0,
            workers: 0,
        };
        let (part, requests) = (Arc::new(Mutex::new(part)), Arc::default());
        let listening = tokio::spawn(listen(listener, Arc::clone(&part), Arc::clone(&requests)));
        Self { url, part, requests, listening }
    }

    /// Changes what it plays from the next request on.
    pub(super) fn play(&self, change: impl FnOnce(&mut Part)) {
        change(&mut self.part.lock().unwrap());
    }

    /// How often that path was asked for.
    pub(super) fn asked(&self, path: &str) -> usize {
        self.requests.lock().unwrap().iter().filter(|(asked, _)| asked == path).count()
    }

    /// The headers of the first request for that path.
    pub(super) fn headers(&self, path: &str) -> HeaderMap {
        let requests = self.requests.lock().unwrap();
        requests.iter().find(|(asked, _)| asked == path).unwrap().1.clone()
    }

    /// Its port refuses connections from now on.
    pub(super) async fn die(self) {
        self.listening.abort();
        let _ = self.listening.await;
    }
}

type Requests = Arc<Mutex<Vec<(String, HeaderMap)>>>;

async fn listen(listener: TcpListener, part: Arc<Mutex<Part>>, requests: Requests) {
    loop {
        let Ok((socket, _)) = listener.accept().await else { return };
        let (part, requests) = (Arc::clone(&part), Arc::clone(&requests));
        let service = service_fn(move |request: Request<Incoming>| {
            let seen = (request.uri().path().to_owned(), request.headers().clone());
            requests.lock().unwrap().push(seen);
            let part = part.lock().unwrap().clone();
            async move { Ok::<_, Infallible>(answer(request, part).await) }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), service));
    }
}

async fn answer(request: Request<Incoming>, part: Part) -> Response<Full<Bytes>> {
    let forwarded = request.headers().keys().any(|name| name.as_str().starts_with("x-forwarded"));
    let mut response = Response::new(Full::default());
    match (request.uri().path(), part.info.clone()) {
        _ if forwarded && matches!(part.forwarded, Forwarded::Refused) => {
            *response.status_mut() = StatusCode::NOT_ACCEPTABLE;
        }
        ("/", _) if part.root_hangs => std::future::pending().await,
        ("/", _) => {
            let base = base(request.headers(), part.forwarded);
            *response.status_mut() = StatusCode::SEE_OTHER;
            let location = format!("{base}/ui/").parse().unwrap();
            response.headers_mut().insert(header::LOCATION, location);
        }
        ("/v1/info", Info::Hangs) => std::future::pending().await,
        ("/v1/info", Info::Status(status)) => {
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
        }
        ("/v1/info", Info::Body(body)) => *response.body_mut() = Full::from(body),
        (path, _) if path.starts_with("/ui/") => return ui(&request, &part),
        _ => *response.status_mut() = StatusCode::NOT_FOUND,
    }
    response
}

/// The web UI: its counts, and its logins.
fn ui(request: &Request<Incoming>, part: &Part) -> Response<Full<Bytes>> {
    let answer = |status: u16, cookie: bool| {
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        if cookie {
            let cookie = "Trino-UI-Token=secret;Version=1;Path=/ui;HttpOnly".parse().unwrap();
            response.headers_mut().insert(header::SET_COOKIE, cookie);
        }
        response
    };
    let headers = request.headers();
    let has = |name: &str, start: &str| {
        headers.get(name).is_some_and(|value| value.to_str().unwrap().starts_with(start))
    };
    let json = has("content-type", "application/json");
    let form = has("content-type", "application/x-www-form-urlencoded");
    let may = match part.login {
        Login::None => true,
        Login::Basic => has("authorization", "Basic c2x1aWNlOg=="),
        Login::Json | Login::Form | Login::FormBySeeOther => has("cookie", "Trino-UI-Token=secret"),
        Login::Never => false,
    };
    match (request.method().as_str(), request.uri().path(), part.login) {
        ("GET", "/ui/api/stats", _) if may => {
            let (queries, workers) = (part.queries, part.workers);
            let body = format!(
                r#"{{"runningQueries":{queries},"blockedQueries":0,"queuedQueries":0,"activeCoordinators":1,"activeWorkers":{workers}}}"#
            );
            Response::new(Full::from(body))
        }
        ("GET", "/ui/api/stats", Login::FormBySeeOther)
        | ("POST", "/ui/auth/login", Login::FormBySeeOther) => answer(303, false),
        ("POST", "/ui/auth/login", Login::Json) if json => answer(204, true),
        ("POST", "/ui/auth/login", Login::Form) => answer(404, false),
        ("POST", "/ui/login", Login::Form | Login::FormBySeeOther) if form => answer(303, true),
        _ => answer(401, false),
    }
}

fn base(headers: &HeaderMap, forwarded: Forwarded) -> String {
    let text = |name: &str| headers.get(name).map_or("", |value| value.to_str().unwrap());
    let own = format!("http://{}", text("host"));
    let theirs = format!("{}://{}", text("x-forwarded-proto"), text("x-forwarded-host"));
    match forwarded {
        Forwarded::Honoured => theirs + text("x-forwarded-prefix"),
        Forwarded::WithoutPrefix => theirs,
        Forwarded::Ignored | Forwarded::Refused => own,
    }
}
