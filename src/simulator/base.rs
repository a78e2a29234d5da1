//! The base of the URIs in an answer, built for each request as `http-server.process-forwarded` says.
//!
//! Trino believes, in this order: `X-Forwarded-*` if it may, then the `Host` header. Of a list the first element
//! counts; a port in X-Forwarded-Host beats X-Forwarded-Port; a port that is the scheme's own is left out.

use http::HeaderMap;

use super::options::{Forwarded, Version};

/// `http://host:port`, and the path prefix where the coordinator honours one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Base {
    scheme: String,
    authority: String,
    prefix: String,
}

impl Base {
    /// The base for one request; `own` is the listener's scheme and address.
    pub(super) fn of(
        headers: &HeaderMap,
        forwarded: Forwarded,
        version: Version,
        (scheme, own): (&str, &str),
    ) -> Self {
        let host = first(headers, "host").unwrap_or(own);
        let plain = Self {
            scheme: scheme.to_owned(),
            authority: without_default_port(host, scheme),
            prefix: String::new(),
        };
        if forwarded != Forwarded::Accept {
            return plain;
        }
        let standard = first(headers, "forwarded").map(Standard::parse).unwrap_or_default();
        let scheme = first(headers, "x-forwarded-proto").or(standard.proto).unwrap_or(scheme);
        let prefix = match version {
            Version::V483 => first(headers, "x-forwarded-prefix").unwrap_or_default(),
            // X-Forwarded-Prefix came with 452.
            Version::V435 => "",
        };
        Self {
            scheme: scheme.to_owned(),
            authority: authority(headers, host, own, &standard, scheme, version),
            prefix: with_slash(prefix),
        }
    }

    /// Whether the request counts as secure, so that passwords are allowed and cookies are `Secure`.
    pub(super) fn is_secure(&self) -> bool {
        self.scheme == "https"
    }

    /// Scheme and authority alone: what the OAuth2 challenge is built from, which ignores the prefix.
    pub(super) fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }

    /// The whole base, without a slash at its end.
    pub(super) fn url(&self) -> String {
        format!("{}://{}{}", self.scheme, self.authority, self.prefix)
    }
}

/// A path with a slash before it and none behind it.
fn with_slash(prefix: &str) -> String {
    match prefix.trim_matches('/') {
        "" => String::new(),
        name => format!("/{name}"),
    }
}

/// The first element of the standard header `Forwarded`.
#[derive(Default)]
struct Standard<'a> {
    host: Option<&'a str>,
    proto: Option<&'a str>,
}

impl<'a> Standard<'a> {
    fn parse(value: &'a str) -> Self {
        let mut standard = Self::default();
        for pair in value.split(';') {
            match pair.trim().split_once('=') {
                Some(("host", host)) => standard.host = Some(host.trim_matches('"')),
                Some(("proto", proto)) => standard.proto = Some(proto.trim_matches('"')),
                _ => {}
            }
        }
        standard
    }
}

fn authority(
    headers: &HeaderMap,
    host: &str,
    own: &str,
    standard: &Standard<'_>,
    scheme: &str,
    version: Version,
) -> String {
    let forwarded_port = first(headers, "x-forwarded-port");
    // Jetty takes X-Forwarded-Server too, if there is no better name.
    let named = first(headers, "x-forwarded-host").or(first(headers, "x-forwarded-server"));
    if let Some(named) = named {
        let (name, port) = split(named);
        return join(name, port.or(forwarded_port), scheme);
    }
    if let Some(named) = standard.host {
        let (name, port) = split(named);
        // Seen on 483: the coordinator's own port stays, which is wrong for everybody; 435 was right.
        let own_port = split(own).1.filter(|_| version == Version::V483);
        return join(name, port.or(own_port), scheme);
    }
    let (name, port) = split(host);
    join(name, forwarded_port.or(port), scheme)
}

fn without_default_port(authority: &str, scheme: &str) -> String {
    let (name, port) = split(authority);
    join(name, port, scheme)
}

fn join(name: &str, port: Option<&str>, scheme: &str) -> String {
    match (port, scheme) {
        (None, _) | (Some("443"), "https") | (Some("80"), "http") => name.to_owned(),
        (Some(port), _) => format!("{name}:{port}"),
    }
}

/// Parts `name:port`; an IPv6 address keeps its brackets.
fn split(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => {
            (name, Some(port))
        }
        _ => (authority, None),
    }
}

fn first<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let value = headers.get(name)?.to_str().ok()?;
    let value = value.split(',').next().unwrap_or(value).trim();
    (!value.is_empty()).then_some(value)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn url(pairs: &[(&str, &str)], version: Version) -> String {
        let mut headers = HeaderMap::new();
        headers.insert("host", "127.0.0.1:29101".parse().unwrap());
        for (name, value) in pairs {
            let name: http::HeaderName = name.parse().unwrap();
            headers.insert(name, value.parse().unwrap());
        }
        Base::of(&headers, Forwarded::Accept, version, ("http", "127.0.0.1:29101")).url()
    }

    /// The table of what a Trino 483 with `process-forwarded=true` was seen to do.
    #[test]
    fn uris_follow_the_forwarded_headers_as_seen() {
        let table: &[(&[(&str, &str)], &str)] = &[
            (&[], "http://127.0.0.1:29101"),
            (&[("host", "gw.example.com:8443")], "http://gw.example.com:8443"),
            (
                &[("x-forwarded-proto", "https"), ("x-forwarded-host", "gw.example.com")],
                "https://gw.example.com",
            ),
            (
                &[("x-forwarded-proto", "https"), ("x-forwarded-host", "gw.example.com:8443")],
                "https://gw.example.com:8443",
            ),
            (
                &[
                    ("x-forwarded-proto", "https"),
                    ("x-forwarded-host", "gw.example.com"),
                    ("x-forwarded-port", "8443"),
                ],
                "https://gw.example.com:8443",
            ),
            (
                &[("x-forwarded-host", "gw.example.com:8443"), ("x-forwarded-port", "9443")],
                "http://gw.example.com:8443",
            ),
            (
                &[
                    ("x-forwarded-proto", "https"),
                    ("x-forwarded-host", "gw.example.com"),
                    ("x-forwarded-port", "443"),
                ],
                "https://gw.example.com",
            ),
            (&[("x-forwarded-host", "gw.example.com")], "http://gw.example.com"),
            (&[("x-forwarded-proto", "https")], "https://127.0.0.1:29101"),
            (&[("x-forwarded-port", "9999")], "http://127.0.0.1:9999"),
            (
                &[
                    ("x-forwarded-prefix", "/trino"),
                    ("x-forwarded-host", "gw.example.com"),
                    ("x-forwarded-proto", "https"),
                ],
                "https://gw.example.com/trino",
            ),
            (&[("x-forwarded-host", "a.example.com, b.example.com")], "http://a.example.com"),
            (&[("x-forwarded-host", "[2001:db8::1]:8443")], "http://[2001:db8::1]:8443"),
            (&[("forwarded", "host=gw.example.com;proto=https")], "https://gw.example.com:29101"),
        ];
        for (headers, expected) in table {
            assert_eq!(url(headers, Version::V483), *expected, "{headers:?}");
        }
        assert_eq!(
            url(&[("x-forwarded-prefix", "/trino")], Version::V435),
            "http://127.0.0.1:29101"
        );
    }
}
