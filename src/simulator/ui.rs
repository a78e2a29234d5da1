//! Just enough of the web UI to test how it is routed: one page, one script, the JSON that it polls, the login.

use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, Method, StatusCode};

use super::answer::{self, Answer};
use super::base::Base;
use super::coordinator::Coordinator;
use super::options::{Login, Version};
use super::route::Request;
use super::{inspect, slug};

/// The cookie of every Trino's web UI.
const COOKIE_NAME: &str = "Trino-UI-Token";

/// Answers a request under `/ui`.
pub(super) fn answer(coordinator: &Coordinator, request: &Request, base: &Base) -> Answer {
    let (method, path, headers) = (&request.method, request.uri.path(), &request.headers);
    if let Some(api) = path.strip_prefix("/ui/api/") {
        if coordinator.options.ui_login && !is_logged_in(coordinator, headers) {
            return answer::unauthorized("Trino-Form-Login", "Unauthorized");
        }
        return inspect::ui_api(coordinator, method, api, &request.body);
    }
    let is_new = coordinator.options.version == Version::V483;
    match (method, path) {
        (_, "/ui") => answer::see_other(&format!("{}/ui/", base.url())),
        (_, "/ui/") => answer::file("text/html", page(coordinator)),
        (_, "/ui/auth/info") if is_new => answer::json(auth_info(coordinator, headers)),
        (&Method::POST, "/ui/auth/login") if is_new => {
            if lets_in(coordinator, base, &request.body) {
                with_cookie(coordinator, base, answer::empty(StatusCode::NO_CONTENT))
            } else {
                answer::empty(StatusCode::FORBIDDEN)
            }
        }
        (_, "/ui/auth/logout") if is_new => logged_out(answer::empty(StatusCode::NO_CONTENT)),
        (&Method::POST, "/ui/login") if !is_new => {
            let home = format!("{}/ui/", base.url());
            with_cookie(coordinator, base, answer::see_other(&home))
        }
        (_, "/ui/logout") if !is_new => {
            logged_out(answer::see_other(&format!("{}/ui/login.html", base.url())))
        }
        (_, path) if path == asset_path(coordinator) => {
            answer::file("text/javascript", format!("// of coordinator {}\n", coordinator.id))
        }
        (_, path) if !is_new && is_old_page(path) => answer::file("text/html", page(coordinator)),
        _ => answer::no_such_path(),
    }
}

/// Where a password is wanted it must be the right one, and have come by https.
fn lets_in(coordinator: &Coordinator, base: &Base, body: &[u8]) -> bool {
    let Login::Password(password) = &coordinator.options.login else { return true };
    let given = serde_json::from_slice::<serde_json::Value>(body).unwrap_or_default();
    base.is_secure() && given.get("password").and_then(|given| given.as_str()) == Some(password)
}

fn is_old_page(path: &str) -> bool {
    matches!(
        path,
        "/ui/query.html"
            | "/ui/plan.html"
            | "/ui/worker.html"
            | "/ui/login.html"
            | "/ui/stage.html"
    )
}

/// The coordinator's own script: 483 puts a hash of the content into its name, 435 does not.
fn asset_path(coordinator: &Coordinator) -> String {
    match coordinator.options.version {
        Version::V483 => format!("/ui/assets/index-{}.js", coordinator.id),
        Version::V435 => "/ui/dist/index.js".to_owned(),
    }
}

fn page(coordinator: &Coordinator) -> String {
    let asset = asset_path(coordinator);
    let script = match coordinator.options.version {
        Version::V483 => asset.as_str(),
        Version::V435 => asset.strip_prefix("/ui/").unwrap_or(&asset),
    };
    format!(
        "<!DOCTYPE html>\n<html><head><title>Trino</title><script src=\"{script}\"></script></head><body data-coordinator=\"{}\"></body></html>\n",
        coordinator.id
    )
}

fn auth_info(coordinator: &Coordinator, headers: &HeaderMap) -> String {
    let is_in = !coordinator.options.ui_login || is_logged_in(coordinator, headers);
    let kind = if coordinator.options.ui_login { "form" } else { "fixed" };
    format!(
        r#"{{"authType":"{kind}","passwordAllowed":false,"authenticated":{is_in},"username":"admin"}}"#
    )
}

/// The token of a login at this coordinator; another one does not know it.
fn token(coordinator: &Coordinator) -> String {
    format!("simulated.{}.{}", coordinator.id, coordinator.node_id)
}

fn is_logged_in(coordinator: &Coordinator, headers: &HeaderMap) -> bool {
    let expected = format!("{COOKIE_NAME}={}", token(coordinator));
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).any(|cookie| cookie.trim() == expected)
}

fn with_cookie(coordinator: &Coordinator, base: &Base, mut answer: Answer) -> Answer {
    let secure = if base.is_secure() { ";Secure" } else { "" };
    let cookie =
        format!("{COOKIE_NAME}={};Version=1;Path=/ui{secure};HttpOnly", token(coordinator));
    answer::insert(&mut answer, SET_COOKIE, &cookie);
    answer
}

fn logged_out(mut answer: Answer) -> Answer {
    let cookie = format!("{COOKIE_NAME}={};Version=1;Path=/ui;Max-Age=0", slug::uuid());
    answer::insert(&mut answer, SET_COOKIE, &cookie);
    answer
}
