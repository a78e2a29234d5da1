//! Answers in the shape that Trino gives them: JSON, plain text errors, redirects, nothing.

use http::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, VARY,
    WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use super::body::{Body, Encoding};
use super::options::Version;

/// An answer on its way.
pub(super) type Answer = Response<Body>;

const NOSNIFF: HeaderName = HeaderName::from_static("x-content-type-options");
/// Jetty's spelling of the text type.
const TEXT: &str = "text/plain;charset=iso-8859-1";

/// 200 with a JSON body, chunked.
pub(super) fn json(body: Body) -> Answer {
    let mut answer = of(StatusCode::OK, body);
    insert(&mut answer, CONTENT_TYPE, "application/json");
    insert(&mut answer, NOSNIFF, "nosniff");
    answer
}

/// `Error 404 Not Found: Query not found` and its like.
pub(super) fn error(status: StatusCode, words: &str) -> Answer {
    let reason = status.canonical_reason().unwrap_or("Error");
    text(status, format!("Error {} {reason}: {words}", status.as_u16()))
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

/// A status without a body; 204 has no length, as in Trino.
pub(super) fn empty(status: StatusCode) -> Answer {
    let mut answer = of(status, Body::empty());
    if status != StatusCode::NO_CONTENT {
        insert(&mut answer, CONTENT_LENGTH, "0");
    }
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

/// Sets a header; a value that is none is left out.
pub(super) fn insert(answer: &mut Answer, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}

/// Compresses an answer as the client asked, and says that it depended on that.
pub(super) fn compress(answer: Answer, request: &HeaderMap, version: Version) -> Answer {
    let (mut head, body) = answer.into_parts();
    head.headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    let encoding = wanted(request, version);
    let is_plain = encoding == Encoding::Identity
        || http_body::Body::is_end_stream(&body)
        || head.headers.contains_key(CONTENT_ENCODING);
    if is_plain {
        return Response::from_parts(head, body);
    }
    let name = if encoding == Encoding::Gzip { "gzip" } else { "zstd" };
    head.headers.insert(CONTENT_ENCODING, HeaderValue::from_static(name));
    Response::from_parts(head, body.encoded(encoding))
}

/// The first encoding of Accept-Encoding that we know; one with `q=0` is refused. zstd came with 477.
fn wanted(request: &HeaderMap, version: Version) -> Encoding {
    let lines = request.get_all(ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
    for item in lines.flat_map(|line| line.split(',')) {
        let (name, quality) = item.split_once(';').unwrap_or((item, ""));
        let is_refused = matches!(quality.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000");
        match name.trim() {
            "gzip" if !is_refused => return Encoding::Gzip,
            "zstd" if !is_refused && version == Version::V483 => return Encoding::Zstd,
            _ => {}
        }
    }
    Encoding::Identity
}

fn of(status: StatusCode, body: Body) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    answer
}
