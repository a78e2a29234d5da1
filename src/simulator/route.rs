//! All paths of the coordinator on one page.

use bytes::Bytes;
use http::header::CACHE_CONTROL;
use http::{HeaderMap, Method, StatusCode, Uri};

use super::answer::{self, Answer};
use super::base::Base;
use super::body::Body;
use super::coordinator::Coordinator;
use super::options::{Forwarded, Login, Version};
use super::statement::Outcome;
use super::{dress, inspect, login, statement, ui};

/// A request, its body read.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Answers one request.
pub(super) async fn answer(coordinator: &Coordinator, request: Request) -> Outcome {
    let options = &coordinator.options;
    if let Some(refusal) = refuse_forwarded(coordinator, &request) {
        return refusal.into();
    }
    let base = Base::of(
        &request.headers,
        options.forwarded,
        options.version,
        (options.scheme(), &coordinator.own),
    );
    let outcome = route(coordinator, &request, &base).await;
    outcome.map(|answer| {
        let path = request.uri.path();
        dress::dress(answer, options.version, &request.method, path, &request.headers)
    })
}

async fn route(coordinator: &Coordinator, request: &Request, base: &Base) -> Outcome {
    let Request { method, uri, headers, body } = request;
    let parts: Vec<&str> = uri.path().split('/').skip(1).collect();
    match parts.as_slice() {
        ["v1", "statement"] => statement::answer(coordinator, method, headers, body, base),
        ["v1", "statement", rest @ ..] => statement::follow(coordinator, method, rest, base).await,
        ["v1", "query", rest @ ..] => match login::user(coordinator, headers, base) {
            Ok(_) => inspect::query(coordinator, method, rest, body).into(),
            Err(refusal) => (*refusal).into(),
        },
        ["v1", rest @ ..] => node(coordinator, method, rest).into(),
        ["sim", "process"] => process(coordinator, method).into(),
        ["oauth2" | "sim", rest @ ..] => oauth2(coordinator, request, rest, base).await.into(),
        [""] => answer::see_other(&format!("{}/ui/", base.url())).into(),
        ["ui", ..] => ui::answer(coordinator, request, base).into(),
        _ => answer::no_such_path().into(),
    }
}

/// What a node tells anybody.
fn node(coordinator: &Coordinator, method: &Method, parts: &[&str]) -> Answer {
    let is_new = coordinator.options.version == Version::V483;
    let is_read = matches!(*method, Method::GET | Method::HEAD);
    match parts {
        ["status"] if method == Method::HEAD => answer::empty_json(),
        ["info"] if is_read => inspect::info(coordinator),
        ["info"] => answer::not_allowed("GET,OPTIONS"),
        ["info", "state"] if method == Method::PUT => answer::text(
            StatusCode::INTERNAL_SERVER_ERROR,
            "java.lang.UnsupportedOperationException: Cannot shutdown coordinator\n",
        ),
        ["info", "state"] => inspect::state(),
        ["info", "coordinator"] => answer::empty(StatusCode::OK),
        ["status"] => inspect::status(coordinator),
        ["integrations", "gateway", "metrics"] if is_new => inspect::gateway_metrics(),
        ["spooled", "download", id] if coordinator.options.spooling => {
            coordinator.segments.download(id)
        }
        ["spooled", "ack", id] if coordinator.options.spooling => {
            coordinator.segments.acknowledge(id)
        }
        _ => answer::no_such_path(),
    }
}

/// The process that a detached simulator is: it can be asked to end.
fn process(coordinator: &Coordinator, method: &Method) -> Answer {
    match &coordinator.options.quit {
        None => answer::no_such_path(),
        Some(_) if method != Method::DELETE => answer::not_allowed("DELETE"),
        Some(quit) => {
            quit.cancel();
            answer::empty(StatusCode::NO_CONTENT)
        }
    }
}

async fn oauth2(
    coordinator: &Coordinator,
    request: &Request,
    parts: &[&str],
    base: &Base,
) -> Answer {
    if coordinator.options.login != Login::OAuth2 {
        return answer::no_such_path();
    }
    let (logins, query) = (&coordinator.logins, request.uri.query().unwrap_or_default());
    match parts {
        ["authorize"] => login::authorize(query),
        ["token", "initiate", hash] => logins.initiate(hash, base),
        ["token", _] if request.method == Method::DELETE => answer::empty(StatusCode::OK),
        ["token", uuid] => logins.token(uuid, base).await,
        ["callback"] => logins.callback(query, &request.headers),
        _ => answer::no_such_path(),
    }
}

/// Jetty's 406, on every path, when X-Forwarded-* comes to a coordinator that was not told to believe it. Before 451
/// such headers were ignored.
fn refuse_forwarded(coordinator: &Coordinator, request: &Request) -> Option<Answer> {
    let options = &coordinator.options;
    if options.forwarded != Forwarded::Reject || options.version == Version::V435 {
        return None;
    }
    let name = request.headers.keys().find(|name| name.as_str().starts_with("x-forwarded-"))?;
    let name = camel(name.as_str());
    let words = format!("Server configuration does not allow processing of the {name} header");
    let host = request.headers.get("host").and_then(|host| host.to_str().ok());
    let (host, path) = (host.unwrap_or(&coordinator.own), request.uri.path());
    let body = format!(
        "HTTP ERROR 406 {words}\nURI: http://{host}{path}\nSTATUS: 406\nMESSAGE: {words}\n"
    );
    let length = body.len() + 1;
    let mut answer =
        answer::text(StatusCode::NOT_ACCEPTABLE, body).map(|body| body.measured(length));
    answer::insert(&mut answer, CACHE_CONTROL, "must-revalidate,no-cache,no-store");
    if request.method == Method::HEAD {
        answer = answer.map(|_| Body::empty());
    }
    Some(answer)
}

/// `x-forwarded-proto` as Jetty writes it.
fn camel(name: &str) -> String {
    let part = |part: &str| {
        let mut letters = part.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
    };
    name.split('-').map(part).collect::<Vec<String>>().join("-")
}
