//! The span of a request from its first byte to the end of its answer, and that of the page in it.

use std::{
    net::SocketAddr,
    sync::{
        OnceLock,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use axum::body::Body;
use http::{HeaderMap, Request, Version, header::USER_AGENT};
use sluice_routing::{BackendName, GroupName, QueryId, query_id_of};
use tokio::time::Instant;

use super::path::{self, Shown};
use crate::{
    proxy::{
        exchange::Exchange,
        statement::asked::{first, user},
    },
    snapshot::Backend,
    telemetry::{
        context::TraceContext,
        traces::{Kind, Span, Traces},
    },
    trino::headers::{
        X_PRESTO_CATALOG, X_PRESTO_SCHEMA, X_PRESTO_SOURCE, X_TRINO_CATALOG, X_TRINO_SCHEMA,
        X_TRINO_SOURCE,
    },
};

/// Texts that clients choose are cut here: a span is no place for more.
const LONGEST: usize = 256;

/// What is put down of a request while it goes on.
#[derive(Debug)]
pub(crate) struct Server {
    pub(super) traces: Traces,
    parent: Option<TraceContext>,
    link: Option<TraceContext>,
    peer: SocketAddr,
    version: Version,
    shown: Shown,
    agent: Option<String>,
    user: Option<String>,
    source: Option<String>,
    namespace: Option<String>,
    query: OnceLock<QueryId>,
    backend: OnceLock<(BackendName, GroupName)>,
    attempts: AtomicU32,
    page: OnceLock<Instant>,
    /// Rows of its page and one; 0: nobody counts them.
    rows: AtomicU64,
}

impl Server {
    pub(super) fn new(
        traces: &Traces,
        parent: Option<TraceContext>,
        link: Option<TraceContext>,
        peer: SocketAddr,
        request: &Request<Body>,
    ) -> Self {
        let (headers, uri) = (request.headers(), request.uri());
        let query = OnceLock::new();
        if let Some(id) = query_id_of(uri.path(), None) {
            let _ = query.set(id);
        }
        Self {
            traces: traces.clone(),
            parent,
            link,
            peer,
            version: request.version(),
            shown: Shown::of(uri.path()),
            agent: text(headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok())),
            user: if traces.captures().user { text(user(headers).as_deref()) } else { None },
            source: text(first(headers, [X_TRINO_SOURCE, X_PRESTO_SOURCE])),
            namespace: namespace(headers),
            query,
            backend: OnceLock::new(),
            attempts: AtomicU32::new(0),
            page: OnceLock::new(),
            rows: AtomicU64::new(0),
        }
    }

    pub(super) fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    pub(super) fn names(&self, query: QueryId) {
        let _ = self.query.set(query);
    }

    pub(super) fn streams(&self) {
        let _ = self.page.set(Instant::now());
    }

    /// So many more rows of its page have passed.
    pub(super) fn counted(&self, rows: u64) {
        let before = self.rows.load(Ordering::Relaxed).max(1);
        self.rows.store(before.saturating_add(rows), Ordering::Relaxed);
    }

    /// Another attempt at a backend; how many there were before.
    pub(super) fn attempted(&self, backend: &Backend) -> u32 {
        let _ = self.backend.set((backend.name.clone(), backend.group.clone()));
        self.attempts.fetch_add(1, Ordering::Relaxed)
    }

    /// Tells of the request, which has ended.
    pub(super) fn end(&self, exchange: &Exchange, status: u16) {
        self.tell_page(exchange);
        let method = path::method(exchange.account.method());
        let started = exchange.account.started();
        let mut span = Span::new(self.shown.name(method), Kind::Server, exchange.trace, started)
            .continuing(self.parent);
        self.link.into_iter().for_each(|link| span.link(link));
        span.set("http.request.method", method);
        span.set_known("http.route", self.shown.route);
        span.set("http.response.status_code", i64::from(status));
        if status >= 500 {
            span.set("error.type", status.to_string());
            span.fail(status.to_string());
        }
        self.describe(&mut span, exchange);
        self.traces.tell(span);
    }

    fn describe(&self, span: &mut Span, exchange: &Exchange) {
        let base = &exchange.base;
        span.set("url.path", self.shown.path.clone());
        span.set("url.scheme", base.scheme.as_str());
        let host = base.authority.rsplit_once(':').map_or(&*base.authority, |(host, _)| host);
        span.set("server.address", host.to_owned());
        span.set("server.port", i64::from(base.port()));
        span.set("client.address", exchange.client.to_string());
        span.set("network.peer.address", self.peer.ip().to_string());
        span.set("network.peer.port", i64::from(self.peer.port()));
        span.set("network.protocol.version", version(self.version));
        span.set_known("user_agent.original", self.agent.clone());
        let group = exchange.account.group_name().map(str::to_owned);
        let backend = self.backend.get();
        let group = group.or_else(|| backend.map(|(_, group)| group.as_str().to_owned()));
        span.set_known("gateway.routing_group", group);
        span.set_known("gateway.backend", backend.map(|(name, _)| name.as_ref().to_owned()));
        span.set("gateway.operation", exchange.account.label().as_str());
        span.set_known("trino.query_id", self.query.get().map(|id| id.as_str().to_owned()));
        span.set_known("trino.user", self.user.clone());
        span.set_known("trino.source", self.source.clone());
    }

    fn tell_page(&self, exchange: &Exchange) {
        let Some(began) = self.page.get() else { return };
        let context = exchange.trace.child();
        let mut span =
            Span::new("gateway.results", Kind::Internal, context, *began).below(exchange.trace);
        let bytes = exchange.account.bytes_out();
        span.set("gateway.bytes", i64::try_from(bytes).unwrap_or(i64::MAX));
        let rows = self.rows.load(Ordering::Relaxed).checked_sub(1);
        span.set_known("gateway.rows", rows.and_then(|rows| i64::try_from(rows).ok()));
        let token = self.shown.token.and_then(|token| i64::try_from(token).ok());
        span.set_known("gateway.page_token", token);
        self.traces.tell(span);
    }
}

/// `catalog|schema`, as the conventions for databases want it.
fn namespace(headers: &HeaderMap) -> Option<String> {
    let catalog = first(headers, [X_TRINO_CATALOG, X_PRESTO_CATALOG])?;
    let schema = first(headers, [X_TRINO_SCHEMA, X_PRESTO_SCHEMA]);
    text(Some(&schema.map_or_else(|| catalog.to_owned(), |schema| format!("{catalog}|{schema}"))))
}

fn text(said: Option<&str>) -> Option<String> {
    said.map(|said| said.chars().take(LONGEST).collect())
}

fn version(of: Version) -> &'static str {
    match of {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        _ => "1.1",
    }
}
