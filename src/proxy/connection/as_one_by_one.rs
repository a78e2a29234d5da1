//! What HTTP/2 writes in another way than HTTP/1.1, brought into the form that all behind it knows.

use axum::body::Body;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri,
    header::{COOKIE, HOST},
};

use super::MOST_HEADERS;
use crate::proxy::answers;

/// The request as HTTP/1.1 would have brought it, or why it is refused.
pub(super) fn as_one_by_one<B>(mut request: Request<B>) -> Result<Request<B>, Box<Response<Body>>> {
    let refused = |status, words| Err(Box::new(answers::text(status, words)));
    // A tunnel, which hyper would open with the answer.
    if request.method() == Method::CONNECT {
        return Err(Box::new(answers::wrong_method()));
    }
    if request.headers().len() > MOST_HEADERS {
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        return refused(status, "HTTP 431 Request Header Fields Too Large");
    }
    if names_two_hosts(request.uri(), request.headers()) {
        return refused(StatusCode::BAD_REQUEST, "`:authority` and `Host` name different hosts");
    }
    join_cookies(request.headers_mut());
    Ok(request)
}

/// Such a request is malformed (RFC 9113 section 8.3.1): who sent it wants two hops to see two hosts.
fn names_two_hosts(uri: &Uri, headers: &HeaderMap) -> bool {
    let Some(authority) = uri.authority() else { return false };
    let is_other =
        |host: &HeaderValue| !authority.as_str().as_bytes().eq_ignore_ascii_case(host.as_bytes());
    headers.get_all(HOST).iter().any(is_other)
}

/// Cookies may come in several lines, and HTTP/1.1 has one (RFC 9113 section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let mut lines = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
    let Some(mut whole) = lines.next().map(<[u8]>::to_vec) else { return };
    let mut is_split = false;
    for line in lines {
        is_split = true;
        whole.extend_from_slice(b"; ");
        whole.extend_from_slice(line);
    }
    if is_split && let Ok(line) = HeaderValue::from_bytes(&whole) {
        headers.insert(COOKIE, line);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

    use super::*;

    fn request(lines: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::builder().uri("https://gw:8443/v1/statement");
        for (name, value) in lines {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap()
    }

    fn refusal(lines: &[(&str, &str)]) -> Option<u16> {
        as_one_by_one(request(lines)).err().map(|refusal| refusal.status().as_u16())
    }

    #[test]
    fn cookies_become_one_line() {
        let lines = [("cookie", "a=1"), ("x-other", "y"), ("cookie", "b=2; c=3")];
        let joined = as_one_by_one(request(&lines)).unwrap();
        let cookies: Vec<_> = joined.headers().get_all(COOKIE).iter().collect();
        assert_eq!(cookies, ["a=1; b=2; c=3"]);
        assert_eq!(joined.headers().len(), 2);
    }

    #[test]
    fn a_second_host_is_refused() {
        assert_eq!(refusal(&[("host", "GW:8443")]), None);
        assert_eq!(refusal(&[("host", "evil")]), Some(400));
        assert_eq!(refusal(&[("host", "gw:8443"), ("host", "evil")]), Some(400));
    }

    #[test]
    fn nobody_gets_a_tunnel() {
        let request = Request::connect("trino:8080").body(()).unwrap();
        assert_eq!(as_one_by_one(request).unwrap_err().status(), 405);
    }

    #[test]
    fn as_many_headers_pass_as_with_http_1() {
        let many = |count| vec![("x-trino-session", "a=1"); count];
        assert_eq!(refusal(&many(MOST_HEADERS)), None);
        assert_eq!(refusal(&many(MOST_HEADERS + 1)), Some(431));
    }
}
