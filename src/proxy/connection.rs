//! One client connection: its preface, its deadlines, its requests one after another, and its end.

use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use http::{HeaderValue, Method, Request, Response, StatusCode, header::CONNECTION};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};
use tower::Service;

use crate::{
    config::model::Data,
    proxy::{
        answers,
        core::{Core, Stops},
        deadlines::{Guarded, Limits, Stage},
        port::Accepted,
        preface, routes,
    },
    telemetry::context::{X_REQUEST_ID, X_TRACE_ID},
};

/// Trino's clients send some tens; 1,000 must pass (trino-protocol.md 1.5).
const MOST_HEADERS: usize = 1_100;

/// 1 MiB of headers must pass; the request line and what frames each header come on top.
const LONGEST_HEAD: usize = (1 << 20) + (64 << 10);

/// Longer than the first probe of a backend that is there, shorter than any client's patience.
const FIRST_WORDS: Duration = Duration::from_secs(3);

/// When the port has closed, a request may already be on its way on a connection that looks idle, or has just been
/// accepted: closing that one would fail its client.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Between two looks at the probes' results.
const GLANCE: Duration = Duration::from_millis(10);

/// Serves a connection until it ends.
pub(crate) async fn serve(core: Arc<Core>, routes: Router, accepted: Accepted, stops: Stops) {
    let Accepted { socket, peer, permit: _permit, place: _place } = accepted;
    let _open = core.shared.metrics.connection();
    let data = core.shared.current.load().config.data.clone();
    let Ok(mut socket) = TcpStream::from_std(socket) else { return };
    let mut client = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    if data.proxy_protocol {
        match timeout(data.header_timeout.get(), preface::read(&mut socket)).await {
            // Anybody else could name a trusted proxy as himself.
            Ok(Ok(named)) if vouches(&data, client) => client = named.unwrap_or(client),
            Ok(Ok(_)) => {
                return tracing::debug!(event = "connection_refused", %peer, "not a trusted proxy");
            }
            Ok(Err(error)) => {
                return tracing::debug!(event = "connection_refused", %peer, %error, "no PROXY header");
            }
            Err(_) => return,
        }
    }
    let limits = Limits {
        idle: data.idle_timeout.get(),
        head: data.header_timeout.get(),
        write: data.write_timeout.get(),
    };
    let stage = Arc::new(Stage::default());
    let io = TokioIo::new(Guarded::new(socket, limits, Arc::clone(&stage)));
    let service = service_fn(move |request| {
        let (core, routes, stage) = (Arc::clone(&core), routes.clone(), Arc::clone(&stage));
        async move {
            Ok::<_, std::convert::Infallible>(answer(core, routes, stage, client, request).await)
        }
    });
    let connection = http1::Builder::new()
        .max_headers(MOST_HEADERS)
        .max_header_size(LONGEST_HEAD)
        .max_buf_size(LONGEST_HEAD)
        .serve_connection(io, service);
    let mut connection = pin!(connection);
    let finish = async {
        stops.finish.cancelled().await;
        sleep(LAST_WORDS).await;
    };
    tokio::select! {
        biased;
        () = stops.cut.cancelled() => return,
        outcome = connection.as_mut() => return ended(peer, outcome),
        () = finish => connection.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        () = stops.cut.cancelled() => {}
        outcome = connection.as_mut() => ended(peer, outcome),
    }
}

/// Whether a PROXY header of that peer is believed: any, unless trusted proxies are named.
fn vouches(data: &Data, peer: SocketAddr) -> bool {
    data.trusted_proxies.is_empty()
        || data.trusted_proxies.iter().any(|net| net.contains(&peer.ip()))
}

fn ended(peer: SocketAddr, outcome: Result<(), hyper::Error>) {
    if let Err(error) = outcome {
        tracing::debug!(event = "connection_ended", %peer, %error, "client connection ended early");
    }
}

/// A gateway that has just started takes statements before its probes have spoken; they wait for these, so that a
/// rolling restart refuses nobody. Afterwards it costs a glance.
async fn first_words(core: &Core) {
    if core.shared.heard.get().is_some() {
        return;
    }
    let heard = async {
        while !core.shared.current.load().has_heard_all() {
            sleep(GLANCE).await;
        }
    };
    // Who has not spoken by then counts as unreachable.
    let _ = timeout(FIRST_WORDS, heard).await;
    // Once: a backend that a reload adds holds nobody up.
    let _ = core.shared.heard.set(());
}

/// `/metrics`, where `metrics.onDataPort` says so. It is no exchange: nothing of it is counted, and the page is made
/// elsewhere.
async fn page_of_metrics(core: &Core, request: &Request<Incoming>) -> Option<Response<Body>> {
    if request.uri().path() != "/metrics" || request.method() != Method::GET {
        return None;
    }
    let metrics = core.shared.current.load().config.metrics.clone();
    let scrape = core.shared.scrape.get().filter(|_| metrics.on_data_port)?;
    Some(scrape.answer(request.headers(), metrics.exemplars).await.map(Body::from))
}

async fn answer(
    core: Arc<Core>,
    mut routes: Router,
    stage: Arc<Stage>,
    client: SocketAddr,
    request: Request<Incoming>,
) -> Response<Body> {
    stage.busy();
    if request.method() == Method::POST {
        first_words(&core).await;
    }
    if let Some(answer) = page_of_metrics(&core, &request).await {
        stage.idle();
        return answer;
    }
    let mut request = request.map(Body::new);
    let exchange = match routes::open(&core, client, &mut request) {
        Ok(exchange) => Arc::new(exchange),
        Err(why) => {
            stage.idle();
            return answers::text(StatusCode::BAD_REQUEST, &why);
        }
    };
    request.extensions_mut().insert(Arc::clone(&exchange));
    let mut answer = match routes.call(request).await {
        Ok(answer) => answer,
        Err(never) => match never {},
    };
    let headers = answer.headers_mut();
    headers.insert(X_REQUEST_ID, exchange.request_id.header());
    if let Ok(trace) = HeaderValue::from_str(exchange.trace.trace_id()) {
        headers.insert(X_TRACE_ID, trace);
    }
    // Asked last: a long poll that began before the drain must ask its client to leave, too.
    if core.shared.lifecycle.is_draining() {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    exchange.close_with(answer, stage)
}
