//! Where a request names a query: which part of its path or query string holds the id.
//!
//! An id in the query string wins over one in the path. A segment is an id only in a place where Trino puts one:
//! after `query`, `queued`, `scheduled`, `executing` or `partialCancel`, whatever stands before (statement paths
//! can be configured). Everything is one pass over the text, decoded text included; bodies are not read here.

use super::{QUERY_ID_LENGTH, QueryId};

/// The segments after which Trino's paths name a query.
const BEFORE_AN_ID: [&str; 5] = ["query", "queued", "scheduled", "executing", "partialCancel"];

/// Every byte of an id written as `%41`; anything longer is none.
const ENCODED_ID_MAX: usize = 3 * QUERY_ID_LENGTH;

/// The longest `redirect` that is looked into; Trino's own are a path of its UI.
const REDIRECT_MAX: usize = 4096;

/// Finds the query that a GET, HEAD, PUT or DELETE is about; `path` bears no marker any more.
pub fn query_id_of(path: &str, query: Option<&str>) -> Option<QueryId> {
    query.and_then(in_query).or_else(|| in_path(path))
}

/// `Q`, `queryId=Q`, `query_id=Q` (any case), `redirect=/ui/api/query/Q`.
fn in_query(query: &str) -> Option<QueryId> {
    query.split('&').find_map(|parameter| match parameter.split_once('=') {
        None => id(parameter),
        Some((key, value)) if names_a_query(key) => id(value),
        Some((key, value)) if key.eq_ignore_ascii_case("redirect") => in_redirect(value),
        Some(_) => None,
    })
}

fn names_a_query(key: &str) -> bool {
    key.eq_ignore_ascii_case("queryId") || key.eq_ignore_ascii_case("query_id")
}

/// A target inside a parameter; a `redirect` within it is not followed further.
fn in_redirect(value: &str) -> Option<QueryId> {
    let target = decoded(value, REDIRECT_MAX)?;
    match target.split_once('?') {
        None => in_path(&target),
        Some((path, query)) => query
            .split('&')
            .find_map(|parameter| match parameter.split_once('=') {
                None => id(parameter),
                Some((key, value)) => names_a_query(key).then(|| id(value)).flatten(),
            })
            .or_else(|| in_path(path)),
    }
}

fn in_path(path: &str) -> Option<QueryId> {
    let mut before = &b""[..];
    // By bytes: a search in text begins anew for each segment, and they are short.
    path.as_bytes().split(|byte| *byte == b'/').find_map(|segment| {
        let names = BEFORE_AN_ID.iter().any(|word| word.as_bytes() == before);
        before = segment;
        if names { id(str::from_utf8(segment).ok()?) } else { None }
    })
}

fn id(text: &str) -> Option<QueryId> {
    QueryId::parse(text).or_else(|| QueryId::parse(&decoded(text, ENCODED_ID_MAX)?))
}

