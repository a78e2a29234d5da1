//! All routes of the data port on one page, and what happens to a request before its path is looked at.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Extension, Router,
    body::Body,
    extract::State,
    response::Response,
    routing::{any, get},
};
use http::{HeaderMap, Method, Request, StatusCode, Uri, header::AUTHORIZATION, uri::PathAndQuery};
use tower_http::catch_panic::CatchPanicLayer;

use crate::{
    metrics::{ErrorKind, Operation},
    proxy::{
        answers,
        core::Core,
        exchange::{Account, Exchange},
        followed, one_way, spooled, statement,
    },
    telemetry::context::{RequestId, TraceContext},
    trino::{
        client_base::{self, Peer},
        marker,
    },
};

/// The routes of one data thread. Everything that is not here is 404 in Trino's words.
pub(crate) fn router(core: &Arc<Core>) -> Router {
    let shared = Arc::clone(&core.shared);
    Router::new()
        .route("/v1/statement", any(new_statement))
        .route("/v1/statement/{*rest}", any(followed_statement))
        .route("/v1/query", any(coordinator_wide))
        .route("/v1/query/{*rest}", any(followed_query))
        .route("/v1/spooled/{*rest}", any(spooled_segment))
        .route("/v1/info", get(server_info))
        .route("/v1/info/state", get(server_state))
        .route("/v1/info/coordinator", get(|| async { answers::empty() }))
        .fallback(|| async { answers::no_such_path() })
        .method_not_allowed_fallback(|| async { answers::wrong_method() })
        // A panic is a bug, but not the end of the other requests.
        .layer(CatchPanicLayer::custom(move |_| {
            shared.metrics.error(ErrorKind::Internal, Operation::Other);
            tracing::error!(event = "panic", "a request panicked");
            answers::text(StatusCode::INTERNAL_SERVER_ERROR, "Error 500 Internal Server Error".to_owned())
        }))
        .with_state(Arc::clone(core))
}

type Context = (State<Arc<Core>>, Extension<Arc<Exchange>>);

async fn new_statement((State(core), Extension(exchange)): Context, request: Request<Body>) -> Response {
    match *request.method() {
        Method::POST => statement::submit(core, exchange, request).await,
        Method::HEAD => credential_check(core, exchange, request).await,
        _ => answers::wrong_method(),
    }
}

async fn followed_statement((State(core), Extension(exchange)): Context, request: Request<Body>) -> Response {
    followed::statement(core, exchange, request).await
}

async fn followed_query((State(core), Extension(exchange)): Context, request: Request<Body>) -> Response {
    followed::query(core, exchange, request).await
}

async fn coordinator_wide((State(core), Extension(exchange)): Context, request: Request<Body>) -> Response {
    exchange.account.operation(Operation::QueryInfo);
    one_way::forward(core, exchange, request).await
}

async fn spooled_segment((State(core), Extension(exchange)): Context, request: Request<Body>) -> Response {
    spooled::segment(core, exchange, request).await
}

async fn server_info((State(core), Extension(exchange)): Context) -> Response {
    answers::server_info(&core, &exchange)
}

async fn server_state((State(core), Extension(exchange)): Context, headers: HeaderMap) -> Response {
    answers::state(&core, &exchange, &headers)
}

/// `HEAD /v1/statement` shows a wrong password where a backend is there to say so; it never wakes one.
async fn credential_check(core: Arc<Core>, exchange: Arc<Exchange>, request: Request<Body>) -> Response {
    exchange.account.operation(Operation::StatementHead);
    if !request.headers().contains_key(AUTHORIZATION) {
        return answers::empty();
    }
    one_way::forward_or(core, exchange, request, answers::empty).await
}

/// Reads what every request has: the client's base URL, marker, ids; and leaves Trino's own path in the URI.
pub(crate) fn open(core: &Arc<Core>, client: SocketAddr, request: &mut Request<Body>) -> Result<Exchange, String> {
    let snapshot = core.shared.current.load_full();
    let data = &snapshot.config.data;
    let trusted = data.trusted_proxies.iter().any(|net| net.contains(&client.ip()));
    let peer = Peer { address: client.ip(), trusted, bind: data.bind };
    let read = client_base::read(request.headers(), &peer, data.external_url.as_deref());
    let path = request.uri().path();
    let below = path.strip_prefix(read.base.prefix.as_str()).filter(|rest| rest.starts_with('/')).unwrap_or(path);
    let (marked, rest) = match marker::strip(below) {
        Some((backend, rest)) => (Some(backend), rest),
        None => (None, below),
    };
    if rest.len() != path.len() {
        let stripped = with_path(request.uri(), rest)?;
        *request.uri_mut() = stripped;
    }
    let generate = snapshot.config.telemetry.generate_when_absent;
    Ok(Exchange {
        base: read.base,
        client: read.client,
        marker: marked,
        peer: client,
        request_id: RequestId::read(request.headers()).into_value(),
        trace: TraceContext::read(request.headers(), generate),
        account: Account::open(Arc::clone(&core.shared.metrics), request.method()),
        snapshot,
    })
}

fn with_path(uri: &Uri, path: &str) -> Result<Uri, String> {
    let path = if path.is_empty() { "/" } else { path };
    let whole = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let whole = PathAndQuery::try_from(whole).map_err(|error| format!("path behind the prefix: {error}"))?;
    let mut parts = http::uri::Parts::default();
    parts.path_and_query = Some(whole);
    Uri::from_parts(parts).map_err(|error| error.to_string())
}
