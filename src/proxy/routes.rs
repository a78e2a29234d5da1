//! All routes of the data port on one page, and what happens to a request before its path is looked at.

use std::{
    future::poll_fn,
    mem,
    net::IpAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
};

use axum::{
    Extension, Router,
    body::Body,
    extract::{Path, State},
    response::Response,
    routing::{any, get},
};
use http::{HeaderMap, Method, Request, StatusCode, Uri, uri::PathAndQuery};
use sluice_routing::query_id_of;
use tower::Service as _;

use crate::{
    metrics::{ErrorKind, Operation},
    proxy::{
        answers,
        connection::Client,
        core::Core,
        exchange::{Account, Exchange, learned::Learned},
        followed,
        handed::{self, Answer},
        oauth2, one_way,
        spans::{self, Opened},
        spooled, statement, ui, unavailable, waiting,
    },
    telemetry::context::RequestId,
    trino::{
        client_base::{Asked, ClientBase},
        headers::X_FORWARDED_FOR,
        marker,
    },
};

/// Where statements go.
const STATEMENT: &str = "/v1/statement";

/// What follows a statement: most of what comes.
const FOLLOWED: &str = "/v1/statement/";

/// Answers a request. A statement and what follows it go past the router, whose tree, parameters and boxes would cost as much
/// as finding its owner; and they are made where the connection is, since a box of their size (3 KB) is more than an allocator
/// keeps at hand.
pub(crate) async fn answer(
    core: &Arc<Core>,
    routes: &Router,
    exchange: &Arc<Exchange>,
    request: &mut Request<Body>,
) -> Answer {
    if request.uri().path().starts_with(FOLLOWED) {
        let followed = pin!(followed::statement(core, exchange, request));
        return unless_it_panics(core, followed).await;
    }
    if request.uri().path() == STATEMENT {
        let stated = pin!(new_statement(core, exchange, request));
        return unless_it_panics(core, stated).await;
    }
    let mut request = mem::take(request);
    request.extensions_mut().insert(Arc::clone(exchange));
    let mut routes = routes.clone();
    let mut answered = Box::pin(async move {
        match routes.call(request).await {
            Ok(answer) => handed::other(answer),
            Err(never) => match never {},
        }
    });
    unless_it_panics(core, answered.as_mut()).await
}

/// A panic is a bug, but not the end of the other requests.
async fn unless_it_panics(
    core: &Core,
    mut answer: Pin<&mut impl Future<Output = Answer>>,
) -> Answer {
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(cx))) {
        Ok(poll) => poll,
        Err(_) => {
            core.shared.metrics.error(ErrorKind::Internal, Operation::Other);
            tracing::error!(event = "panic", "a request panicked");
            let words = "the gateway failed at this request";
            let answer = answers::text(StatusCode::INTERNAL_SERVER_ERROR, words);
            Poll::Ready(handed::other(answer))
        }
    })
    .await
}

/// The routes of one data thread, but for [`STATEMENT`] and [`FOLLOWED`]. Everything that is not here is 404 in Trino's words.
pub(crate) fn router(core: &Arc<Core>) -> Router {
    Router::new()
        .route("/v1/query", any(coordinator_wide))
        .route("/v1/query/{*rest}", any(followed_query))
        .route("/v1/spooled/{*rest}", any(spooled_segment))
        .route("/oauth2/{*rest}", any(oauth2_step))
        .route("/", any(web_ui))
        .route("/ui", any(web_ui))
        .route("/ui/", any(web_ui))
        .route("/ui/{*rest}", any(web_ui))
        .route("/login", any(web_ui))
        .route("/login/{*rest}", any(web_ui))
        .route("/logout", any(web_ui))
        .route("/_gateway/ui", get(web_uis))
        .route("/_gateway/ui/{id}", get(query_page))
        .route("/_gateway/queries/{id}", get(waiting_page))
        .route("/v1/info", get(server_info))
        .route("/v1/info/state", get(server_state))
        .route("/v1/info/coordinator", get(|| async { answers::empty() }))
        .fallback(|| async { answers::no_such_path() })
        .method_not_allowed_fallback(|| async { answers::wrong_method() })
        .with_state(Arc::clone(core))
}

type Context = (State<Arc<Core>>, Extension<Arc<Exchange>>);

async fn new_statement(
    core: &Arc<Core>,
    exchange: &Arc<Exchange>,
    request: &mut Request<Body>,
) -> Answer {
    handed::other(match *request.method() {
        Method::POST => statement::submit(core, exchange, request).await,
        Method::HEAD => Box::pin(credential_check(core, exchange, mem::take(request))).await,
        _ => answers::wrong_method(),
    })
}

async fn followed_query(
    (State(core), Extension(exchange)): Context,
    mut request: Request<Body>,
) -> Response {
    followed::query(&core, &exchange, &mut request).await.map(Body::new)
}

async fn coordinator_wide(
    (State(core), Extension(exchange)): Context,
    request: Request<Body>,
) -> Response {
    exchange.account.operation(Operation::QueryInfo);
    one_way::forward(core, exchange, request).await
}

