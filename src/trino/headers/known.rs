//! The names that Trino's clients and coordinators send at every turn, found without being copied.
//!
//! `http` knows the standard names and allocates for each of all others; a poll of JDBC carries eight of these. Names that
//! are not here cost that, and nothing else.

use http::HeaderName;

/// trino-protocol.md 4.1 (`io.trino.client.ProtocolHeaders`, Trino 483), and what proxies and tracers add; by length, so
/// that few are compared.
static KNOWN: [HeaderName; 29] = [
    HeaderName::from_static("tracestate"),
    HeaderName::from_static("x-trace-id"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("x-trino-path"),
    HeaderName::from_static("x-trino-role"),
    HeaderName::from_static("x-trino-user"),
    HeaderName::from_static("x-trino-schema"),
    HeaderName::from_static("x-trino-source"),
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-trino-catalog"),
    HeaderName::from_static("x-trino-session"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-trino-language"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-trino-time-zone"),
    HeaderName::from_static("x-forwarded-prefix"),
    HeaderName::from_static("x-trino-client-info"),
    HeaderName::from_static("x-trino-client-tags"),
    HeaderName::from_static("x-trino-trace-token"),
    HeaderName::from_static("x-trino-original-user"),
    HeaderName::from_static("x-trino-routing-group"),
    HeaderName::from_static("x-trino-transaction-id"),
    HeaderName::from_static("x-trino-extra-credential"),
    HeaderName::from_static("x-trino-resource-estimate"),
    HeaderName::from_static("x-trino-prepared-statement"),
    HeaderName::from_static("x-trino-client-capabilities"),
    HeaderName::from_static("x-trino-query-data-encoding"),
];

/// `x-trace-id` and `tracestate`.
const SHORTEST: usize = 10;

/// The name that was written so, in any case; `None` if it is none.
pub fn header_name(text: &[u8]) -> Option<HeaderName> {
    // Most standard names, which are no longer than these, begin with another letter.
    if text.len() >= SHORTEST && matches!(text.first(), Some(b'x' | b'X' | b't' | b'T')) {
        let from = KNOWN.partition_point(|name| name.as_str().len() < text.len());
        let alike = KNOWN.get(from..).unwrap_or_default().iter();
        let mut alike = alike.take_while(|name| name.as_str().len() == text.len());
        if let Some(known) = alike.find(|name| name.as_str().as_bytes().eq_ignore_ascii_case(text))
        {
            return Some(known.clone());
        }
    }
    HeaderName::from_bytes(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_in_the_order_in_which_they_are_looked_for() {
        assert!(KNOWN.is_sorted_by_key(|name| name.as_str().len()));
        assert_eq!(KNOWN.first().map(|name| name.as_str().len()), Some(SHORTEST));
    }

    #[test]
    fn a_known_name_is_the_same_name_and_an_unknown_one_is_still_read() {
        for known in &KNOWN {
            let shouted = known.as_str().to_ascii_uppercase();
            for written in [known.as_str(), &shouted] {
                assert_eq!(
                    header_name(written.as_bytes()),
                    HeaderName::from_bytes(written.as_bytes()).ok()
                );
            }
        }
        for other in ["X-Trino-Usex", "x-mine", "te", "Transfer-Encoding", "host", "x-trino-user2"]
        {
            assert_eq!(
                header_name(other.as_bytes()),
                HeaderName::from_bytes(other.as_bytes()).ok()
            );
        }
        for none in ["", "x trino", "x-trino-user ", "t\u{e9}"] {
            assert_eq!(header_name(none.as_bytes()), None, "{none}");
        }
    }
}
