//! Answers in the shape that Trino gives them: JSON, plain text errors, redirects, nothing.
//!
//! What is common to both versions is made here; `dress` gives it the clothes of one of them.

use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, EXPIRES, LOCATION, PRAGMA, WWW_AUTHENTICATE,
};
use http::{HeaderName, HeaderValue, Response, StatusCode};

use super::body::Body;

/// An answer on its way.
pub(super) type Answer = Response<Body>;

/// The words of an error, carried along for `dress`: 435 says them in another shape.
#[derive(Clone, Debug)]
pub(super) struct Words(pub(super) String);

const NOSNIFF: HeaderName = HeaderName::from_static("x-content-type-options");
/// Jetty's spelling of the text type.
pub(super) const TEXT: &str = "text/plain;charset=iso-8859-1";

/// 200 with a JSON body.
pub(super) fn json(body: impl Into<Body>) -> Answer {
    let mut answer = of(StatusCode::OK, body.into());
    insert(&mut answer, CONTENT_TYPE, "application/json");
    insert(&mut answer, NOSNIFF, "nosniff");
    answer
}

/// `Error 404 Not Found: Query not found` and its like.
pub(super) fn error(status: StatusCode, words: &str) -> Answer {
    let reason = status.canonical_reason().unwrap_or("Error");
    let mut answer = text(status, format!("Error {} {reason}: {words}", status.as_u16()));
    answer.extensions_mut().insert(Words(words.to_owned()));
    answer
}

/// A status with a line of text.
pub(super) fn text(status: StatusCode, words: impl Into<String>) -> Answer {
    let mut answer = of(status, Body::of(words.into()));
    insert(&mut answer, CONTENT_TYPE, TEXT);
    answer
}

/// What Trino says of a path that it does not know.
pub(super) fn no_such_path() -> Answer {
    error(StatusCode::NOT_FOUND, "HTTP 404 Not Found")
}

/// What it says of a query that it no longer knows.
pub(super) fn gone() -> Answer {
    error(StatusCode::GONE, "HTTP 410 Gone")
}

/// 405, with the methods that would do.
pub(super) fn not_allowed(allowed: &str) -> Answer {
    let mut answer = empty(StatusCode::METHOD_NOT_ALLOWED);
    insert(&mut answer, ALLOW, allowed);
    answer
}

/// A status without a body; 204 has no length, as in Trino.
pub(super) fn empty(status: StatusCode) -> Answer {
    let mut answer = of(status, Body::empty());
    if status != StatusCode::NO_CONTENT {
        insert(&mut answer, CONTENT_LENGTH, "0");
    }
    answer
}

/// An empty 200 that says it were JSON, as a HEAD gets it.
pub(super) fn empty_json() -> Answer {
    let mut answer = empty(StatusCode::OK);
    insert(&mut answer, CONTENT_TYPE, "application/json");
    answer
}

/// 303 to an absolute place.
pub(super) fn see_other(location: &str) -> Answer {
    let mut answer = empty(StatusCode::SEE_OTHER);
    insert(&mut answer, LOCATION, location);
    answer
}

/// 401 with a challenge and a line for the user.
pub(super) fn unauthorized(challenge: &str, words: &str) -> Answer {
    let mut answer = of(StatusCode::UNAUTHORIZED, Body::of(words.to_owned()));
    insert(&mut answer, CONTENT_TYPE, "text/plain;charset=utf-8");
    insert(&mut answer, WWW_AUTHENTICATE, challenge);
    answer
}

/// A page of the web UI or one of its files.
pub(super) fn file(content_type: &'static str, content: impl Into<String>) -> Answer {
    let mut answer = of(StatusCode::OK, Body::of(content.into()));
    insert(&mut answer, CONTENT_TYPE, content_type);
    answer
}

/// The same answer, not to be kept by browsers: 483 says so of a query's details.
pub(super) fn uncached(mut answer: Answer) -> Answer {
    insert(&mut answer, CACHE_CONTROL, "no-cache, no-store, max-age=0");
    insert(&mut answer, PRAGMA, "no-cache");
    insert(&mut answer, EXPIRES, "0");
    answer
}

/// Sets a header; a value that is none is left out.
pub(super) fn insert(answer: &mut Answer, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}

fn of(status: StatusCode, body: Body) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    answer
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self::of(text)
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Self::of(text)
    }
}
