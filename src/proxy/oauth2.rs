//! OAuth2 at Trino: a challenge, the browser's way to the identity provider and back, the client's poll for its token.
//!
//! The state of one exchange lives in the memory of one coordinator, so each step must reach the one that challenged.
//! The URIs of the challenge carry its marker; and what names the exchange is bound to it, because the callback's URI
//! is registered at the provider and so carries nothing but `state`. That is read, never verified: a forged one
//! reaches a coordinator that refuses it.
//!
//! Nothing of an exchange is logged, and what is kept of it are digests: its uuid is worth a token. With `uris:
//! rewrite` the URI that the provider gets is the backend's own, since Trino would compare any other one in vain.

use std::sync::{Arc, atomic::Ordering};

use axum::{body::Body, response::Response};
use http::{
    HeaderMap, HeaderValue, Method, Request, StatusCode,
    header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, LOCATION, WWW_AUTHENTICATE},
};

use crate::{
    metrics::Operation,
    proxy::{
        Shared, answers,
        core::Core,
        exchange::Exchange,
        forward, one_way,
        ui::{self, cookies},
    },
    queries::bindings::KEPT,
    snapshot::Backend,
    trino::{
        client_base::ClientBase,
        marker,
        patch::{Patch, Scope},
        uris,
    },
};

mod clue;
mod poll;

use clue::{Clue, Step};

/// Answers everything below `/oauth2/`.
pub(crate) async fn step(
    core: Arc<Core>,
    exchange: Arc<Exchange>,
    mut request: Request<Body>,
) -> Response {
    exchange.account.operation(Operation::Oauth2);
    let clue = Clue::of(request.uri().path(), request.uri().query());
    if clue.step == Step::Callback {
        recall(&core.shared, &exchange, &clue).await;
    }
    let backend = match place(&core.shared, &exchange, request.headers(), &clue) {
        Ok(backend) => backend,
        Err(refusal) => return *refusal,
    };
    if exchange.snapshot.has_several_backends() {
        cookies::inward(request.headers_mut(), &backend.name);
    }
    let is_poll = clue.step == Step::Poll && request.method() == Method::GET;
    if is_poll {
        // Its answer is a line of JSON, in which one URI may have to change.
        request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    let mut answer = one_way::to(&core, &exchange, &backend, request).await;
    let here = here(&exchange, &backend);
    forward::correct(answer.headers_mut(), &LOCATION, &here);
    come_back(&core.shared, &exchange, &backend, answer.headers_mut()).await;
    if is_poll && !answer.headers().contains_key(CONTENT_ENCODING) {
        answer.headers_mut().remove(CONTENT_LENGTH);
        return answer.map(|body| Body::new(poll::Answer::new(body, here)));
    }
    answer
}

/// Sees to it that the browser's next step finds this coordinator.
async fn come_back(
    shared: &Shared,
    exchange: &Exchange,
    backend: &Backend,
    headers: &mut HeaderMap,
) {
    if exchange.snapshot.has_several_backends() {
        login_begins(shared, backend, headers).await;
        ui::lead_back(headers, exchange, &backend.name);
    } else if !exchange.base.prefix.is_empty() {
        cookies::outward(headers, None, &exchange.base);
    }
}

/// Binds here the login that another replica has seen begin. Only the browser's way back needs it: every other step has
/// the marker in its URI. Two logins at once have two nonces, and those do not tell whose `state` it is.
async fn recall(shared: &Shared, exchange: &Exchange, clue: &Clue) {
    let is_known = || clue.names.iter().any(|name| shared.challenged.owner(name).is_some());
    let is_told = exchange.marker.is_some() || !exchange.snapshot.has_several_backends();
    if is_told || is_known() {
        return;
    }
    let names: Vec<&str> = clue.names.iter().map(String::as_str).collect();
    if let Some((name, backend)) = shared.replicas.tied(&names).await {
        shared.challenged.bind(name, &backend);
    }
}

/// The coordinator that this step belongs to: by the marker, by what was bound, by the browser's nonce, else always
/// the same one, which is right wherever the steps of an exchange carry nothing at all.
fn place(
    shared: &Shared,
    exchange: &Exchange,
    headers: &HeaderMap,
    clue: &Clue,
) -> Result<Arc<Backend>, Box<Response>> {
    let backends = &exchange.snapshot.backends;
    if let Some(name) = &exchange.marker {
        return backends.get(name).cloned().ok_or_else(|| Box::new(answers::no_such_path()));
    }
    if let Some(only) = ui::only(exchange) {
        return Ok(only);
    }
    let bound = clue.names.iter().find_map(|name| backends.get(&shared.challenged.owner(name)?));
    let nonce = || cookies::nonces(headers).find_map(|name| backends.get(&name));
    let claimed = match clue.step {
        Step::Callback => bound.or_else(nonce),
        Step::Initiate | Step::Poll | Step::Other => bound,
    };
    let words = "no coordinator is running";
    claimed
        .cloned()
        .or_else(|| one_way::ready(exchange))
        .ok_or_else(|| Box::new(answers::text(StatusCode::BAD_GATEWAY, words)))
}

impl Shared {
    /// Takes notice of an OAuth2 challenge that passes by, and makes its URIs lead to its coordinator through us.
    pub(crate) fn challenges(
        &self,
        exchange: &Exchange,
        backend: &Backend,
        headers: &mut HeaderMap,
    ) {
        if !headers.contains_key(WWW_AUTHENTICATE) {
            return;
        }
        let lines = headers.get_all(WWW_AUTHENTICATE).iter();
        let mut lines = lines.filter_map(|line| line.to_str().ok());
        let by_browser = lines.any(|line| line.contains("x_redirect_server"));
        backend.live.challenges.store(by_browser, Ordering::Relaxed);
        if exchange.snapshot.has_several_backends() {
            let lines = headers.get_all(WWW_AUTHENTICATE).iter();
            for line in lines.filter_map(|line| line.to_str().ok()) {
                clue::names_in_challenge(line)
                    .iter()
                    .for_each(|name| self.challenged.bind(name, &backend.name));
            }
        }
        forward::correct(headers, &WWW_AUTHENTICATE, &here(exchange, backend));
    }
}

/// Binds the `state` of a browser's login to the coordinator that sends it to the identity provider, for every replica.
pub(crate) async fn login_begins(shared: &Shared, backend: &Backend, headers: &HeaderMap) {
    let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
    if let Some(name) = location.and_then(clue::name_in_redirect) {
        shared.challenged.bind(&name, &backend.name);
        shared.replicas.tie(&name, &backend.name, KEPT).await;
    }
}

/// How the `/oauth2` URIs of a backend come to point at the gateway, whatever it believes its base to be: none of them
/// follows `X-Forwarded-Prefix`.
fn here(exchange: &Exchange, backend: &Backend) -> Patch {
    let base = &exchange.base;
    let url = &backend.url;
    let several = exchange.snapshot.has_several_backends();
    let marker = if several { marker::prefix(&backend.name) } else { String::new() };
    let own = uris::own_bases(url.scheme.as_str(), url.authority.as_str(), &url.base_path);
    let from = believed(base).chain(own).map(|origin| format!("{origin}/oauth2")).collect();
    Patch { from, to: format!("{base}{marker}/oauth2"), scope: Scope::Head }
}

/// The client's base with its prefix and without, in both schemes: with `uris: host` a backend behind TLS takes its own.
fn believed(base: &ClientBase) -> impl Iterator<Item = String> {
    let of = |scheme| uris::own_bases(scheme, &base.authority, &base.prefix);
    of("https").into_iter().chain(of("http"))
}
