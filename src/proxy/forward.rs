//! One attempt to one backend: which URI mode, which headers, and what is done to the answer's URIs.
//!
//! A plan is made first, from the snapshot alone; sending follows it. Retrying is the caller's business.

use std::sync::Arc;

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Uri,
    header::{ACCEPT_ENCODING, HOST, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE},
    uri::PathAndQuery,
};
use sluice_routing::GroupName;

use crate::{
    backends::passive,
    metrics::{ErrorKind, Unavailable, UpstreamError},
    moment,
    proxy::{
        answers,
        core::Core,
        exchange::{Exchange, line},
        unavailable,
        upstream::{AnswerBody, Asking, Failure, Headers, Outgoing, Upstream},
    },
    snapshot::Backend,
    trino::{
        client_base::ClientBase,
        headers::{
            TRACEPARENT, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PORT, X_FORWARDED_PREFIX,
            X_FORWARDED_PROTO, X_REQUEST_ID, hop_by_hop, readable_encodings,
        },
        marker,
        patch::{Patch, Scope, kept::Needs, replace_origin},
        uris::{self, Mode},
    },
};

/// What kind of answer is expected; it decides whether the marker must be put in by us.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Page {
    /// The answer to a POST, or a queued page: small, never compressed when it must be patched.
    Early,
    /// An executing page of the direct protocol: passes untouched unless its URIs would be wrong.
    Executing,
    /// An executing page of a query whose results are spooled.
    Spooled,
    /// Not a page of the statement chain.
    None,
}

/// How one request goes to one backend and what its answer needs.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    mode: Mode,
    prefix: Option<String>,
    identity: bool,
    /// The URIs to change on a page: origins that the backend will write, and what must stand there.
    pub(crate) patch: Option<Arc<Patch>>,
}

impl Plan {
    /// Chooses the URI mode of design.md 4 and what follows from it.
    pub(crate) fn new(exchange: &Exchange, backend: &Backend, page: Page) -> Self {
        let base = &exchange.base;
        let mode = uris::choose(
            backend.uris.mode(),
            backend.capabilities.as_ref(),
            base,
            backend.url.scheme.as_str(),
            &backend.url.base_path,
        );
        let marked = exchange.snapshot.has_several_backends() && page != Page::None;
        let marker = || if marked { marker::prefix(&backend.name) } else { String::new() };
        let wants_prefix = marked || !base.prefix.is_empty();
        let proves_prefix =
            mode == Mode::Forwarded && backend.capabilities.as_ref().is_some_and(|c| c.prefix);
        if proves_prefix || (mode != Mode::Rewrite && !wants_prefix) {
            let prefix =
                (proves_prefix && wants_prefix).then(|| format!("{}{}", base.prefix, marker()));
            return Self { mode, prefix, identity: false, patch: None };
        }
        // Without a proven prefix the marker is ours to write, on the small pages only; a client's own prefix
        // is needed on every page.
        let every_page = mode == Mode::Rewrite || !base.prefix.is_empty();
        let this_page = every_page || matches!(page, Page::Early | Page::Spooled);
        let scope = if page == Page::Spooled { Scope::Spooled } else { Scope::Head };
        let marked = marked.then_some(backend.name.as_ref());
        let patch = this_page.then(|| {
            backend.live.patch.of(&Needs { mode, base, marked, scope }, || Patch {
                from: origins(mode, base, backend),
                to: format!("{base}{}", marker()),
                scope,
            })
        });
        let identity = patch.is_some() && page != Page::None;
        Self { mode, prefix: None, identity, patch }
    }
}

/// What a backend's URIs begin with in the given mode.
fn origins(mode: Mode, base: &ClientBase, backend: &Backend) -> Vec<String> {
    match mode {
        Mode::Rewrite => uris::own_bases(
            backend.url.scheme.as_str(),
            backend.url.authority.as_str(),
            &backend.url.base_path,
        ),
        Mode::Forwarded | Mode::Host => {
            uris::own_bases(base.scheme.as_str(), &base.authority, &base.prefix)
        }
    }
}

/// Builds the request that the plan wants; `headers` are the client's, cleaned.
pub(crate) fn asking<'a>(
    exchange: &Exchange,
    backend: &Backend,
    plan: &Plan,
    (method, path): (Method, &PathAndQuery),
    headers: &'a HeaderMap,
) -> Result<Asking<'a>, Failure> {
    let unsendable = |error: http::Error| Failure::Unsendable(error.to_string());
    let uri = uri(backend, path).map_err(unsendable)?;
    let headers = said(exchange, backend, plan, headers).map_err(unsendable)?;
    Ok(Asking { method, uri, headers })
}

fn said<'a>(
    exchange: &Exchange,
    backend: &Backend,
    plan: &Plan,
    client: &'a HeaderMap,
) -> Result<Headers<'a>, http::Error> {
    let mut headers = Headers::of(client);
    let host = if plan.mode == Mode::Host {
        exchange.base.authority.as_str()
    } else {
        backend.url.authority.as_str()
    };
    headers.set(HOST, HeaderValue::from_str(host)?);
    if plan.mode == Mode::Forwarded {
        forwarded(exchange, plan, &mut headers)?;
    }
    if plan.identity {
        headers.set(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    } else if let Some(readable) = readable_encodings(client) {
        headers.set(ACCEPT_ENCODING, readable);
    }
    headers.set(X_REQUEST_ID, exchange.request_id.header());
    if exchange.adds_trace && !client.contains_key(TRACEPARENT) {
        exchange.trace.header().into_iter().for_each(|trace| headers.set(TRACEPARENT, trace));
    }
    Ok(headers)
}

