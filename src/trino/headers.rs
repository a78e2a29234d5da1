//! Header names, and what may not travel: hop-by-hop headers, and encodings that we cannot read.
//!
//! `known` finds the names that every poll carries.

use http::HeaderMap;
use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE,
    COOKIE, FORWARDED, HOST, HeaderName, HeaderValue,
};
use smallvec::SmallVec;

mod known;

pub use known::header_name;

macro_rules! names {
    ($($constant:ident = $name:literal;)*) => {
        $(#[doc = concat!("`", $name, "` (names are case-insensitive).")]
        pub const $constant: HeaderName = HeaderName::from_static($name);)*
    };
}

names! {
    X_TRINO_USER = "x-trino-user";
    X_TRINO_ORIGINAL_USER = "x-trino-original-user";
    X_TRINO_SOURCE = "x-trino-source";
    X_TRINO_TRACE_TOKEN = "x-trino-trace-token";
    X_TRINO_CATALOG = "x-trino-catalog";
    X_TRINO_SCHEMA = "x-trino-schema";
    X_TRINO_CLIENT_TAGS = "x-trino-client-tags";
    X_TRINO_PREPARED_STATEMENT = "x-trino-prepared-statement";
    X_TRINO_TRANSACTION_ID = "x-trino-transaction-id";
    X_TRINO_STARTED_TRANSACTION_ID = "x-trino-started-transaction-id";
    X_TRINO_CLEAR_TRANSACTION_ID = "x-trino-clear-transaction-id";
    X_TRINO_QUERY_DATA_ENCODING = "x-trino-query-data-encoding";
    X_TRINO_ROUTING_GROUP = "x-trino-routing-group";
    X_PRESTO_USER = "x-presto-user";
    X_PRESTO_ORIGINAL_USER = "x-presto-original-user";
    X_PRESTO_SOURCE = "x-presto-source";
    X_PRESTO_TRACE_TOKEN = "x-presto-trace-token";
    X_PRESTO_CATALOG = "x-presto-catalog";
    X_PRESTO_SCHEMA = "x-presto-schema";
    X_PRESTO_CLIENT_TAGS = "x-presto-client-tags";
    X_PRESTO_PREPARED_STATEMENT = "x-presto-prepared-statement";
    X_PRESTO_TRANSACTION_ID = "x-presto-transaction-id";
    X_PRESTO_STARTED_TRANSACTION_ID = "x-presto-started-transaction-id";
    X_PRESTO_CLEAR_TRANSACTION_ID = "x-presto-clear-transaction-id";
    X_PRESTO_QUERY_DATA_ENCODING = "x-presto-query-data-encoding";
    X_FORWARDED_FOR = "x-forwarded-for";
    X_FORWARDED_HOST = "x-forwarded-host";
    X_FORWARDED_PORT = "x-forwarded-port";
    X_FORWARDED_PREFIX = "x-forwarded-prefix";
    X_FORWARDED_PROTO = "x-forwarded-proto";
    X_REQUEST_ID = "x-request-id";
    X_TRACE_ID = "x-trace-id";
    TRACEPARENT = "traceparent";
    TRACESTATE = "tracestate";
    BAGGAGE = "baggage";
}

/// What says how the rows of an answer are encoded, in the words of Trino and of its forerunner.
pub static DATA_ENCODING: [HeaderName; 2] =
    [X_TRINO_QUERY_DATA_ENCODING, X_PRESTO_QUERY_DATA_ENCODING];
/// What names the transaction that an answer has begun.
pub static STARTED_TRANSACTION: [HeaderName; 2] =
    [X_TRINO_STARTED_TRANSACTION_ID, X_PRESTO_STARTED_TRANSACTION_ID];

/// The first line under either name. Two look-ups of names so long cost more than to read the ten that an answer has.
pub fn either<'h>(headers: &'h HeaderMap, names: &[HeaderName; 2]) -> Option<&'h HeaderValue> {
    headers.iter().find_map(|(name, value)| names.contains(name).then_some(value))
}

