//! Which forwarded headers a coordinator honours when it builds URIs, found by asking for its redirect.
//!
//! `GET /` leads to its web UI, at the host, scheme and prefix that it believes in. A host that cannot exist, a
//! scheme that it does not have and a prefix tell which headers it took. Only a URI that came back proves
//! anything: an old Trino ignores the headers in silence. 406 says that it refuses them on every path.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, uri::Scheme};

use crate::{backends::probe::ask::Target, snapshot::BackendUrl, trino::uris::Capabilities};

/// A host that no resolver knows (RFC 2606).
const PROBE_HOST: &str = "probe.invalid";

/// A marker that no backend bears.
const PROBE_PREFIX: &str = "/_b/probe";

/// Asks once without and once with a prefix; `None` if there was no honest answer (nothing, or a 5xx).
pub(crate) async fn prove(
    target: &Target,
    url: &BackendUrl,
    timeout: Duration,
) -> Option<Capabilities> {
    let scheme = other_scheme(url);
    let none = Capabilities::default();
    let (status, location) = honest(target.root(headers(scheme, None), timeout).await)?;
    if status == StatusCode::NOT_ACCEPTABLE {
        return Some(Capabilities { refused: true, ..none });
    }
    if !honours(location.as_deref(), scheme, "") {
        return Some(none);
    }
    let prefixed = headers(scheme, Some(PROBE_PREFIX));
    let (_, location) = honest(target.root(prefixed, timeout).await)?;
    let prefix = honours(location.as_deref(), scheme, PROBE_PREFIX);
    Some(Capabilities { forwarded: true, prefix, ..none })
}

type Redirect = (StatusCode, Option<String>);

fn honest(answer: Option<Redirect>) -> Option<Redirect> {
    answer.filter(|(status, _)| !status.is_server_error())
}

fn other_scheme(url: &BackendUrl) -> &'static str {
    if url.scheme == Scheme::HTTPS { "http" } else { "https" }
}

fn headers(scheme: &'static str, prefix: Option<&'static str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut set = |name, value| {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    };
    set("x-forwarded-host", PROBE_HOST);
    set("x-forwarded-proto", scheme);
    if let Some(prefix) = prefix {
        set("x-forwarded-prefix", prefix);
    }
    headers
}

/// Whether that redirect is built from what we sent; a port of the coordinator's own in it is not.
fn honours(location: Option<&str>, scheme: &str, prefix: &str) -> bool {
    let Some(Ok(uri)) = location.map(str::parse::<Uri>) else { return false };
    let under = uri.path().strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/'));
    uri.scheme_str() == Some(scheme)
        && uri.authority().is_some_and(|authority| authority.as_str() == PROBE_HOST)
        && under
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_uri_of_ours_proves_anything() {
        for (location, plain, prefixed) in [
            (Some("https://probe.invalid/ui/"), true, false),
            (Some("https://probe.invalid/_b/probe/ui/"), true, true),
            (Some("https://probe.invalid/_b/prober/ui/"), true, false),
            (Some("https://probe.invalid:29101/ui/"), false, false),
            (Some("http://probe.invalid/ui/"), false, false),
            (Some("http://127.0.0.1:8080/ui/"), false, false),
            (Some("/ui/"), false, false),
            (Some("ü"), false, false),
            (None, false, false),
        ] {
            assert_eq!(honours(location, "https", ""), plain, "{location:?}");
            assert_eq!(honours(location, "https", PROBE_PREFIX), prefixed, "{location:?}");
        }
    }
}