fn uri(backend: &Backend, path: &PathAndQuery) -> Result<Uri, http::Error> {
    let parts =
        Uri::builder().scheme(backend.url.scheme.clone()).authority(backend.url.authority.clone());
    if backend.url.base_path.is_empty() {
        return parts.path_and_query(path.clone()).build();
    }
    parts.path_and_query(format!("{}{path}", backend.url.base_path)).build()
}

fn forwarded(
    exchange: &Exchange,
    plan: &Plan,
    headers: &mut Headers<'_>,
) -> Result<(), http::Error> {
    let base = &exchange.base;
    headers.set(X_FORWARDED_PROTO, HeaderValue::from_static(base.scheme.as_str()));
    headers.set(X_FORWARDED_HOST, HeaderValue::from_str(&base.authority)?);
    headers.set(X_FORWARDED_PORT, HeaderValue::from(base.port()));
    headers.set(X_FORWARDED_FOR, HeaderValue::from_str(&exchange.client.to_string())?);
    if let Some(prefix) = &plan.prefix {
        headers.set(X_FORWARDED_PREFIX, HeaderValue::from_str(prefix)?);
    }
    Ok(())
}

/// Sends a request, times it, and tells the backend's counters and its circuit how it went.
pub(crate) async fn send(
    upstream: &Upstream,
    exchange: &Exchange,
    backend: &Arc<Backend>,
    asking: &mut Asking<'_>,
    body: Outgoing,
    within: std::time::Duration,
) -> Result<Response<AnswerBody>, Failure> {
    exchange.learned.backend(&backend.name);
    let is_statement = asking.method == Method::POST;
    let told = exchange.spans.attempt(exchange, backend, asking);
    let started = moment::now();
    let outcome = upstream.send(backend.trust.as_ref(), asking, body, within).await;
    told.into_iter().for_each(|attempt| attempt.ended(&outcome));
    let took = moment::now().saturating_duration_since(started);
    exchange.account.waited(took);
    match &outcome {
        Ok(answer) => {
            backend.live.metrics.attempt(answer.status().as_u16(), took);
            passive::answered(backend, answer.status());
        }
        Err(failure) => {
            let kind = failure.kind();
            backend.live.metrics.failed(kind);
            // A poll may rightly take long; only a new statement's time-out says something of the backend.
            if is_statement || kind != UpstreamError::Timeout {
                passive::failed(backend, kind);
            }
            line!(
                warn, exchange, target: "sluice::proxy", event = "upstream_error", routing_group = backend.group.as_ref(),
                backend = backend.name.as_ref(), error_type = kind.as_str(), error = %Chain(failure), "backend did not answer"
            );
        }
    }
    outcome
}

/// The head of an answer on its way to the client: hop-by-hop headers out, URIs in headers corrected, and a 503
/// says when to come again (promise 1).
pub(crate) fn clean_answer(head: &mut http::response::Parts, patch: Option<&Patch>) {
    hop_by_hop(&mut head.headers);
    if head.status == StatusCode::SERVICE_UNAVAILABLE && !head.headers.contains_key(RETRY_AFTER) {
        head.headers.insert(RETRY_AFTER, HeaderValue::from(unavailable::USUAL_SECONDS));
    }
    let Some(patch) = patch else { return };
    for name in [LOCATION, WWW_AUTHENTICATE] {
        correct(&mut head.headers, &name, patch);
    }
}

/// Points the URIs in one header at the gateway.
pub(crate) fn correct(headers: &mut HeaderMap, name: &HeaderName, patch: &Patch) {
    if !headers.contains_key(name) {
        return;
    }
    let lines: Vec<HeaderValue> = headers.get_all(name).iter().cloned().collect();
    headers.remove(name);
    for line in lines {
        let corrected = line.to_str().ok().and_then(|text| {
            HeaderValue::try_from(replace_origin(text, &patch.from, &patch.to).as_ref()).ok()
        });
        headers.append(name, corrected.unwrap_or(line));
    }
}

/// What a client is told when its backend gave no answer.
pub(crate) fn failed(
    core: &Core,
    exchange: &Exchange,
    group: &GroupName,
    failure: &Failure,
) -> axum::response::Response {
    let operation = exchange.account.label();
    match failure {
        Failure::Late(_) => {
            core.shared.metrics.error(ErrorKind::UpstreamTimeout, operation);
            let words = format!("{group}: no coordinator answered in time");
            answers::text(StatusCode::GATEWAY_TIMEOUT, &words)
        }
        Failure::Unsendable(why) => answers::text(StatusCode::BAD_REQUEST, why),
        Failure::Connect(_) | Failure::Lost(_) => {
            core.shared.metrics.error(ErrorKind::UpstreamConnect, operation);
            // It is there, and neither waiting nor coming again will help.
            if let Some(no_tls) = failure.no_tls() {
                let words = format!("{group}: its coordinator is not spoken to: {}", no_tls.brief);
                return answers::text(StatusCode::BAD_GATEWAY, &words);
            }
            unavailable::answer(
                exchange,
                group.as_str(),
                Unavailable::NoBackend,
                "its coordinator cannot be reached",
            )
        }
    }
}

/// An error with its causes on one line.
pub(crate) struct Chain<'a, E>(pub(crate) &'a E);

impl<E: std::error::Error + 'static> std::fmt::Display for Chain<'_, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
