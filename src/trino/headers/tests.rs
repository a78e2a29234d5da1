//! What travels and what does not.
#![allow(
    clippy::unwrap_used,
    non_snake_case,
    reason = "a test may fail loudly, and bears the ids of the facts"
)]

use super::*;

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers
            .append(HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap());
    }
    headers
}

fn names(headers: &HeaderMap) -> Vec<&str> {
    let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    names
}

#[test]
fn peers_G11_hop_by_hop_headers_and_those_that_connection_lists_are_stripped() {
    let mut lines = headers(&[
        ("connection", "keep-alive, X-Mine,,"),
        ("connection", "x-other, b@d name, Keep-Alive"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("te", "trailers"),
        ("trailer", "x"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("proxy-authorization", "Basic x"),
        ("proxy-authenticate", "Basic"),
        ("x-mine", "1"),
        ("x-other", "1"),
        ("accept", "*/*"),
        ("set-cookie", "a"),
        ("set-cookie", "b"),
    ]);
    hop_by_hop(&mut lines);
    assert_eq!(names(&lines), ["accept", "set-cookie"]);
    assert_eq!(lines.get_all("set-cookie").iter().collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn peers_X15_connection_cannot_take_away_who_asks_and_where_it_came_from() {
    let kept = [
        "authorization",
        "content-length",
        "cookie",
        "forwarded",
        "host",
        "traceparent",
        "x-forwarded-proto",
        "x-gateway-backend",
        "x-presto-user",
        "x-request-id",
        "x-trino-user",
    ];
    let mut lines = headers(&[("connection", &kept.join(", "))]);
    for name in kept {
        lines.insert(name, HeaderValue::from_static("1"));
    }
    hop_by_hop(&mut lines);
    assert_eq!(names(&lines), kept);
}

#[test]
fn peers_X12_no_forwarding_header_is_left_for_a_backend_that_refuses_them() {
    let mut lines = headers(&[
        ("forwarded", "host=a"),
        ("x-forwarded-for", "1.2.3.4"),
        ("x-forwarded-for", "1.2.3.5"),
        ("x-forwarded-server", "lb"),
        ("x-forwarded-access-token", "t"),
        ("via", "1.1 lb"),
    ]);
    end_here(&mut lines, is_forwarding);
    assert_eq!(names(&lines), ["via"]);
}

#[test]
fn only_encodings_that_can_be_read_are_asked_for() {
    for (sent, passed) in [
        (vec!["gzip, compress, deflate, br"], "gzip"),
        (vec!["gzip, deflate"], "gzip"),
        (vec!["zstd;q=1.0, br, gzip;q=0.5, *;q=0"], "zstd;q=1.0, gzip;q=0.5"),
        (vec!["br", "GZIP"], "GZIP"),
        (vec!["br"], "identity"),
        (vec!["*"], "identity"),
        (vec![""], "identity"),
        (vec!["identity;q=0, br"], "identity;q=0"),
    ] {
        let lines: Vec<_> = sent.iter().map(|line| ("accept-encoding", *line)).collect();
        assert_eq!(readable_encodings(&headers(&lines)).unwrap(), passed);
    }
    // What can be read stays as it came, in as many lines.
    for sent in [&["gzip"][..], &["identity;q=0, gzip"], &["zstd", "x-gzip;q=0.5"], &[]] {
        let lines: Vec<_> = sent.iter().map(|line| ("accept-encoding", *line)).collect();
        assert_eq!(readable_encodings(&headers(&lines)), None);
    }
}
