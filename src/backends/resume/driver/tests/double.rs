//! An HTTP server that answers by a function, and remembers what it was asked.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};

/// A request.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) method: Method,
    /// With its query.
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Asked {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// What it answers; `None` is never.
pub(super) type Reply = Option<Response<Full<Bytes>>>;

/// An answer with a body in JSON.
pub(super) fn reply(status: u16, body: &Value) -> Reply {
    let mut reply = Response::new(Full::from(body.to_string()));
    *reply.status_mut() = StatusCode::from_u16(status).unwrap();
    Some(reply)
}

/// With a header.
pub(super) fn with(reply: Reply, name: &'static str, value: &str) -> Reply {
    reply.map(|mut reply| {
        reply.headers_mut().insert(name, value.parse().unwrap());
        reply
    })
}

type Answers = dyn Fn(&Asked) -> Reply + Send + Sync;

/// The server; it ends with the test.
pub(super) struct Double {
    pub(super) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    listening: JoinHandle<()>,
}

impl Double {
    pub(super) async fn start(answers: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::default();
        let listening = tokio::spawn(listen(listener, Arc::new(answers), Arc::clone(&asked)));
        Self { url, asked, listening }
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Method and path of each request.
    pub(super) fn lines(&self) -> Vec<String> {
        self.asked().iter().map(|asked| format!("{} {}", asked.method, asked.path)).collect()
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn listen(listener: TcpListener, answers: Arc<Answers>, asked: Arc<Mutex<Vec<Asked>>>) {
    loop {
        let Ok((socket, _)) = listener.accept().await else { return };
        let (answers, asked) = (Arc::clone(&answers), Arc::clone(&asked));
        let service = service_fn(move |request: Request<Incoming>| {
            let (answers, asked) = (Arc::clone(&answers), Arc::clone(&asked));
            async move {
                let request = read(request).await;
                asked.lock().unwrap().push(request.clone());
                match answers(&request) {
                    Some(reply) => Ok::<_, Infallible>(reply),
                    None => std::future::pending().await,
                }
            }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), service));
    }
}

async fn read(request: Request<Incoming>) -> Asked {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let path = head.uri.path_and_query().unwrap().to_string();
    Asked { method: head.method, path, headers: head.headers, body }
}
