//! The span of one attempt at a coordinator: from the request to the head of its answer, or to the failure.
//!
//! It is told also when nobody waits for the answer any more.

use std::{net::SocketAddr, sync::Arc};

use http::{Method, Response};
use tokio::time::Instant;

use super::{
    path::{self, Shown},
    server::Server,
};
use crate::{
    proxy::{
        exchange::Exchange,
        upstream::{self, AnswerBody, Asking, Failure},
    },
    snapshot::Backend,
    telemetry::{
        context::TraceContext,
        traces::{Kind, Span},
    },
};

/// An attempt under way.
#[derive(Debug)]
pub(crate) struct Attempt<'a> {
    server: &'a Server,
    exchange: &'a Exchange,
    backend: Arc<Backend>,
    context: TraceContext,
    method: Method,
    shown: Shown,
    before: u32,
    started: Instant,
    outcome: Outcome,
}

#[derive(Debug)]
enum Outcome {
    /// The client left, or another backend was quicker.
    Unheard,
    Answered(u16, Option<SocketAddr>),
    Failed(&'static str),
}

impl<'a> Attempt<'a> {
    pub(super) fn begin(
        server: &'a Server,
        exchange: &'a Exchange,
        backend: &Arc<Backend>,
        context: TraceContext,
        asking: &Asking<'_>,
    ) -> Self {
        let path = asking.uri.path();
        let below = path.strip_prefix(&*backend.url.base_path).unwrap_or(path);
        Self {
            server,
            exchange,
            context,
            method: asking.method.clone(),
            shown: Shown::of(below),
            before: server.attempted(backend),
            backend: Arc::clone(backend),
            started: Instant::now(),
            outcome: Outcome::Unheard,
        }
    }

    /// The backend answered, or did not.
    pub(crate) fn ended(mut self, outcome: &Result<Response<AnswerBody>, Failure>) {
        self.outcome = match outcome {
            Ok(answer) => Outcome::Answered(answer.status().as_u16(), upstream::peer(answer)),
            Err(failure) => Outcome::Failed(failure.kind().as_str()),
        };
    }

    fn span(&self) -> Span {
        let method = path::method(&self.method);
        let mut span =
            Span::new(method, Kind::Client, self.context, self.started).below(self.exchange.trace);
        let url = &self.backend.url;
        span.set("http.request.method", method);
        span.set("server.address", url.authority.host().to_owned());
        let port = url.authority.port_u16();
        let usual = if url.scheme == http::uri::Scheme::HTTPS { 443 } else { 80 };
        span.set("server.port", i64::from(port.unwrap_or(usual)));
        span.set("url.full", format!("{url}{}", self.shown.path));
        span.set_known("url.template", self.shown.route);
        span.set("gateway.backend", self.backend.name.as_ref().to_owned());
        if self.before > 0 {
            span.set("http.request.resend_count", i64::from(self.before));
        }
        match &self.outcome {
            Outcome::Unheard => span.set("error.type", "canceled"),
            Outcome::Failed(kind) => {
                span.set("error.type", *kind);
                span.fail(*kind);
            }
            Outcome::Answered(status, peer) => {
                span.set("http.response.status_code", i64::from(*status));
                span.set_known("network.peer.address", peer.map(|peer| peer.ip().to_string()));
                if *status >= 400 {
                    span.set("error.type", status.to_string());
                    span.fail(status.to_string());
                }
            }
        }
        span
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.server.traces.tell(self.span());
    }
}
