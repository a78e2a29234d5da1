//! The head of a request as it is written on the line (RFC 9112 section 3).

use std::io::Write as _;

use bytes::Bytes;
use http::{
    Method,
    header::{CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING},
};

use super::super::asking::Asking;

/// A request line and some thirty headers, as JDBC's polls have them.
const USUAL: usize = 1024;

/// A body up to this is copied behind the head: two slices in one write cost the kernel more than that, and most
/// statements are shorter.
const SMALL: usize = 4 * 1024;

/// The words of a request, and what of its body must be written behind them. The URI has a path, and the headers have
/// `Host`; what they say of a body is said anew.
pub(in super::super) fn asked(asking: &Asking<'_>, body: Bytes) -> (Bytes, Bytes) {
    let length = body.len();
    let mut words = Vec::with_capacity(USUAL);
    words.extend_from_slice(asking.method.as_str().as_bytes());
    words.push(b' ');
    let path = asking.uri.path_and_query().map_or("/", |path| path.as_str());
    words.extend_from_slice(path.as_bytes());
    words.extend_from_slice(b" HTTP/1.1\r\n");
    // Not a loop: a chain of two is walked through faster from within.
    asking.headers.lines().for_each(|(name, value)| {
        if *name == CONTENT_LENGTH || *name == TRANSFER_ENCODING || *name == EXPECT {
            return;
        }
        words.extend_from_slice(name.as_str().as_bytes());
        words.extend_from_slice(b": ");
        words.extend_from_slice(value.as_bytes());
        words.extend_from_slice(b"\r\n");
    });
    if length > 0 || !matches!(asking.method, Method::GET | Method::HEAD | Method::DELETE) {
        // It grows as it is written to, and so takes everything.
        let _ = write!(words, "content-length: {length}\r\n");
    }
    words.extend_from_slice(b"\r\n");
    if length > SMALL {
        return (words.into(), body);
    }
    words.extend_from_slice(&body);
    (words.into(), Bytes::new())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

    use http::{HeaderMap, HeaderValue, Uri, header::HOST};

    use super::{super::super::asking::Headers, *};

    #[test]
    fn a_small_body_goes_with_its_head_and_a_large_one_behind_it() {
        for (length, behind) in [(0, 0), (SMALL, 0), (SMALL + 1, SMALL + 1)] {
            let client = HeaderMap::new();
            let mut headers = Headers::of(&client);
            headers.set(HOST, HeaderValue::from_static("trino"));
            let uri = Uri::from_static("http://trino/v1/statement");
            let asking = Asking { method: Method::POST, uri, headers };
            let body = Bytes::from(vec![b'x'; length]);
            let (words, rest) = asked(&asking, body.clone());
            let head = format!(
                "POST /v1/statement HTTP/1.1\r\nhost: trino\r\ncontent-length: {length}\r\n\r\n"
            );
            assert_eq!(rest.len(), behind);
            let all = [&*words, &*rest].concat();
            assert!(all == [head.as_bytes(), &*body].concat(), "{length}");
        }
    }
}
