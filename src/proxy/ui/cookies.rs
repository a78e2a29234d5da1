//! Trino's own cookies, kept apart by coordinator: `Trino-UI-Token` of backend `x` is `Trino-UI-Token.x` outside.
//!
//! All coordinators use the same names, so that a login at one would end the login at another, and a session key
//! would be shown to every coordinator. Their paths are widened, since a page under a marker asks `/ui/…` too. Other
//! cookies pass untouched, and values are never looked at.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{COOKIE, SET_COOKIE},
};
use sluice_routing::BackendName;

use crate::trino::client_base::ClientBase;

/// What the names of Trino's cookies begin with (`Trino-UI-Token`, `__Secure-Trino-OAuth2-Token_2`).
const LEADS: [&[u8]; 2] = [b"Trino-", b"__Secure-Trino-"];

/// Ties a browser to its OAuth2 login; it is the only one whose path is not the UI's.
const NONCE: &str = "__Secure-Trino-Nonce";

/// Leaves in a request those of Trino's cookies that are the backend's, under their own names.
pub(crate) fn inward(headers: &mut HeaderMap, backend: &BackendName) {
    let suffix = format!(".{backend}");
    rewrite(headers, &COOKIE, |line| {
        let kept = line.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let kept: Vec<Vec<u8>> = kept.filter_map(|cookie| own(cookie, suffix.as_bytes())).collect();
        kept.join(&b"; "[..])
    });
}

/// The cookie as its coordinator knows it; `None` if it is another coordinator's.
fn own(cookie: &[u8], suffix: &[u8]) -> Option<Vec<u8>> {
    let name = name_of(cookie);
    if !is_trinos(name) {
        return Some(cookie.to_vec());
    }
    let bare = name.strip_suffix(suffix)?;
    Some([bare, cookie.get(name.len()..)?].concat())
}

/// Puts the backend's name, if one is given, to those of Trino's cookies that an answer sets, and makes them reach
/// all of the UI.
pub(crate) fn outward(headers: &mut HeaderMap, backend: Option<&BackendName>, base: &ClientBase) {
    let suffix = backend.map(|name| format!(".{name}")).unwrap_or_default();
    rewrite(headers, &SET_COOKIE, |line| {
        let name = name_of(line);
        if !is_trinos(name) {
            return line.to_vec();
        }
        // The callback is asked for behind the client's prefix or not, as the coordinator built its URI.
        let keeps_path = name == NONCE.as_bytes() && base.prefix.is_empty();
        let attributes = line.get(name.len()..).unwrap_or_default();
        let attributes = if keeps_path { attributes.to_vec() } else { everywhere(attributes) };
        [name, suffix.as_bytes(), &attributes].concat()
    });
}

/// The same attributes with `Path=/`.
fn everywhere(attributes: &[u8]) -> Vec<u8> {
    let is_path = |part: &&[u8]| {
        let key = part.split(|byte| *byte == b'=').next().unwrap_or_default();
        key.trim_ascii().eq_ignore_ascii_case(b"path")
    };
    let mut parts: Vec<&[u8]> =
        attributes.split(|byte| *byte == b';').filter(|part| !is_path(part)).collect();
    parts.push(b"Path=/");
    parts.join(&b';')
}

/// The backends whose login has left its nonce in this browser.
pub(crate) fn nonces(headers: &HeaderMap) -> impl Iterator<Item = BackendName> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).filter_map(|cookie| {
        let (name, _) = cookie.trim().split_once('=')?;
        BackendName::parse(name.strip_prefix(NONCE)?.strip_prefix('.')?)
    })
}

fn name_of(cookie: &[u8]) -> &[u8] {
    cookie.split(|byte| matches!(byte, b'=' | b';')).next().unwrap_or_default()
}

fn is_trinos(name: &[u8]) -> bool {
    LEADS.iter().any(|lead| name.starts_with(lead))
}

