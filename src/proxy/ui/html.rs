//! What the gateway's own pages have in common: escaped texts, and the headers of their answers.

use std::fmt::{self, Write as _};

use axum::{body::Body, response::Response};
use http::{HeaderMap, HeaderValue, header};

/// A page as an answer; `policy` says what it may load and run.
pub(crate) fn answer(page: String, policy: HeaderValue) -> Response {
    let mut answer = Response::new(Body::from(page));
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html;charset=utf-8"));
    // The page stands where a coordinator's own would: it must not outlive its reason.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    keep_referer(headers);
    answer
}

/// A stricter policy would hide from the gateway which page a request comes from.
pub(crate) fn keep_referer(headers: &mut HeaderMap) {
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
}

/// A text between tags or in a quoted attribute.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| match character {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            _ => f.write_char(character),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_leave_its_place() {
        assert_eq!(Escaped("a\"><b>&").to_string(), "a&quot;&gt;&lt;b&gt;&amp;");
    }
}
