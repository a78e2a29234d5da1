//! A collector that takes every span and keeps none: what tracing costs the gateway, without what it costs others.

use std::{convert::Infallible, net::SocketAddr};

use bytes::Bytes;
use http::{Request, Response, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Empty};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::spawn_local};

/// Serves OTLP over HTTP on a free port, on the current thread.
pub(crate) async fn start() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    spawn_local(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let connection =
                http1::Builder::new().serve_connection(TokioIo::new(socket), service_fn(take));
            spawn_local(async move {
                let _ = connection.await;
            });
        }
    });
    address
}

/// An empty body is an `ExportTraceServiceResponse` that refuses nothing.
async fn take(request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, Infallible> {
    let _ = request.into_body().collect().await;
    let answer = Response::builder().header(CONTENT_TYPE, "application/x-protobuf");
    Ok(answer.body(Empty::new()).expect("a plain answer"))
}