/// Whether a header is meant for one connection only (RFC 9110 section 7.6.1, and what older ones add).
fn is_hop_by_hop(name: &str) -> bool {
    // Of most names the first letter says enough.
    matches!(name.as_bytes().first(), Some(b'c' | b'k' | b'p' | b't' | b'u'))
        && matches!(
            name,
            "connection"
                | "keep-alive"
                | "proxy-connection"
                | "proxy-authenticate"
                | "proxy-authorization"
                | "te"
                | "trailer"
                | "transfer-encoding"
                | "upgrade"
        )
}

/// What `Connection` may not take away: who asks, what the message is, and where it came from. A sender must not list
/// these there; one that does wants the next hop to see another request than we did.
const END_TO_END: [HeaderName; 8] = [
    AUTHORIZATION,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    COOKIE,
    FORWARDED,
    HOST,
    TRACEPARENT,
];
const END_TO_END_PREFIXES: [&str; 5] =
    ["x-trino-", "x-presto-", "x-forwarded-", "x-gateway-", "x-request-id"];

/// As many as nearly all messages have that end here; more are as welcome.
const ENDING: usize = 8;

/// Removes the hop-by-hop headers and those that `Connection` lists, but for end-to-end ones of ours and Trino's.
pub fn hop_by_hop(headers: &mut HeaderMap) {
    end_here(headers, |_| false);
}

/// The same, and every header that `also` names, in one pass over the names: few of them are there, and to look one up
/// costs more than to read them all.
pub fn end_here(headers: &mut HeaderMap, also: impl Fn(&str) -> bool) {
    let ends = |name: &&HeaderName| is_hop_by_hop(name.as_str()) || also(name.as_str());
    let ending: SmallVec<[HeaderName; ENDING]> = headers.keys().filter(ends).cloned().collect();
    let listed = if ending.contains(&CONNECTION) { listed(headers) } else { Vec::new() };
    for name in ending.into_iter().chain(listed) {
        headers.remove(name);
    }
}

fn listed(headers: &HeaderMap) -> Vec<HeaderName> {
    let lines = headers.get_all(CONNECTION).iter().filter_map(|line| line.to_str().ok());
    let names = lines.flat_map(|line| line.split(',')).map(str::trim);
    names
        // What nearly all of them say, of which the first is no header and the second goes anyway.
        .filter(|name| {
            !["close", "keep-alive"].iter().any(|usual| name.eq_ignore_ascii_case(usual))
        })
        .filter_map(|name| HeaderName::try_from(name).ok())
        .filter(|name| !is_end_to_end(name))
        .collect()
}

fn is_end_to_end(name: &HeaderName) -> bool {
    END_TO_END.contains(name)
        || END_TO_END_PREFIXES.iter().any(|prefix| name.as_str().starts_with(prefix))
}

/// Whether it is a forwarding header, `Forwarded` or one that begins with `x-forwarded-`: a Trino with default settings
/// refuses any of them with 406.
pub fn is_forwarding(name: &str) -> bool {
    name.starts_with("x-forwarded-") || name == "forwarded"
}

/// The `Accept-Encoding` to send in the place of the client's: what it takes of identity, gzip and zstd, in its order and
/// with its weights. `None` where all that it takes can be read, or where it sent none, which Trino answers with identity.
pub fn readable_encodings(headers: &HeaderMap) -> Option<HeaderValue> {
    let lines = headers.get_all(ACCEPT_ENCODING);
    if lines.iter().all(|line| items(line).all(is_readable)) {
        return None;
    }
    let kept: Vec<&str> = lines.iter().flat_map(items).filter(|item| is_readable(item)).collect();
    let value = if kept.is_empty() { "identity".to_owned() } else { kept.join(", ") };
    HeaderValue::try_from(value).ok()
}

/// The items of one line of a list; none where it is no text.
pub fn items(line: &HeaderValue) -> impl DoubleEndedIterator<Item = &str> {
    line.to_str().unwrap_or_default().split(',').map(str::trim)
}

fn is_readable(item: &str) -> bool {
    let coding = item.split(';').next().unwrap_or_default().trim();
    ["gzip", "x-gzip", "zstd", "identity"].iter().any(|name| coding.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests;
