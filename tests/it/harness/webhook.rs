//! What stands behind the `webhook` resume driver: it wakes and suspends sleepers, refuses, hangs or lies.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::{canned, sleeper::Sleeper, wait};

/// What becomes of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// 200, and the backend that it names wakes or sleeps before the answer.
    Obey,
    /// 202 and nothing happens: the test wakes the backend itself, or nobody does.
    Accept,
    /// That status and nothing happens.
    Refuse(u16),
    /// That status with so many seconds of `Retry-After`.
    Gated(u16, u32),
    /// No answer.
    Hang,
}

/// A call as it came.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// `/resume` or `/suspend`.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    /// `null` where the body was no JSON.
    pub(crate) json: Value,
}

impl Call {
    /// The `Idempotency-Key`.
    pub(crate) fn key(&self) -> String {
        self.headers.get("idempotency-key").map_or("", |key| key.to_str().unwrap()).to_owned()
    }
}

/// A running server.
pub(crate) struct Webhook {
    addr: SocketAddr,
    desk: Arc<Desk>,
    serving: JoinHandle<()>,
}

struct Desk {
    calls: Mutex<Vec<Call>>,
    /// For the calls to come; the usual one after them.
    manners: Mutex<VecDeque<Manner>>,
    usual: Mutex<Manner>,
    sleepers: BTreeMap<&'static str, Arc<Sleeper>>,
}

impl Webhook {
    /// Knows these backends by name and obeys.
    pub(crate) async fn start(sleepers: &[(&'static str, &Arc<Sleeper>)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let sleepers = sleepers.iter().map(|(name, sleeper)| (*name, Arc::clone(sleeper)));
        let desk = Arc::new(Desk {
            calls: Mutex::default(),
            manners: Mutex::default(),
            usual: Mutex::new(Manner::Obey),
            sleepers: sleepers.collect(),
        });
        let serving = tokio::spawn(serve(listener, Arc::clone(&desk)));
        Self { addr, desk, serving }
    }

    /// The driver's settings, as a backend's `resume` has them.
    pub(crate) fn yaml(&self) -> String {
        let base = format!("http://{}", self.addr);
        format!("webhook: {{ resumeUrl: \"{base}/resume\", suspendUrl: \"{base}/suspend\" }}")
    }

    /// Answers like this from now on.
    pub(crate) fn will(&self, usual: Manner) {
        *self.desk.usual.lock().unwrap() = usual;
    }

    /// Answers the next calls like these, and then as usual.
    pub(crate) fn first(&self, manners: &[Manner]) {
        self.desk.manners.lock().unwrap().extend(manners);
    }

    /// Nobody answers here any more.
    pub(crate) fn close(&self) {
        self.serving.abort();
    }

    /// All calls that woke, or tried to.
    pub(crate) fn resumes(&self) -> Vec<Call> {
        self.calls("/resume")
    }

    /// All calls that put to sleep.
    pub(crate) fn suspends(&self) -> Vec<Call> {
        self.calls("/suspend")
    }

    /// Waits for that many calls to wake.
    pub(crate) async fn until_resumes(&self, count: usize) {
        wait::until("calls of the driver", || self.resumes().len() >= count).await;
    }

    fn calls(&self, path: &str) -> Vec<Call> {
        let calls = self.desk.calls.lock().unwrap();
        calls.iter().filter(|call| call.path == path).cloned().collect()
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        self.close();
    }
}

async fn serve(listener: TcpListener, desk: Arc<Desk>) {
    // The connections end with it.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let desk = Arc::clone(&desk);
        let service = service_fn(move |request: Request<hyper::body::Incoming>| {
            let desk = Arc::clone(&desk);
            async move { Ok::<_, Infallible>(desk.answer(request.map(Body::new)).await) }
        });
        connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), service));
    }
}

impl Desk {
    async fn answer(&self, request: Request<Body>) -> Response {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let path = parts.uri.path().to_owned();
        let call = Call { path: path.clone(), headers: parts.headers, json: json.clone() };
        self.calls.lock().unwrap().push(call);
        if parts.method != "POST" || !matches!(path.as_str(), "/resume" | "/suspend") {
            return canned::status(405, "not so");
        }
        match self.manner() {
            Manner::Obey => {
                self.obey(&path, json["backend"].as_str().unwrap_or_default()).await;
                canned::status(200, "done")
            }
            Manner::Accept => canned::status(202, "accepted"),
            Manner::Refuse(code) => canned::status(code, "the test refuses"),
            Manner::Gated(code, seconds) => {
                let mut gated = canned::status(code, "not yet");
                gated.headers_mut().insert("retry-after", seconds.into());
                gated
            }
            Manner::Hang => pending().await,
        }
    }

    fn manner(&self) -> Manner {
        let next = self.manners.lock().unwrap().pop_front();
        next.unwrap_or_else(|| *self.usual.lock().unwrap())
    }

    async fn obey(&self, path: &str, backend: &str) {
        let Some(sleeper) = self.sleepers.get(backend) else { return };
        if path == "/resume" { sleeper.wake().await } else { sleeper.sleep().await }
    }
}
