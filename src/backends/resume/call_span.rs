//! The span of one call of a driver.
//!
//! It names the server and nothing else of a URL: the rest may hold a secret.

use tokio::time::Instant;
use url::Url;

use crate::{
    backends::resume::driver::{Accepted, Action, Call, CallError},
    config::model::Resume,
    metrics::Provider,
    telemetry::{
        context::TraceContext,
        traces::{Kind, Span, Traces},
    },
};

/// What a collector is told of a call that is about to be made.
#[derive(Debug)]
pub(crate) struct CallSpan {
    traces: Traces,
    resume: TraceContext,
    context: TraceContext,
    server: Option<Url>,
    backend: String,
    before: u32,
}

impl CallSpan {
    /// A call below the span of its resume; the context that it carries is its own.
    pub(crate) fn new(
        traces: &Traces,
        resume: TraceContext,
        context: TraceContext,
        call: &Call,
        of: &Resume,
    ) -> Self {
        Self {
            traces: traces.clone(),
            resume,
            context,
            server: server(of, call.action),
            backend: call.backend.as_ref().to_owned(),
            before: call.attempt.saturating_sub(1),
        }
    }

    /// The driver answered.
    pub(crate) fn ended(
        self,
        provider: Provider,
        answer: &Result<Accepted, CallError>,
        began: Instant,
    ) {
        let method = method(provider);
        let name = method.unwrap_or(provider.as_str());
        let mut span = Span::new(name, Kind::Client, self.context, began).below(self.resume);
        span.set_known("http.request.method", method);
        let host = self.server.as_ref().and_then(Url::host_str).map(str::to_owned);
        span.set_known("server.address", host);
        let port = self.server.as_ref().and_then(Url::port_or_known_default);
        span.set_known("server.port", port.map(i64::from));
        span.set("gateway.backend", self.backend);
        span.set("gateway.resume.provider", provider.as_str());
        if self.before > 0 {
            span.set("http.request.resend_count", i64::from(self.before));
        }
        let failed = match answer {
            Ok(_) => None,
            Err(CallError::Timeout) => Some("timeout"),
            Err(CallError::Permanent(_)) => Some("rejected"),
            Err(CallError::Transient { .. }) => Some("failure"),
        };
        if let Some(kind) = failed {
            span.set("error.type", kind);
            span.fail(kind);
        }
        self.traces.tell(span);
    }
}

/// How a driver asks, where it asks over HTTP.
fn method(provider: Provider) -> Option<&'static str> {
    match provider {
        Provider::Webhook | Provider::XtrinodeApi => Some("POST"),
        Provider::KubernetesScale
        | Provider::Xtrinode
        | Provider::Stackable
        | Provider::CustomResource => Some("PATCH"),
        _ => None,
    }
}

fn server(of: &Resume, action: Action) -> Option<Url> {
    let webhook = of.webhook.as_ref().and_then(|webhook| match action {
        Action::Resume => Some(webhook.resume_url.as_str()),
        Action::Suspend => webhook.suspend_url.as_deref(),
    });
    let runtime = of.xtrinode_api.as_ref().and_then(|api| api.url.as_deref());
    webhook.or(runtime).and_then(|url| Url::parse(url).ok())
}