async fn spooled_segment(
    (State(core), Extension(exchange)): Context,
    request: Request<Body>,
) -> Response {
    spooled::segment(core, exchange, request).await
}

async fn oauth2_step(
    (State(core), Extension(exchange)): Context,
    request: Request<Body>,
) -> Response {
    oauth2::step(core, exchange, request).await
}

async fn web_ui((State(core), Extension(exchange)): Context, request: Request<Body>) -> Response {
    // It names no path, and so comes here: no coordinator is a tunnel.
    if *request.method() == Method::CONNECT {
        return answers::wrong_method();
    }
    ui::page(core, exchange, request).await
}

async fn web_uis((State(_), Extension(exchange)): Context) -> Response {
    ui::list(&exchange)
}

async fn query_page(
    (State(core), Extension(exchange)): Context,
    Path(id): Path<String>,
) -> Response {
    ui::query(&core, &exchange, &id)
}

async fn waiting_page(
    (State(core), Extension(exchange)): Context,
    Path(id): Path<String>,
) -> Response {
    waiting::page::browser(&core, &exchange, &id).await
}

async fn server_info((State(core), Extension(exchange)): Context) -> Response {
    answers::server_info(&core, &exchange)
}

async fn server_state((State(core), Extension(exchange)): Context, headers: HeaderMap) -> Response {
    answers::state(&core, &exchange, &headers)
}

/// `HEAD /v1/statement` asks whether a statement would be let in: a backend says so where there is one, 405 if it is too
/// old for the question; it never wakes one.
async fn credential_check(
    core: &Arc<Core>,
    exchange: &Arc<Exchange>,
    request: Request<Body>,
) -> Response {
    exchange.account.operation(Operation::StatementHead);
    one_way::forward_or(Arc::clone(core), Arc::clone(exchange), request, answers::empty).await
}

/// Reads what every request has: the client's base URL, marker, ids; and leaves Trino's own path in the URI.
pub(crate) fn open(
    core: &Arc<Core>,
    client: Client,
    request: &mut Request<Body>,
) -> Result<Arc<Exchange>, String> {
    let peer = client.address;
    let snapshot = core.shared.current.load_full();
    let config = &snapshot.config;
    let trusted =
        |address: IpAddr| config.data.trusted_proxies.iter().any(|net| net.contains(&address));
    let external = config.data.external_url.as_deref().and_then(ClientBase::parse);
    let base = ClientBase::of(&Asked {
        uri: request.uri(),
        headers: request.headers(),
        tls: client.tls,
        trusted: trusted(peer.ip()),
        local: config.data.bind,
        external: external.as_ref(),
    });
    let path = request.uri().path();
    let below = base.strip(path);
    let (marker, rest) = match marker::strip(below) {
        Some((backend, rest)) => (Some(backend), rest),
        None => (None, below),
    };
    if rest.len() != path.len() || request.uri().authority().is_some() {
        let stripped = with_path(request.uri(), rest)?;
        *request.uri_mut() = stripped;
    }
    let asked = query_id_of(request.uri().path(), request.uri().query());
    let generates = config.telemetry.generate_when_absent;
    let Opened { trace, adds_trace, came_with_trace, continues, spans } =
        spans::open(core, generates, peer, asked, request);
    let headers = request.headers();
    Ok(Arc::new(Exchange {
        client: client_address(peer.ip(), headers, trusted),
        request_id: RequestId::of(headers),
        trace,
        adds_trace,
        came_with_trace,
        continues,
        spans,
        is_bare: !client.tls,
        wants_json: unavailable::wants_json(headers),
        learned: Learned::default(),
        account: Account::open(Arc::clone(&core.shared.metrics), request.method()),
        base,
        marker,
        asked,
        snapshot,
    }))
}

/// The last hop that no trusted proxy vouches for (observability.md 5: the rightmost untrusted one).
fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: impl Fn(IpAddr) -> bool) -> IpAddr {
    if !trusted(peer) {
        return peer;
    }
    let lines = headers.get_all(X_FORWARDED_FOR).iter().filter_map(|line| line.to_str().ok());
    let hops: Vec<IpAddr> = lines
        .flat_map(|line| line.split(','))
        .filter_map(|hop| hop.trim().parse::<IpAddr>().ok())
        .map(|hop| hop.to_canonical())
        .collect();
    hops.iter()
        .rev()
        .copied()
        .find(|hop| !trusted(*hop))
        .or_else(|| hops.first().copied())
        .unwrap_or(peer)
}

fn with_path(uri: &Uri, path: &str) -> Result<Uri, String> {
    let path = if path.is_empty() { "/" } else { path };
    let whole = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let whole = PathAndQuery::try_from(whole)
        .map_err(|error| format!("path behind the prefix: {error}"))?;
    let mut parts = http::uri::Parts::default();
    parts.path_and_query = Some(whole);
    Uri::from_parts(parts).map_err(|error| error.to_string())
}
