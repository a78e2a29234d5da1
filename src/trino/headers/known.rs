//! The names that Trino's clients and coordinators send at every turn, found without being copied.
//!
//! `http` knows the standard names and allocates for each of all others; a poll of JDBC carries eight of these. Names that
//! are not here cost that, and nothing else.

use http::{
    HeaderName,
    header::{
        ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING,
        CONTENT_LENGTH, CONTENT_TYPE, DATE, HOST, SERVER, TRANSFER_ENCODING, USER_AGENT, VARY,
        X_CONTENT_TYPE_OPTIONS,
    },
};

use super::{
    X_TRINO_CATALOG, X_TRINO_CLIENT_TAGS, X_TRINO_QUERY_DATA_ENCODING, X_TRINO_SCHEMA,
    X_TRINO_SOURCE, X_TRINO_TRANSACTION_ID, X_TRINO_USER,
};

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
    as_usual(text).or_else(|| in_any_case(text)).or_else(|| HeaderName::from_bytes(text).ok())
}

/// The names as they are mostly written, by length: most of what comes is found by one comparison.
fn as_usual(text: &[u8]) -> Option<HeaderName> {
    Some(match text.len() {
        4 => match text {
            b"Host" => HOST,
            b"Date" => DATE,
            b"Vary" => VARY,
            _ => return None,
        },
        6 => match text {
            b"Accept" => ACCEPT,
            b"Server" => SERVER,
            _ => return None,
        },
        10 => match text {
            b"User-Agent" => USER_AGENT,
            b"Connection" => CONNECTION,
            _ => return None,
        },
        12 => match text {
            b"X-Trino-User" => X_TRINO_USER,
            b"Content-Type" => CONTENT_TYPE,
            b"X-Trino-Path" => const { HeaderName::from_static("x-trino-path") },
            b"X-Trino-Role" => const { HeaderName::from_static("x-trino-role") },
            _ => return None,
        },
        13 => match text {
            b"Authorization" => AUTHORIZATION,
            b"Cache-Control" => CACHE_CONTROL,
            _ => return None,
        },
        14 => match text {
            b"X-Trino-Source" => X_TRINO_SOURCE,
            b"X-Trino-Schema" => X_TRINO_SCHEMA,
            b"Content-Length" => CONTENT_LENGTH,
            _ => return None,
        },
        15 => match text {
            b"X-Trino-Catalog" => X_TRINO_CATALOG,
            b"Accept-Encoding" => ACCEPT_ENCODING,
            b"X-Trino-Session" => const { HeaderName::from_static("x-trino-session") },
            _ => return None,
        },
        16 => match text {
            b"X-Trino-Language" => const { HeaderName::from_static("x-trino-language") },
            b"Content-Encoding" => CONTENT_ENCODING,
            _ => return None,
        },
        17 => match text {
            b"X-Trino-Time-Zone" => const { HeaderName::from_static("x-trino-time-zone") },
            b"Transfer-Encoding" => TRANSFER_ENCODING,
            _ => return None,
        },
        19 => match text {
            b"X-Trino-Client-Info" => const { HeaderName::from_static("x-trino-client-info") },
            b"X-Trino-Client-Tags" => X_TRINO_CLIENT_TAGS,
            _ => return None,
        },
        22 => match text {
            b"X-Trino-Transaction-Id" => X_TRINO_TRANSACTION_ID,
            b"X-Content-Type-Options" => X_CONTENT_TYPE_OPTIONS,
            _ => return None,
        },
        27 => match text {
            b"X-Trino-Client-Capabilities" => {
                const { HeaderName::from_static("x-trino-client-capabilities") }
            }
            b"X-Trino-Query-Data-Encoding" => X_TRINO_QUERY_DATA_ENCODING,
            _ => return None,
        },
        _ => return None,
    })
}

fn in_any_case(text: &[u8]) -> Option<HeaderName> {
    // Most standard names begin with another letter.
    if !matches!(text.first(), Some(b'x' | b'X' | b't' | b'T')) {
        return None;
    }
    let [begin, end, ..] = BEGINS.get(text.len()..)? else { return None };
    let mut alike = KNOWN.get(*begin..*end)?.iter();
    alike.find(|name| name.as_str().as_bytes().eq_ignore_ascii_case(text)).cloned()
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
        let usual = [
            "Host",
            "Date",
            "Vary",
            "Accept",
            "Server",
            "User-Agent",
            "Connection",
            "X-Trino-User",
            "Content-Type",
            "X-Trino-Path",
            "X-Trino-Role",
            "Authorization",
            "Cache-Control",
            "X-Trino-Source",
            "X-Trino-Schema",
            "Content-Length",
            "X-Trino-Catalog",
            "Accept-Encoding",
            "X-Trino-Session",
            "X-Trino-Language",
            "Content-Encoding",
            "X-Trino-Time-Zone",
            "Transfer-Encoding",
            "X-Trino-Client-Info",
            "X-Trino-Client-Tags",
            "X-Trino-Transaction-Id",
            "X-Content-Type-Options",
            "X-Trino-Client-Capabilities",
            "X-Trino-Query-Data-Encoding",
        ];
        for name in usual {
            let found = as_usual(name.as_bytes());
            assert_eq!(found, HeaderName::from_bytes(name.as_bytes()).ok(), "{name}");
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
