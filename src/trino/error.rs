//! Answers in Trino's words where there is no Trino to give them: `Error 404 Not Found: Query not found`.
//!
//! Clients show such a text to their users as it is, so the words say what to do. Errors that end a query inside a
//! 200 page are in `synthetic`.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;

/// What Trino's error texts are sent as.
const TEXT: HeaderValue = HeaderValue::from_static("text/plain;charset=iso-8859-1");
/// The same for words that do not fit into it.
const TEXT_UTF8: HeaderValue = HeaderValue::from_static("text/plain;charset=utf-8");

/// `Error <code> <reason>: <words>` with that status.
pub fn text(status: StatusCode, words: &str) -> Response<Full<Bytes>> {
    let reason = status.canonical_reason().unwrap_or("Error");
    let body = format!("Error {} {reason}: {words}", status.as_u16());
    let kind = if body.is_ascii() { TEXT } else { TEXT_UTF8 };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// Trino's answer for a query that it does not know; fatal for every client.
pub fn query_not_found() -> Response<Full<Bytes>> {
    text(StatusCode::NOT_FOUND, "Query not found")
}

/// Trino's answer for a path that it does not have.
pub fn no_such_path() -> Response<Full<Bytes>> {
    text(StatusCode::NOT_FOUND, "HTTP 404 Not Found")
}

/// Trino's answer for a statement without text.
pub fn empty_statement() -> Response<Full<Bytes>> {
    text(StatusCode::BAD_REQUEST, "SQL statement is empty")
}

/// Trino's answer for a statement that names nobody (`AuthenticationFilter`, 483, without authentication).
pub fn nobody_named() -> Response<Full<Bytes>> {
    let words = "Basic authentication or X-Trino-Original-User or X-Trino-User must be sent";
    let mut response = Response::new(Full::new(Bytes::from(words)));
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    response.headers_mut().insert(CONTENT_TYPE, TEXT);
    let challenge = HeaderValue::from_static("Basic realm=\"Trino\"");
    response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    response
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    fn body(response: Response<Full<Bytes>>) -> String {
        let bytes = futures_now(response.into_body().collect());
        String::from_utf8(bytes.unwrap().to_bytes().to_vec()).unwrap()
    }

    fn futures_now<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    #[test]
    fn says_what_trino_says() {
        let response = query_not_found();
        assert_eq!(response.status(), 404);
        assert_eq!(response.headers()["content-type"], "text/plain;charset=iso-8859-1");
        assert_eq!(body(response), "Error 404 Not Found: Query not found");
        assert_eq!(body(no_such_path()), "Error 404 Not Found: HTTP 404 Not Found");
        assert_eq!(body(empty_statement()), "Error 400 Bad Request: SQL statement is empty");
    }

    #[test]
    fn words_that_are_not_ascii_say_so() {
        let response = text(StatusCode::NOT_FOUND, "no group 'étl'");
        assert_eq!(response.headers()["content-type"], "text/plain;charset=utf-8");
        assert_eq!(body(response), "Error 404 Not Found: no group 'étl'");
    }
}
