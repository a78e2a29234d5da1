//! Redirects of a coordinator to its own web UI, led back under its marker.
//!
//! Trino redirects to `/ui/` and to its login page. It is never told of the marker there: it would put it into the
//! URI that its OAuth2 provider compares, too.

use http::{HeaderMap, HeaderValue, header::LOCATION};
use sluice_routing::BackendName;

use crate::trino::{client_base::ClientBase, marker};

/// Puts the marker into a `Location` that leads to the web UI of the answering backend.
pub(crate) fn mark(headers: &mut HeaderMap, backend: &BackendName, base: &ClientBase) {
    let Some(location) = headers.get(LOCATION).and_then(|value| value.to_str().ok()) else {
        return;
    };
    let marked = marked(location, backend, base);
    if let Some(value) = marked.and_then(|text| HeaderValue::try_from(text).ok()) {
        headers.insert(LOCATION, value);
    }
}

/// The path of the backend's own page, as the client asks for it.
pub(crate) fn behind_marker(path: &str, backend: &BackendName, base: &ClientBase) -> String {
    format!("{}{}{path}", base.prefix, marker::prefix(backend))
}

fn marked(location: &str, backend: &BackendName, base: &ClientBase) -> Option<String> {
    let (origin, path) = split(location, base)?;
    let below = base.strip(path);
    is_ui(below).then(|| format!("{origin}{}", behind_marker(below, backend, base)))
}

/// The part before the path, if it is ours, and the rest.
fn split<'a>(location: &'a str, base: &ClientBase) -> Option<(&'a str, &'a str)> {
    if location.starts_with('/') {
        return (!location.starts_with("//")).then_some(("", location));
    }
    let (scheme, rest) = location.split_once("://")?;
    let length = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = rest.get(..length)?;
    let ours = authority.eq_ignore_ascii_case(&base.authority)
        && ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    ours.then(|| location.split_at(scheme.len() + "://".len() + length))
}

fn is_ui(target: &str) -> bool {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    matches!(path, "" | "/" | "/ui" | "/login" | "/logout")
        || path.starts_with("/ui/")
        || path.starts_with("/login/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leads_back_under_the_marker() {
        let base = ClientBase::parse("https://gw:8443").unwrap();
        let below = ClientBase::parse("https://gw:8443/trino").unwrap();
        let x = BackendName::parse("x").unwrap();
        for (base, location, expected) in [
            (&base, "https://gw:8443/ui/", Some("https://gw:8443/_b/x/ui/")),
            (&base, "/ui/login.html?/ui/", Some("/_b/x/ui/login.html?/ui/")),
            (&base, "http://GW:8443/ui", Some("http://GW:8443/_b/x/ui")),
            (&base, "/ui/#/queries/1", Some("/_b/x/ui/#/queries/1")),
            (&below, "https://gw:8443/trino/ui/", Some("https://gw:8443/trino/_b/x/ui/")),
            (&below, "/ui/", Some("/trino/_b/x/ui/")),
            (&base, "/_b/x/ui/", None),
            (&base, "https://issuer/authorize?redirect_uri=https%3A%2F%2Fgw", None),
            (&base, "https://issuer/ui/", None),
            (&base, "//issuer/ui/", None),
            (&base, "login.html", None),
            (&base, "/uix", None),
        ] {
            assert_eq!(marked(location, &x, base).as_deref(), expected, "{location}");
        }
    }
}
