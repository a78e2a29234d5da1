//! All paths of the coordinator on one page.

use http::{HeaderMap, Method, StatusCode};
use hyper::body::Bytes;

use super::answer::{self, Answer};
use super::base::Base;
use super::coordinator::Coordinator;
use super::options::{Forwarded, Login, Version};
use super::statement::Outcome;
use super::{inspect, login, statement, ui};

/// A request, its body read.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) uri: http::Uri,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Answers one request.
pub(super) async fn answer(coordinator: &Coordinator, request: Request) -> Outcome {
    let options = &coordinator.options;
    if let Some(refusal) = refuse_forwarded(coordinator, &request) {
        return refusal.into();
    }
    let base = Base::of(&request.headers, options.forwarded, options.version, &coordinator.own);
    let outcome = route(coordinator, &request, &base).await;
    let compress = |answer: Answer| answer::compress(answer, &request.headers, options.version);
    match outcome {
        Outcome::Answer(answer) if request.method == Method::HEAD => Outcome::Answer(answer),
        Outcome::Answer(answer) => Outcome::Answer(compress(answer)),
        Outcome::DieInHead(answer) => Outcome::DieInHead(compress(answer)),
        Outcome::DieInPage(answer) => Outcome::DieInPage(compress(answer)),
        Outcome::Die | Outcome::Stall => outcome,
    }
}

async fn route(coordinator: &Coordinator, request: &Request, base: &Base) -> Outcome {
    let Request { method, uri, headers, body } = request;
    let parts: Vec<&str> = uri.path().split('/').skip(1).collect();
    match parts.as_slice() {
        ["v1", "statement"] if method == Method::POST => {
            statement::post(coordinator, headers, body, base)
        }
        ["v1", "statement"] if method == Method::HEAD => {
            statement::head(coordinator, headers, base).into()
        }
        ["v1", "statement", rest @ ..] => statement::follow(coordinator, method, rest, base).await,
        ["v1", "query", rest @ ..] => match login::user(coordinator, headers, base) {
            Ok(_) => inspect::query(coordinator, method, rest, headers).into(),
            Err(refusal) => (*refusal).into(),
        },
        ["v1", rest @ ..] => node(coordinator, method, rest).into(),
        ["oauth2", ..] | ["sim", ..] => {
            oauth2(coordinator, method, uri, headers, base).await.into()
        }
        [""] => answer::see_other(&format!("{}/ui/", base.url())).into(),
        ["ui", ..] => ui::answer(coordinator, method, uri.path(), headers, base).into(),
        _ => answer::no_such_path().into(),
    }
}

/// What a node tells anybody.
fn node(coordinator: &Coordinator, method: &Method, parts: &[&str]) -> Answer {
    let is_new = coordinator.options.version == Version::V483;
    match parts {
        ["info"] | ["status"] if method == Method::HEAD => answer::empty(StatusCode::OK),
        ["info"] => inspect::info(coordinator),
        ["info", "state"] if method == Method::PUT => answer::text(
            StatusCode::INTERNAL_SERVER_ERROR,
            "java.lang.UnsupportedOperationException: Cannot shutdown coordinator",
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

async fn oauth2(
    coordinator: &Coordinator,
    method: &Method,
    uri: &http::Uri,
    headers: &HeaderMap,
    base: &Base,
) -> Answer {
    if coordinator.options.login != Login::OAuth2 {
        return answer::no_such_path();
    }
    let (logins, query) = (&coordinator.logins, uri.query().unwrap_or_default());
    let parts: Vec<&str> = uri.path().split('/').skip(1).collect();
    match parts.as_slice() {
        ["sim", "authorize"] => login::authorize(query),
        ["oauth2", "token", "initiate", hash] => logins.initiate(hash, base),
        ["oauth2", "token", _] if method == Method::DELETE => answer::empty(StatusCode::OK),
        ["oauth2", "token", uuid] => logins.token(uuid, base).await,
        ["oauth2", "callback"] => logins.callback(query, headers),
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
    Some(answer::text(StatusCode::NOT_ACCEPTABLE, body))
}

/// `x-forwarded-proto` as Jetty writes it.
fn camel(name: &str) -> String {
    let part = |part: &str| {
        let mut letters = part.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
    };
    name.split('-').map(part).collect::<Vec<String>>().join("-")
}