/// Undoes percent-encoding; `None` if `text` is longer than `max` bytes or not text when decoded.
fn decoded(text: &str, max: usize) -> Option<String> {
    if text.len() > max {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let (byte, after) = escape(rest).unwrap_or((*first, after));
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

/// `%2F` at the beginning of `bytes`, and what follows it.
fn escape(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let [b'%', high, low, after @ ..] = bytes else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some((digit(*high)? * 16 + digit(*low)?, after))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const Q: &str = "20240102_030405_00006_abcde";

    /// A target of the table, `<Q>` standing for the sample id.
    fn locate(target: &str) -> Option<String> {
        let target = target.replace("<Q>", Q);
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target.as_str(), None),
        };
        query_id_of(path, query).map(|id| id.to_string())
    }

    #[test]
    fn peers_6_1_statement_paths() {
        for target in [
            "/v1/statement/queued/<Q>/y0123/1",
            "/v1/statement/scheduled/<Q>/y0123/1",
            "/v1/statement/executing/<Q>/y0123/1",
            "/v1/statement/executing/partialCancel/<Q>/0/y0123/1",
            "/custom/api/statement/executing/<Q>/y0123/7",
        ] {
            assert_eq!(locate(target).as_deref(), Some(Q), "{target}");
        }
    }

    #[test]
    fn peers_6_1_query_and_ui_paths() {
        for target in [
            "/v1/query/<Q>",
            "/v1/query/<Q>?pretty",
            "/v1/query/<Q>/killed",
            "/v1/query/<Q>/preempted",
            "/ui/api/query/<Q>",
            "/ui/api/query/<Q>/killed",
            "/ui/api/query/<Q>/preempted",
            "/ui/query.html?<Q>",
            "/ui/troubleshooting?queryId=<Q>",
            "/ui/troubleshooting?query_id=<Q>",
            "/ui/troubleshooting?QUERYID=<Q>",
            "/ui/troubleshooting?Query_Id=<Q>",
            "/login?redirect=%2Fui%2Fapi%2Fquery%2F<Q>",
        ] {
            assert_eq!(locate(target).as_deref(), Some(Q), "{target}");
        }
    }

    #[test]
    fn peers_6_1_none() {
        for target in [
            "/ui/api/query/myOtherThing",
            "/ui/api/query/20240102_blah?x",
            "/ui/?lang=en&p=1&id=0_1_2_a",
            "/v1/query/not_an_id",
            "/v1/statement/queued/x/y/1",
            "/v1/statement/executing/partialCancel/x/0/y/1",
            "/v1/query",
            "/v1/query/",
            "/v1/spooled/download/<Q>",
            "/v1/statement/<Q>",
            "/<Q>",
            "/ui/?lang=<Q>",
            "/login?redirect=%2Flogin%3Fredirect%3D%252Fui%252Fapi%252Fquery%252F<Q>",
            "",
        ] {
            assert_eq!(locate(target), None, "{target}");
        }
    }

    #[test]
    fn peers_6_1_the_query_string_wins_over_the_path() {
        let other = "20250102_030405_00006_zzzzz";
        assert_eq!(
            query_id_of(&format!("/v1/query/{Q}"), Some(&format!("queryId={other}"))),
            QueryId::parse(other)
        );
        assert_eq!(
            query_id_of(&format!("/v1/query/{Q}"), Some("queryId=none&redirect=%2")),
            QueryId::parse(Q)
        );
    }

    #[test]
    fn redirects_hold_paths_queries_and_whole_urls() {
        for target in [
            "/login?redirect=%2Fui%2Fquery.html%3F<Q>",
            "/login?x=1&redirect=%2Fui%2Fquery.html%3fqueryId%3d<Q>",
            "/login?redirect=https%3A%2F%2Fgw%3A8443%2Fui%2Fapi%2Fquery%2F<Q>%2Fkilled",
            "/login?redirect=/ui/api/query/<Q>",
        ] {
            assert_eq!(locate(target).as_deref(), Some(Q), "{target}");
        }
    }

    #[test]
    fn encoded_ids_are_ids_and_broken_escapes_are_not() {
        let encoded: String = Q.bytes().map(|byte| format!("%{byte:02x}")).collect();
        assert_eq!(query_id_of(&format!("/v1/query/{encoded}"), None), QueryId::parse(Q));
        for bad in ["%", "%2", "%zz", "%ff%fe", "20240102%5F030405%5F00006%5Fabcd%"] {
            assert_eq!(query_id_of(&format!("/v1/query/{bad}"), Some(bad)), None, "{bad}");
        }
    }

    #[test]
    fn giant_targets_are_walked_once() {
        let mut path = "/query/%41%41%41".repeat(20_000);
        assert_eq!(query_id_of(&path, Some(&"redirect=%2F&".repeat(20_000))), None);
        path.push_str("/v1/query/");
        path.push_str(Q);
        assert_eq!(query_id_of(&path, None), QueryId::parse(Q));
        assert_eq!(query_id_of("/", Some(&format!("redirect={}", "%2F".repeat(100_000)))), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_target_panics(path in "(/|query|%[0-9a-f]{0,2}|.){0,20}", query in "(redirect=|%|&|=|.){0,20}") {
            let _ = query_id_of(&path, Some(&query));
        }
    }
}
