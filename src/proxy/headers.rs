//! What happens to headers between client and coordinator, both ways.
//!
//! End-to-end headers pass as they came, values and order of lines untouched. Hop-by-hop ones, `Forwarded` and
//! the client's own `X-Forwarded-*` do not: the URI mode decides which of the latter a backend gets.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{ACCEPT_ENCODING, CONTENT_LENGTH, EXPECT, FORWARDED, HOST},
};

use crate::trino::headers::strip_hop_by_hop;

/// All of these are replaced: they are spoofable, and Trino answers 406 to any where they are not processed.
const X_FORWARDED: &str = "x-forwarded-";

/// Takes out of a request what ends at this hop.
pub(crate) fn clean_request(headers: &mut HeaderMap) {
    strip_hop_by_hop(headers);
    headers.remove(FORWARDED);
    headers.remove(HOST);
    // The body is read or streamed by us: 100-continue has been answered, and the length is stated anew.
    headers.remove(EXPECT);
    headers.remove(CONTENT_LENGTH);
    let forwarded: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().starts_with(X_FORWARDED)).cloned().collect();
    for name in forwarded {
        headers.remove(name);
    }
}

/// Asks for an encoding that can be read here: identity, gzip and zstd are, brotli and deflate are not.
pub(crate) fn readable_encodings(headers: &mut HeaderMap) {
    let asked = headers.get_all(ACCEPT_ENCODING);
    let mut lines = asked.iter();
    let Some(first) = lines.next() else { return };
    if lines.next().is_none() && first.as_bytes() == b"gzip" {
        return;
    }
    let kept: Vec<&str> = asked
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .filter(|coding| is_readable(coding))
        .collect();
    let kept = HeaderValue::try_from(kept.join(", "));
    match kept {
        Ok(value) if !value.is_empty() => drop(headers.insert(ACCEPT_ENCODING, value)),
        _ => ask_identity(headers),
    }
}

fn is_readable(coding: &str) -> bool {
    let name = coding.split(';').next().unwrap_or_default().trim();
    ["identity", "gzip", "x-gzip", "zstd"].iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Asks for a page that can be patched.
pub(crate) fn ask_identity(headers: &mut HeaderMap) {
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reduced(lines: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(ACCEPT_ENCODING, line.parse().unwrap());
        }
        readable_encodings(&mut headers);
        assert!(headers.get_all(ACCEPT_ENCODING).iter().count() <= 1);
        headers.get(ACCEPT_ENCODING).map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn peers_x1_clients_encodings_are_reduced_to_what_can_be_read() {
        assert_eq!(reduced(&[]), None);
        assert_eq!(reduced(&["gzip"]).unwrap(), "gzip");
        assert_eq!(reduced(&["gzip, compress, deflate, br"]).unwrap(), "gzip");
        assert_eq!(reduced(&["gzip, deflate", "zstd;q=0.5"]).unwrap(), "gzip, zstd;q=0.5");
        assert_eq!(reduced(&["br"]).unwrap(), "identity");
        assert_eq!(reduced(&["*"]).unwrap(), "identity");
    }

    #[test]
    fn peers_g11_x15_forwarding_headers_and_hop_by_hop_ones_stay_here() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "x-trino-user, keep-alive, x-secret"),
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