/// Puts new lines in the place of those that name one of Trino's cookies; empty ones go.
fn rewrite(headers: &mut HeaderMap, name: &HeaderName, change: impl Fn(&[u8]) -> Vec<u8>) {
    let is_concerned = |line: &HeaderValue| line.as_bytes().windows(6).any(|at| at == b"Trino-");
    if !headers.get_all(name).iter().any(is_concerned) {
        return;
    }
    let lines: Vec<HeaderValue> = headers.get_all(name).iter().cloned().collect();
    headers.remove(name);
    for line in lines {
        let changed = change(line.as_bytes());
        if !changed.is_empty() {
            headers.append(name, HeaderValue::from_bytes(&changed).unwrap_or(line));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trino::client_base::Scheme;

    fn base(prefix: &str) -> ClientBase {
        ClientBase { scheme: Scheme::Https, authority: "gw".to_owned(), prefix: prefix.to_owned() }
    }

    fn backend(name: &str) -> BackendName {
        BackendName::parse(name).unwrap()
    }

    fn sent(lines: &[&str], to: &str) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(COOKIE, HeaderValue::from_str(line).unwrap());
        }
        inward(&mut headers, &backend(to));
        headers.get_all(COOKIE).iter().map(|line| line.to_str().unwrap().to_owned()).collect()
    }

    fn set(line: &str, prefix: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.append(SET_COOKIE, HeaderValue::from_str(line).unwrap());
        outward(&mut headers, Some(&backend("b-two")), &base(prefix));
        headers[SET_COOKIE].to_str().unwrap().to_owned()
    }

    #[test]
    fn a_coordinator_sees_its_own_login_and_no_other() {
        let both = "theme=dark; Trino-UI-Token.a=1=2; Trino-UI-Token.b=3; Trino-UI-Token=old";
        assert_eq!(sent(&[both], "a"), ["theme=dark; Trino-UI-Token=1=2"]);
        assert_eq!(sent(&[both], "b"), ["theme=dark; Trino-UI-Token=3"]);
        assert_eq!(sent(&["Trino-UI-Token.a=1", "x=y"], "b"), ["x=y"]);
        let parts = "__Secure-Trino-OAuth2-Token.a=1; __Secure-Trino-OAuth2-Token_2.a=2";
        assert_eq!(
            sent(&[parts], "a"),
            ["__Secure-Trino-OAuth2-Token=1; __Secure-Trino-OAuth2-Token_2=2"]
        );
    }

    #[test]
    fn other_cookies_pass_as_they_came() {
        assert_eq!(sent(&["a=b;c=d ;", "trino-x=1"], "a"), ["a=b;c=d ;", "trino-x=1"]);
        assert_eq!(set("JSESSIONID=Trino-; Path=/ui", ""), "JSESSIONID=Trino-; Path=/ui");
    }

    #[test]
    fn a_login_is_kept_under_the_coordinators_name_for_all_paths() {
        assert_eq!(
            set("Trino-UI-Token=ey;Version=1;Path=/ui;HttpOnly", ""),
            "Trino-UI-Token.b-two=ey;Version=1;HttpOnly;Path=/"
        );
        assert_eq!(
            set("Trino-UI-Token=; Max-Age=0", ""),
            "Trino-UI-Token.b-two=; Max-Age=0;Path=/"
        );
    }

    #[test]
    fn the_nonce_keeps_its_path_but_behind_a_prefix() {
        let nonce = "__Secure-Trino-Nonce=n;Version=1;Path=/oauth2/callback;Secure;HttpOnly";
        assert_eq!(
            set(nonce, ""),
            "__Secure-Trino-Nonce.b-two=n;Version=1;Path=/oauth2/callback;Secure;HttpOnly"
        );
        assert_eq!(
            set(nonce, "/trino"),
            "__Secure-Trino-Nonce.b-two=n;Version=1;Secure;HttpOnly;Path=/"
        );
    }

    #[test]
    fn a_nonce_names_its_coordinator() {
        let mut headers = HeaderMap::new();
        let line =
            "x=1; __Secure-Trino-Nonce.b=n; __Secure-Trino-Nonce=m; __Secure-Trino-Nonce.B=o";
        headers.append(COOKIE, HeaderValue::from_static(line));
        assert_eq!(nonces(&headers).collect::<Vec<_>>(), [backend("b")]);
    }
}
