//! Under which address the client sees the gateway: what all URIs that it is given begin with.
//!
//! From `externalUrl` if that is set; else from the forwarded headers of a trusted proxy; else from the request
//! itself. Nothing that is not a plain authority or path gets through, since these values are sent on in headers and
//! written into pages.

use std::fmt;
use std::net::SocketAddr;

use http::header::{FORWARDED, HOST};
use http::{HeaderMap, Uri};

use crate::trino::headers::{
    X_FORWARDED_HOST, X_FORWARDED_PORT, X_FORWARDED_PREFIX, X_FORWARDED_PROTO,
};

/// The longest authority: a host name of 253 bytes and a port.
const LONGEST_AUTHORITY: usize = 260;
/// Far longer than any path that a proxy puts in front.
const LONGEST_PREFIX: usize = 512;

/// The two schemes that Trino's clients speak.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Scheme {
    /// Without TLS.
    Http,
    /// With TLS.
    Https,
}

impl Scheme {
    /// `http` or `https`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port that URIs leave away.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    fn of(word: &str) -> Option<Self> {
        match word {
            _ if word.eq_ignore_ascii_case("http") => Some(Self::Http),
            _ if word.eq_ignore_ascii_case("https") => Some(Self::Https),
            _ => None,
        }
    }
}

/// Scheme, authority and path prefix of the gateway as one client sees it; displays as `https://gw:8443/trino`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct ClientBase {
    /// The client's, not ours: a proxy may have ended TLS.
    pub scheme: Scheme,
    /// Host, and port if it is not the scheme's own.
    pub authority: String,
    /// Empty, or a path that begins with a slash and does not end with one.
    pub prefix: String,
}

/// What is known of a request when its base is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The request's target; its authority, if it has one, wins over `Host`.
    pub uri: &'a Uri,
    /// The request's headers, as they came.
    pub headers: &'a HeaderMap,
    /// Whether the connection has TLS.
    pub tls: bool,
    /// Whether the peer is one of `data.trustedProxies`.
    pub trusted: bool,
    /// Our own end of the connection: the last resort.
    pub local: SocketAddr,
    /// `data.externalUrl`.
    pub external: Option<&'a ClientBase>,
}

impl ClientBase {
    /// The base of an absolute `http` or `https` URL without query; `None` for all else.
    pub fn parse(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        Some(Self {
            scheme: Scheme::of(scheme)?,
            authority: authority_of(authority)?,
            prefix: prefix_of(path)
                .or_else(|| path.trim_matches('/').is_empty().then(String::new))?,
        })
    }

    /// The base of a request.
    pub fn of(asked: &Asked<'_>) -> Self {
        if let Some(external) = asked.external {
            return external.clone();
        }
        let said = if asked.trusted { Said::by_proxy(asked.headers) } else { Said::default() };
        let scheme = said.scheme.unwrap_or(if asked.tls { Scheme::Https } else { Scheme::Http });
        Self {
            scheme,
            authority: said
                .authority(scheme)
                .or_else(|| own_authority(asked))
                .unwrap_or_else(|| asked.local.to_string()),
            prefix: said.prefix.unwrap_or_default(),
        }
    }

    /// `path` without this base's prefix, if it carries it.
    pub fn strip<'p>(&self, path: &'p str) -> &'p str {
        match path.strip_prefix(self.prefix.as_str()) {
            Some("") => "/",
            Some(rest) if rest.starts_with('/') => rest,
            _ => path,
        }
    }

    /// This base with `more` (empty or beginning with a slash) after its prefix.
    pub fn below(&self, more: &str) -> Self {
        Self { prefix: format!("{}{more}", self.prefix), ..self.clone() }
    }

    /// The port, also where the authority leaves it away.
    pub fn port(&self) -> u16 {
        port_of(&self.authority).unwrap_or(self.scheme.default_port())
    }
}

impl fmt::Display for ClientBase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme.as_str(), self.authority, self.prefix)
    }
}

/// What a trusted proxy said, as far as it is well-formed.
#[derive(Default)]
struct Said {
    scheme: Option<Scheme>,
    host: Option<String>,
    port: Option<u16>,
    prefix: Option<String>,
}

impl Said {
    /// `X-Forwarded-*`, and `Forwarded` for what those leave open; of lists the first element, as Trino takes it.
    fn by_proxy(headers: &HeaderMap) -> Self {
        let forwarded = first(headers, FORWARDED.as_str()).unwrap_or_default();
        Self {
            scheme: first(headers, X_FORWARDED_PROTO.as_str())
                .and_then(Scheme::of)
                .or_else(|| parameter(forwarded, "proto").and_then(Scheme::of)),
            host: first(headers, X_FORWARDED_HOST.as_str())
                .and_then(authority_of)
                .or_else(|| parameter(forwarded, "host").and_then(authority_of)),
            port: first(headers, X_FORWARDED_PORT.as_str())
                .and_then(|port| port.parse().ok())
                .filter(|port| *port > 0),
            prefix: first(headers, X_FORWARDED_PREFIX.as_str()).and_then(prefix_of),
        }
    }

    /// The port in the host wins over `X-Forwarded-Port`, as in Trino.
    fn authority(&self, scheme: Scheme) -> Option<String> {
        let host = self.host.as_deref()?;
        match self.port {
            Some(port) if port_of(host).is_none() && port != scheme.default_port() => {
                Some(format!("{host}:{port}"))
            }
            _ => Some(host.to_owned()),
        }
    }
}

fn own_authority(asked: &Asked<'_>) -> Option<String> {
    let target = asked.uri.authority().map(http::uri::Authority::as_str);
    let host = || asked.headers.get(HOST).and_then(|value| value.to_str().ok());
    target.or_else(host).and_then(authority_of)
}

/// The first element of a header's list.
fn first<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let value = headers.get(name)?.to_str().ok()?;
    value.split(',').next().map(str::trim).filter(|element| !element.is_empty())
}

/// One parameter of an element of `Forwarded` (RFC 7239), unquoted.
fn parameter<'a>(element: &'a str, wanted: &str) -> Option<&'a str> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim().trim_matches('"'))
    })
}

/// `text` if it is a host name, an IPv4 or a bracketed IPv6 address, with or without a port.
fn authority_of(text: &str) -> Option<String> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !text.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let host_ok = match address {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
        }
    };
    let port_ok = port.is_none_or(|port| {
        port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|p| p > 0)
    });
    (host_ok && port_ok && text.len() <= LONGEST_AUTHORITY).then(|| text.to_owned())
}

fn port_of(authority: &str) -> Option<u16> {
    if authority.ends_with(']') {
        return None;
    }
    authority.rsplit_once(':').and_then(|(_, port)| port.parse().ok())
}

/// `text` without its slashes at the end, if it is a plain path other than `/`.
fn prefix_of(text: &str) -> Option<String> {
    let path = text.trim_end_matches('/');
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/');
    let segments_ok = || path.split('/').skip(1).all(|part| !matches!(part, "" | "." | ".."));
    let ok = path.starts_with('/')
        && path.len() <= LONGEST_PREFIX
        && path.bytes().all(plain)
        && segments_ok();
    ok.then(|| path.to_owned())
}

#[cfg(test)]
mod tests;
