//! The names that Trino's clients and coordinators send at every turn, found without being copied.
//!
//! `http` knows the standard names and allocates for each of all others; a poll of JDBC carries eight of these. Names that
//! are not here cost that, and nothing else.

use http::HeaderName;

macro_rules! known {
    ($($name:literal,)*) => {
        const LENGTHS: &[usize] = &[$($name.len()),*];
        static KNOWN: [HeaderName; LENGTHS.len()] = [$(HeaderName::from_static($name)),*];
    };
}

// trino-protocol.md 4.1 (`io.trino.client.ProtocolHeaders`, Trino 483), and what proxies and tracers add; by length, so
// that few are compared.
known! {
    "tracestate",
    "x-trace-id",
    "traceparent",
    "x-request-id",
    "x-trino-path",
    "x-trino-role",
    "x-trino-user",
    "x-trino-schema",
    "x-trino-source",
    "x-forwarded-for",
    "x-trino-catalog",
    "x-trino-session",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-trino-language",
    "x-forwarded-proto",
    "x-trino-time-zone",
    "x-forwarded-prefix",
    "x-trino-client-info",
    "x-trino-client-tags",
    "x-trino-trace-token",
    "x-trino-original-user",
    "x-trino-routing-group",
    "x-trino-transaction-id",
    "x-trino-extra-credential",
    "x-trino-resource-estimate",
    "x-trino-prepared-statement",
    "x-trino-client-capabilities",
    "x-trino-query-data-encoding",
}

/// That of `x-trino-query-data-encoding` and `x-trino-client-capabilities`.
const LONGEST: usize = 27;

/// Where in [`KNOWN`] the names of each length begin.
static BEGINS: [usize; LONGEST + 2] = begins();

#[allow(
    clippy::indexing_slicing,
    reason = "the compiler evaluates it, and refuses what lies outside"
)]
const fn begins() -> [usize; LONGEST + 2] {
    let mut begins = [0; LONGEST + 2];
    let mut length = 0;
    while length < begins.len() {
        let mut at = 0;
        while at < LENGTHS.len() && LENGTHS[at] < length {
            at += 1;
        }
        begins[length] = at;
        length += 1;
    }
    begins
}

/// The name that was written so, in any case; `None` if it is none.
pub fn header_name(text: &[u8]) -> Option<HeaderName> {
    // Most standard names begin with another letter.
    if matches!(text.first(), Some(b'x' | b'X' | b't' | b'T'))
        && let Some([begin, end, ..]) = BEGINS.get(text.len()..)
    {
        let alike = KNOWN.get(*begin..*end).unwrap_or_default();
        let known = alike.iter().find(|name| name.as_str().as_bytes().eq_ignore_ascii_case(text));
        if let Some(known) = known {
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
        assert!(LENGTHS.is_sorted());
        assert_eq!(LENGTHS.last(), Some(&LONGEST));
        assert_eq!(BEGINS.last(), Some(&KNOWN.len()));
    }

    #[test]
    fn a_known_name_is_the_same_name_and_an_unknown_one_is_still_read() {
        for known in &KNOWN {
            let shouted = known.as_str().to_ascii_uppercase();
            for written in [known.as_str(), &shouted] {
                let alike = KNOWN.get(BEGINS[written.len()]..BEGINS[written.len() + 1]);
                assert!(alike.is_some_and(|alike| alike.contains(known)), "{written}");
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
