//! Who says what, and who is believed.
#![allow(
    clippy::unwrap_used,
    non_snake_case,
    reason = "a test may fail loudly, and bears the ids of the facts"
)]

use super::*;
use http::HeaderName;

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let pairs = lines.iter().map(|(name, value)| {
        (
            HeaderName::try_from(*name).unwrap(),
            http::HeaderValue::from_bytes(value.as_bytes()).unwrap(),
        )
    });
    pairs.collect()
}

fn base(trusted: bool, tls: bool, lines: &[(&str, &str)]) -> String {
    let headers = headers(lines);
    let asked = Asked {
        uri: &Uri::from_static("/v1/statement"),
        headers: &headers,
        tls,
        trusted,
        local: "127.0.0.1:8080".parse().unwrap(),
        external: None,
    };
    ClientBase::of(&asked).to_string()
}

const PROXY: [(&str, &str); 4] = [
    ("host", "inner:1"),
    ("x-forwarded-host", "gw.example.com:8443"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-prefix", "/trino/"),
];

#[test]
fn peers_G11_only_a_trusted_proxy_is_believed() {
    assert_eq!(base(false, false, &PROXY), "http://inner:1");
    assert_eq!(base(false, true, &PROXY), "https://inner:1");
    assert_eq!(base(true, false, &PROXY), "https://gw.example.com:8443/trino");
    assert_eq!(
        base(false, false, &[("host", "inner"), ("forwarded", "host=gw;proto=https")]),
        "http://inner"
    );
}

#[test]
fn of_lists_the_first_and_ports_as_trino_has_them() {
    for (lines, expected) in [
        (
            vec![
                ("x-forwarded-host", "a.example.com, b.example.com"),
                ("x-forwarded-proto", "https,http"),
            ],
            "https://a.example.com",
        ),
        (vec![("x-forwarded-host", "gw"), ("x-forwarded-port", "8443")], "http://gw:8443"),
        (vec![("x-forwarded-host", "gw:8443"), ("x-forwarded-port", "9443")], "http://gw:8443"),
        (
            vec![
                ("x-forwarded-host", "gw"),
                ("x-forwarded-proto", "https"),
                ("x-forwarded-port", "443"),
            ],
            "https://gw",
        ),
        (vec![("x-forwarded-host", "gw"), ("x-forwarded-port", "80")], "http://gw"),
        (vec![("x-forwarded-host", "[2001:db8::1]:8443")], "http://[2001:db8::1]:8443"),
        (
            vec![("x-forwarded-host", "[2001:db8::1]"), ("x-forwarded-port", "8443")],
            "http://[2001:db8::1]:8443",
        ),
        (vec![("x-forwarded-proto", "HTTPS")], "https://inner"),
        (
            vec![("forwarded", "for=1.2.3.4; Host=\"gw:8443\" ;proto=https, host=x")],
            "https://gw:8443",
        ),
        (vec![("forwarded", "host=a"), ("x-forwarded-host", "b")], "http://b"),
    ] {
        let lines: Vec<_> = [("host", "inner")].into_iter().chain(lines).collect();
        assert_eq!(base(true, false, &lines), expected, "{lines:?}");
    }
}

#[test]
fn hostile_values_fall_back() {
    for host in [
        "", " ", "a b", "a/b", "a@b", "a\\b", "a\"b", "a:b", "a:0", "a:99999", "a:", ":80", "[::1",
        "[x]", "::1", "<a>", "a%0d", "é", "a?b", "a#b",
    ] {
        assert_eq!(base(false, false, &[("host", host)]), "http://127.0.0.1:8080", "{host}");
        assert_eq!(
            base(true, false, &[("host", "inner"), ("x-forwarded-host", host)]),
            "http://inner",
            "{host}"
        );
    }
    assert_eq!(base(false, false, &[("host", &"a".repeat(300))]), "http://127.0.0.1:8080");
    for prefix in ["trino", "/a//b", "/../x", "/a b", "/a\"", "/a?b", "/é", "//evil", "/"] {
        assert_eq!(
            base(true, false, &[("host", "inner"), ("x-forwarded-prefix", prefix)]),
            "http://inner",
            "{prefix}"
        );
    }
    for proto in ["ftp", "javascript", ""] {
        assert_eq!(
            base(true, false, &[("host", "inner"), ("x-forwarded-proto", proto)]),
            "http://inner"
        );
    }
}

#[test]
fn the_targets_own_authority_wins_over_host() {
    let headers = headers(&[("host", "other")]);
    let asked = Asked {
        uri: &Uri::from_static("https://gw:8443/v1/statement"),
        headers: &headers,
        tls: false,
        trusted: false,
        local: "127.0.0.1:8080".parse().unwrap(),
        external: None,
    };
    assert_eq!(ClientBase::of(&asked).to_string(), "http://gw:8443");
}

#[test]
fn the_external_url_wins_over_all() {
    let external = ClientBase::parse("https://trino.example.com/gateway/").unwrap();
    let headers = headers(&PROXY);
    let asked = Asked {
        uri: &Uri::from_static("/"),
        headers: &headers,
        tls: false,
        trusted: true,
        local: "127.0.0.1:8080".parse().unwrap(),
        external: Some(&external),
    };
    assert_eq!(ClientBase::of(&asked).to_string(), "https://trino.example.com/gateway");
    assert_eq!(external.below("/_b/a").to_string(), "https://trino.example.com/gateway/_b/a");
    for (path, stripped) in [
        ("/gateway/v1/statement", "/v1/statement"),
        ("/gateway", "/"),
        ("/gateway/", "/"),
        ("/gatewayx/v1", "/gatewayx/v1"),
        ("/v1/statement", "/v1/statement"),
    ] {
        assert_eq!(external.strip(path), stripped);
    }
}

#[test]
fn parses_bases_and_nothing_else() {
    for (url, expected) in [
        ("http://gw:8080", "http://gw:8080"),
        ("HTTPS://gw/", "https://gw"),
        ("https://gw:8443/trino/", "https://gw:8443/trino"),
        ("http://[::1]:1/a/b", "http://[::1]:1/a/b"),
    ] {
        assert_eq!(ClientBase::parse(url).unwrap().to_string(), expected);
    }
    for url in [
        "",
        "gw",
        "ftp://gw",
        "http://",
        "http://u:p@gw",
        "http://gw?x",
        "http://gw/a?b",
        "http://gw/a//b",
        "http://g w",
    ] {
        assert_eq!(ClientBase::parse(url), None, "{url}");
    }
    assert_eq!(ClientBase::parse("https://gw").unwrap().port(), 443);
    assert_eq!(ClientBase::parse("http://[::1]").unwrap().port(), 80);
    assert_eq!(ClientBase::parse("http://gw:81").unwrap().port(), 81);
}
