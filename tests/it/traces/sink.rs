//! A collector in this process: OTLP over HTTP. It takes spans, refuses them, hangs, or answers nonsense.

use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::protobuf::{self, Span};
use crate::harness::wait;

/// What becomes of spans.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Manner {
    Take,
    /// That status.
    Refuse(u16),
    /// No answer.
    Hang,
    /// 200, and a body that is no protobuf.
    Babble,
}

/// A running collector.
pub(crate) struct Sink {
    addr: SocketAddr,
    desk: Arc<Desk>,
    serving: JoinHandle<()>,
}

struct Desk {
    manner: Mutex<Manner>,
    spans: Mutex<Vec<Span>>,
    requests: Mutex<usize>,
    connections: Mutex<usize>,
}

impl Sink {
    pub(crate) async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let desk = Arc::new(Desk {
            manner: Mutex::new(manner),
            spans: Mutex::default(),
            requests: Mutex::default(),
            connections: Mutex::default(),
        });
        let serving = tokio::spawn(serve(listener, Arc::clone(&desk)));
        Self { addr, desk, serving }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    pub(crate) fn will(&self, manner: Manner) {
        *self.desk.manner.lock().unwrap() = manner;
    }

    /// All spans that it took.
    pub(crate) fn spans(&self) -> Vec<Span> {
        self.desk.spans.lock().unwrap().clone()
    }

    /// Messages that came, whatever became of them.
    pub(crate) fn requests(&self) -> usize {
        *self.desk.requests.lock().unwrap()
    }

    pub(crate) fn connections(&self) -> usize {
        *self.desk.connections.lock().unwrap()
    }

    /// Those of a name.
    pub(crate) fn named(&self, name: &str) -> Vec<Span> {
        self.spans().into_iter().filter(|span| span.name == name).collect()
    }

    /// Waits until so many of a name have come.
    pub(crate) async fn until(&self, name: &str, many: usize) -> Vec<Span> {
        let what = format!("{many} spans {name}");
        wait::until(&what, || self.named(name).len() >= many).await;
        let named = self.named(name);
        assert_eq!(named.len(), many, "{named:#?}");
        named
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, desk: Arc<Desk>) {
    while let Ok((stream, _)) = listener.accept().await {
        *desk.connections.lock().unwrap() += 1;
        let desk = Arc::clone(&desk);
        let service = service_fn(move |request| answer(Arc::clone(&desk), request));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn answer(
    desk: Arc<Desk>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    assert_eq!(request.uri().path(), "/v1/traces");
    assert_eq!(request.headers()["content-type"], "application/x-protobuf");
    *desk.requests.lock().unwrap() += 1;
    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let manner = *desk.manner.lock().unwrap();
    let mut answer = Response::new(Full::default());
    match manner {
        Manner::Hang => pending().await,
        Manner::Refuse(status) => *answer.status_mut() = status.try_into().unwrap(),
        Manner::Babble => *answer.body_mut() = Full::from("{\"no\": \"protobuf\"}"),
        Manner::Take => {}
    }
    if matches!(manner, Manner::Take | Manner::Babble) {
        desk.spans.lock().unwrap().extend(protobuf::spans(&body));
    }
    Ok(answer)
}
