//! The head of a request as it is written on the line (RFC 9112 section 3).

use bytes::Bytes;
use http::{
    Method,
    header::{CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING},
};

use super::super::asking::Asking;

/// A request line and some thirty headers, as JDBC's polls have them.
const USUAL: usize = 1024;

/// The words before a body of that length. The URI has a path, and the headers have `Host`; what they say of a body is
/// said anew.
pub(in super::super) fn asked(asking: &Asking<'_>, length: usize) -> Bytes {
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
        words.extend_from_slice(format!("content-length: {length}\r\n").as_bytes());
    }
    words.extend_from_slice(b"\r\n");
    words.into()
}
