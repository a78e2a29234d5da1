//! Which way the URIs in an answer come to point at the gateway, chosen per request.
//!
//! Pure: what a backend can do was found by a probe elsewhere, and arrives as [`Capabilities`].

use crate::trino::client_base::ClientBase;

/// How one request is sent so that the URIs of its answer are right.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Mode {
    /// With `X-Forwarded-*`: Trino makes them.
    Forwarded,
    /// With the client's `Host` and no `X-Forwarded-*`: Trino makes them, as far as scheme and path are the same.
    Host,
    /// With the backend's `Host`: we patch them.
    Rewrite,
}

/// What a backend was seen to do with forwarded headers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Capabilities {
    /// `X-Forwarded-Host` and `-Proto` were honoured.
    pub forwarded: bool,
    /// `X-Forwarded-Prefix` was honoured too (Trino 452 and later).
    pub prefix: bool,
    /// They were refused with 406 (Trino 451 and later, by default).
    pub refused: bool,
}

impl Mode {
    /// The word for it in labels and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Forwarded => "forwarded",
            Self::Host => "host",
            Self::Rewrite => "rewrite",
        }
    }
}

/// The mode for a request of `client` to a backend whose URL has `upstream_scheme` and `upstream_base_path`: the one
/// that is `set`, else the best that is proven. Without capabilities (no probe yet) nothing is.
pub fn choose(
    set: Option<Mode>,
    capabilities: Option<&Capabilities>,
    client: &ClientBase,
    upstream_scheme: &str,
    upstream_base_path: &str,
) -> Mode {
    match set {
        Some(mode) => mode,
        None if capabilities.is_some_and(|can| suffices(can, client)) => Mode::Forwarded,
        None if same_base(client, upstream_scheme, upstream_base_path) => Mode::Host,
        None => Mode::Rewrite,
    }
}

fn suffices(can: &Capabilities, client: &ClientBase) -> bool {
    can.forwarded && !can.refused && (can.prefix || client.prefix.is_empty())
}

fn same_base(client: &ClientBase, scheme: &str, base_path: &str) -> bool {
    client.scheme.as_str() == scheme && client.prefix == base_path.trim_end_matches('/')
}

/// The bases that URIs of a backend with this URL may have, the longest first: with its path and without, and its
/// authority with the scheme's default port spelled out or left away.
pub fn own_bases(scheme: &str, authority: &str, base_path: &str) -> Vec<String> {
    let default = match scheme {
        "https" => ":443",
        _ => ":80",
    };
    let mut authorities = vec![authority.to_owned()];
    match authority.strip_suffix(default) {
        Some(bare) if !bare.ends_with(':') => authorities.push(bare.to_owned()),
        None if !has_port(authority) => authorities.insert(0, format!("{authority}{default}")),
        _ => {}
    }
    let path = base_path.trim_end_matches('/');
    let with_path =
        authorities.iter().filter(|_| !path.is_empty()).map(|at| format!("{scheme}://{at}{path}"));
    let bare = authorities.iter().map(|at| format!("{scheme}://{at}"));
    with_path.chain(bare).collect()
}

fn has_port(authority: &str) -> bool {
    authority
        .rsplit_once(':')
        .is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()))
        && !authority.ends_with(']')
}

#[cfg(test)]
#[allow(non_snake_case, reason = "tests bear the ids of the facts")]
mod tests {
    use super::*;
    use crate::trino::client_base::Scheme;

    fn client(scheme: Scheme, prefix: &str) -> ClientBase {
        ClientBase { scheme, authority: "gw:8080".to_owned(), prefix: prefix.to_owned() }
    }

    #[test]
    fn peers_X12_forwarded_is_chosen_only_when_proven_and_never_when_refused() {
        let honours = Capabilities { forwarded: true, prefix: true, refused: false };
        let no_prefix = Capabilities { prefix: false, ..honours };
        let refuses = Capabilities { forwarded: false, prefix: false, refused: true };
        let (http, https) = (client(Scheme::Http, ""), client(Scheme::Https, ""));
        let below = client(Scheme::Http, "/trino");
        for (can, base, mode) in [
            (Some(&honours), &http, Mode::Forwarded),
            (Some(&honours), &https, Mode::Forwarded),
            (Some(&honours), &below, Mode::Forwarded),
            (Some(&no_prefix), &https, Mode::Forwarded),
            (Some(&no_prefix), &below, Mode::Rewrite),
            (Some(&refuses), &http, Mode::Host),
            (Some(&refuses), &https, Mode::Rewrite),
            (Some(&refuses), &below, Mode::Rewrite),
            (None, &http, Mode::Host),
            (None, &https, Mode::Rewrite),
        ] {
            assert_eq!(choose(None, can, base, "http", ""), mode, "{can:?} {base}");
        }
    }

    #[test]
    fn host_needs_the_same_path_on_both_sides() {
        assert_eq!(
            choose(None, None, &client(Scheme::Http, "/trino"), "http", "/trino/"),
            Mode::Host
        );
        assert_eq!(choose(None, None, &client(Scheme::Http, ""), "http", "/"), Mode::Host);
        assert_eq!(choose(None, None, &client(Scheme::Http, ""), "http", "/trino"), Mode::Rewrite);
    }

    #[test]
    fn a_setting_wins_over_the_probe() {
        let base = client(Scheme::Http, "");
        for mode in [Mode::Forwarded, Mode::Host, Mode::Rewrite] {
            assert_eq!(choose(Some(mode), None, &base, "http", ""), mode);
        }
    }

    #[test]
    fn own_bases_know_default_ports_and_paths() {
        assert_eq!(own_bases("http", "a:8080", ""), ["http://a:8080"]);
        assert_eq!(own_bases("http", "a", "/"), ["http://a:80", "http://a"]);
        assert_eq!(own_bases("https", "a:443", ""), ["https://a:443", "https://a"]);
        assert_eq!(own_bases("http", "[::1]", ""), ["http://[::1]:80", "http://[::1]"]);
        assert_eq!(own_bases("http", "a:1", "/t"), ["http://a:1/t", "http://a:1"]);
    }
}
