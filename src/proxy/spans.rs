//! What a collector is told of a request: its own span and those below it.
//!
//! A request that no trace of ours contains has none of this: its headers pass as they came. One whose trace is not
//! sampled costs two random numbers: its own id, and that of the request to the coordinator. Of a sampled one the facts
//! are put down as they come, and the spans are built when the exchange ends (`server`), an attempt at a coordinator has
//! ended (`attempt`), or a decision was made (`decision`). Paths are shown without slugs (`path`).

use std::{net::SocketAddr, sync::Arc};

use axum::body::Body;
use http::Request;
use sluice_routing::QueryId;
use tokio::time::Instant;

use crate::{
    proxy::{core::Core, exchange::Exchange, statement::asked::Asked, upstream::Asking},
    queries::{is_ours, query::About},
    snapshot::Backend,
    telemetry::{
        context::{TRACEPARENT, TraceContext},
        traces::{
            Traces,
            inject::{self, State},
            query::QuerySpan,
        },
    },
};

mod attempt;
mod decision;
mod path;
mod server;

use self::{attempt::Attempt, server::Server};

/// What a collector is told of one request.
#[derive(Debug)]
pub(crate) enum Spans {
    /// Nothing, and no header is changed: export is off, or the request belongs to no trace.
    Off,
    /// Nothing, since its trace is not sampled.
    Unsampled,
    /// What is put down here.
    Sampled(Box<Server>),
}

/// The trace of a request that has just come.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) trace: TraceContext,
    pub(crate) adds_trace: bool,
    pub(crate) came_with_trace: bool,
    pub(crate) continues: bool,
    pub(crate) spans: Spans,
}

/// Reads the trace that a request came with, or continues that of its query, or begins one.
///
/// `generates`: whether one begins where none came.
pub(crate) fn open(
    core: &Core,
    generates: bool,
    peer: SocketAddr,
    asked: Option<QueryId>,
    request: &Request<Body>,
) -> Opened {
    let headers = request.headers();
    let came_with_trace = headers.contains_key(TRACEPARENT);
    let traces = &core.shared.traces;
    let continued = asked.filter(|_| !came_with_trace).and_then(|asked| trace_of(core, asked));
    let parent = continued.or_else(|| TraceContext::read(headers));
    let adds_trace = !came_with_trace && (generates || continued.is_some());
    let continues = continued.is_some();
    if !traces.is_on() || !(came_with_trace || adds_trace) {
        let trace = parent.unwrap_or_else(TraceContext::generate);
        return Opened { trace, adds_trace, came_with_trace, continues, spans: Spans::Off };
    }
    if came_with_trace && parent.is_none() {
        tracing::debug!(
            event = "traceparent_invalid",
            "a trace that cannot be read is not continued"
        );
    }
    let trace = parent.map_or_else(|| traces.root(), |parent| parent.child());
    let spans = if trace.is_sampled() {
        let link = asked.and_then(|asked| linked(core, asked, parent));
        Spans::Sampled(Box::new(Server::new(traces, parent, link, peer, request)))
    } else {
        Spans::Unsampled
    };
    Opened { trace, adds_trace, came_with_trace, continues, spans }
}

/// The trace of the POST that began the query which a path names: clients send it there only (peers L16).
fn trace_of(core: &Core, id: QueryId) -> Option<TraceContext> {
    with_query(core, id, |about| about.trace.map(|trace| trace.context()))?
}

/// The span of that query, for a poll that is not below it.
fn linked(core: &Core, id: QueryId, parent: Option<TraceContext>) -> Option<TraceContext> {
    let of = |about: &About| match &about.span {
        Some(span) => Some(span.context()),
        None => about.trace.map(|trace| trace.context()),
    };
    with_query(core, id, of)?.filter(|link| parent.is_none_or(|parent| parent != *link))
}

/// What is known of a query, whether it waits still or not.
fn with_query<T>(core: &Core, id: QueryId, look: impl FnOnce(&About) -> T) -> Option<T> {
    if !is_ours(id) {
        return Some(look(&core.shared.table.get(id)?.about));
    }
    match core.shared.rooms.find(id) {
        Some(waiting) => Some(look(&waiting.about)),
        None => Some(look(&core.shared.table.get(core.shared.table.present_id(id))?.about)),
    }
}

impl Spans {
    /// The facts of a request that is told of.
    fn server(&self) -> Option<&Server> {
        match self {
            Self::Sampled(server) => Some(server),
            Self::Off | Self::Unsampled => None,
        }
    }

    /// Names the attempt that is about to be made in the request's headers; its span, if it is told of.
    pub(crate) fn attempt<'a>(
        &'a self,
        exchange: &'a Exchange,
        backend: &Arc<Backend>,
        asking: &mut Asking<'_>,
    ) -> Option<Box<Attempt<'a>>> {
        if matches!(self, Self::Off) {
            return None;
        }
        let context = exchange.trace.child();
        let headers = &mut asking.headers;
        match inject::state(headers.client(), &context) {
            State::Stays => {}
            State::Goes => headers.take_away(inject::TRACESTATE),
            State::Becomes(state) => headers.set(inject::TRACESTATE, state),
        }
        context.header().into_iter().for_each(|parent| headers.set(TRACEPARENT, parent));
        let server = self.server()?;
        Some(Box::new(Attempt::begin(server, exchange, backend, context, asking)))
    }

    /// The span of the query that a POST asks for; what counts as none has none.
    pub(crate) fn query(&self, exchange: &Exchange, asked: &Asked) -> Option<Arc<QuerySpan>> {
        let server = self.server().filter(|_| asked.is_demand())?;
        let started = exchange.account.started();
        let span = QuerySpan::open(&server.traces, exchange.trace, started);
        decision::describe(&span, asked, server.namespace());
        Some(Arc::new(span))
    }

    /// When a decision begins; nothing where it is not told of.
    pub(crate) fn clock(&self) -> Option<Instant> {
        self.server().map(|_| Instant::now())
    }

    /// Where the spans of this request go; nothing where it is not told of.
    pub(crate) fn traces(&self) -> Option<&Traces> {
        self.server().map(|server| &server.traces)
    }

    /// Which query it turned out to be about.
    pub(crate) fn names(&self, query: QueryId) {
        self.server().into_iter().for_each(|server| server.names(query));
    }

    /// So many more rows of its page have passed.
    pub(crate) fn counted(&self, rows: u64) {
        self.server().into_iter().for_each(|server| server.counted(rows));
    }

    /// The answer is a page, which begins to stream now.
    pub(crate) fn streams(&self) {
        self.server().into_iter().for_each(Server::streams);
    }

    /// The request has ended.
    pub(crate) fn end(&self, exchange: &Exchange, status: u16) {
        self.server().into_iter().for_each(|server| server.end(exchange, status));
    }
}
