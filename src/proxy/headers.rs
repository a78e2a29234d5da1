//! What happens to a request's headers before any backend sees them.
//!
//! End-to-end headers pass as they came, values and order of lines untouched. Hop-by-hop ones, `Forwarded` and
//! the client's own `X-Forwarded-*` do not: the URI mode decides which of the latter a backend gets.

use http::HeaderMap;

use crate::trino::headers::{end_here, is_forwarding};

pub(crate) mod spent;

/// Takes out of a request what ends at this hop.
pub(crate) fn clean_request(headers: &mut HeaderMap) {
    // The body is read or streamed by us: 100-continue has been answered, and the length is stated anew.
    let ours = |name: &str| matches!(name, "host" | "expect" | "content-length");
    end_here(headers, |name| ours(name) || is_forwarding(name));
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn peers_g11_x15_forwarding_headers_and_hop_by_hop_ones_stay_here() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "x-trino-source, keep-alive, x-secret"),
            ("x-secret", "1"),
            ("keep-alive", "5"),
            ("forwarded", "host=evil"),
            ("x-forwarded-host", "evil"),
            ("x-forwarded-prefix", "/evil"),
            ("x-trino-source", "kept"),
            ("te", "trailers"),
        ] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        clean_request(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-trino-source"]);
    }
}
