//! A coordinator whose answers the test writes itself, byte by byte.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::BodyExt;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What `/v1/info` of a ready coordinator says.
const INFO: &str = r#"{"nodeId":"canned","state":"ACTIVE","nodeVersion":{"version":"483"},"environment":"test","coordinator":true,"coordinatorId":"canne","starting":false,"uptime":"1.00m"}"#;

/// Any query id of this coordinator.
pub(crate) const ID: &str = "20260101_000000_00001_canne";

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// A running server; `/v1/info` and the probe of its URIs are answered without the test.
pub(crate) struct Canned {
    pub(crate) addr: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    serving: JoinHandle<()>,
}

impl Canned {
    /// Answers every request that is no probe with what `answer` gives.
    pub(crate) async fn start(
        answer: impl Fn(&Asked) -> Response + Clone + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let kept = Arc::clone(&asked);
        let serving = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (answer, kept) = (answer.clone(), Arc::clone(&kept));
                let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                    let (answer, kept) = (answer.clone(), Arc::clone(&kept));
                    async move {
                        Ok::<_, Infallible>(respond(request.map(Body::new), answer, &kept).await)
                    }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), service));
            }
        });
        Self { addr, asked, serving }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// What it was asked, probes left out.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Canned {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Asked {
    /// Where this request's client thinks the coordinator is.
    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.headers["host"].to_str().unwrap())
    }
}

async fn respond(
    request: Request<Body>,
    answer: impl Fn(&Asked) -> Response,
    kept: &Mutex<Vec<Asked>>,
) -> Response {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    match parts.uri.path() {
        "/v1/info" => return page(INFO),
        "/" => return status(404, "no UI"),
        _ => {}
    }
    let path = parts.uri.to_string();
    let asked = Asked { method: parts.method, path, headers: parts.headers, body };
    kept.lock().unwrap().push(asked.clone());
    answer(&asked)
}

/// 200 with JSON.
pub(crate) fn page(json: impl Into<Body>) -> Response {
    Response::builder().header("content-type", "application/json").body(json.into()).unwrap()
}

/// Some other status with text.
pub(crate) fn status(code: u16, words: &'static str) -> Response {
    Response::builder().status(code).body(words.into()).unwrap()
}

/// The first page: QUEUED, with the `nextUri` of that path.
pub(crate) fn first(asked: &Asked, next: &str) -> Response {
    let base = asked.base();
    page(format!(
        r#"{{"id":"{ID}","infoUri":"{base}/ui/query.html?{ID}","nextUri":"{base}{next}","stats":{{"state":"QUEUED"}},"warnings":[]}}"#
    ))
}
