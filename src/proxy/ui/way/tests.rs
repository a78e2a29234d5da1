//! The rule as a table: request in, way out.

use super::*;

const A: &str = "20241030_150409_00000_aaaaa";
const B: &str = "20241030_150409_00000_bbbbb";
const UNKNOWN: &str = "20241030_150409_00000_zzzzz";

/// Backends `a` (the default) and `b`; queries end in their names; `b` has served one stylesheet.
struct Two;

impl Places for Two {
    fn exists(&self, name: &BackendName) -> bool {
        ["a", "b"].contains(&name.as_ref())
    }

    fn owner(&self, id: QueryId) -> Option<BackendName> {
        match id.suffix().as_str() {
            "aaaaa" => BackendName::parse("a"),
            "bbbbb" => BackendName::parse("b"),
            _ => None,
        }
    }

    fn served(&self, path: &str) -> Option<BackendName> {
        if path == "/ui/assets/index-H.css" { BackendName::parse("b") } else { None }
    }

    fn default(&self) -> Option<BackendName> {
        BackendName::parse("a")
    }
}

/// `GET!` is a window's, `GET` a script's; the target bears the marker, the referer is a path of the gateway.
fn way(method: &str, target: &str, referer: &str) -> String {
    let base = ClientBase::parse("https://gw/trino").unwrap();
    let (method, navigates) = match method.strip_suffix('!') {
        Some(method) => (method, true),
        None => (method, false),
    };
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let (marker, target) = match marker::strip(target) {
        Some((name, rest)) => (Some(name), rest),
        None => (None, target),
    };
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let referer = format!("https://elsewhere:1/trino{referer}");
    let referer = (!referer.ends_with("/trino")).then_some(referer);
    let visit = Visit {
        method: &method,
        path,
        query,
        marker: marker.as_ref(),
        referer: referer.as_deref().and_then(|text| Referer::parse(text, &base)),
        navigates,
    };
    match decide(&visit, &Two) {
        Way::To(name) => format!("to {name}"),
        Way::See(name, path) => format!("see {name} {path}"),
        other => format!("{other:?}"),
    }
}

fn check(table: &[(&str, &str, &str, &str)]) {
    for (method, target, referer, expected) in table {
        let full = |text: &str| text.replace("<A>", A).replace("<B>", B).replace("<?>", UNKNOWN);
        let (target, referer) = (full(target), full(referer));
        assert_eq!(way(method, &target, &referer), full(expected), "{method} {target} {referer}");
    }
}

#[test]
fn peers_X11_rule_1_a_marker_decides() {
    check(&[
        ("GET!", "/_b/b/ui/", "", "to b"),
        ("GET!", "/_b/b/ui/", "/_b/a/ui/", "to b"),
        ("GET!", "/_b/b", "", "see b /ui/"),
        ("GET!", "/_b/b/", "", "see b /ui/"),
        ("GET!", "/_b/b/ui", "", "see b /ui/"),
        ("HEAD", "/_b/b/ui?x=1", "", "see b /ui/?x=1"),
        ("GET", "/_b/b/ui/vendor/jquery.js", "/_b/b/ui/query.html?<A>", "to b"),
        ("POST", "/_b/b/ui/login", "/_b/a/ui/", "to b"),
        ("GET!", "/_b/b/ui/query.html?<A>", "", "to b"),
        ("GET!", "/_b/gone/ui/", "", "NoSuchBackend"),
        ("GET!", "/_b/gone/ui/query.html?<A>", "/_b/a/ui/", "NoSuchBackend"),
    ]);
}

#[test]
fn peers_X11_rule_2_a_window_stays_with_the_page_that_it_leaves() {
    check(&[
        ("GET!", "/", "/_b/b/ui/", "see b /ui/"),
        ("GET!", "/ui", "/_b/b/ui/query.html?<A>", "see b /ui/"),
        ("GET!", "/ui/", "/_b/b/ui/", "see b /ui/"),
        ("GET!", "/ui/api/query/<B>?pretty", "/_b/b/ui/", "see b /ui/api/query/<B>?pretty"),
        ("GET!", "/ui/workers.html", "/_b/b/ui/", "see b /ui/workers.html"),
        // A form that is redirected loses its body.
        ("POST!", "/ui/login", "/_b/b/ui/login.html", "to b"),
        ("GET!", "/logout", "/_b/b/ui/", "to b"),
        ("GET!", "/ui/", "/_b/gone/ui/", "Listing"),
    ]);
}

#[test]
fn peers_X11_rule_3_a_query_id_names_its_coordinator() {
    check(&[
        ("GET!", "/ui/query.html?<B>", "", "see b /ui/query.html?<B>"),
        ("GET!", "/ui/legacy/plan.html?<B>", "", "see b /ui/legacy/plan.html?<B>"),
        ("GET", "/ui/api/query/<B>", "", "to b"),
        ("GET", "/ui/api/query/<B>", "/ui/", "to b"),
        ("PUT", "/ui/api/query/<B>/killed", "", "to b"),
        ("PUT", "/ui/api/query/<B>/killed", "/_b/a/ui/", "to b"),
        ("GET!", "/login?redirect=%2Fui%2Fapi%2Fquery%2F<B>", "", "to b"),
        ("GET", "/ui/api/query/<?>", "/_b/b/ui/", "to b"),
        ("GET", "/ui/api/query/<?>", "", "to a"),
        ("PUT", "/ui/api/query/<?>/killed", "", "Refuse"),
    ]);
}

#[test]
fn peers_X11_rule_4_the_bare_entrance_is_the_gateways_list() {
    check(&[
        ("GET!", "/", "", "Listing"),
        ("GET!", "/ui", "", "Listing"),
        ("GET", "/ui/", "", "Listing"),
        ("HEAD", "/ui/", "", "Listing"),
        ("GET!", "/ui/", "/ui/", "Listing"),
        ("GET!", "/ui/?<B>", "", "see b /ui/?<B>"),
        ("GET", "/ui/", "/_b/b/ui/", "to b"),
        ("POST", "/ui/", "", "Refuse"),
    ]);
}

#[test]
fn peers_X11_rule_5_the_page_that_asks_decides() {
    check(&[
        ("GET", "/ui/api/cluster", "/_b/b/ui/", "to b"),
        ("GET", "/ui/api/stats", "/_b/b/ui/query.html?<A>", "to b"),
        ("GET", "/ui/api/worker", "/ui/query.html?<B>", "to b"),
        ("POST", "/ui/auth/login", "/_b/b/ui/", "to b"),
        ("GET", "/ui/assets/index-H.css", "", "to b"),
        ("GET", "/ui/assets/font-H.woff2", "/ui/assets/index-H.css", "to b"),
        ("GET", "/ui/assets/font-H.woff2", "/ui/assets/other-H.css", "to a"),
        ("GET", "/ui/api/cluster", "/_b/gone/ui/", "to a"),
        ("GET", "/ui/api/cluster", "", "to a"),
    ]);
}

#[test]
fn peers_X11_nothing_is_changed_at_the_default() {
    check(&[
        ("PUT", "/ui/api/query/<?>/killed", "/ui/", "Refuse"),
        ("POST", "/ui/auth/login", "", "Refuse"),
        ("POST", "/ui/login", "/", "Refuse"),
        ("DELETE", "/ui/api/query/<?>", "", "Refuse"),
        ("GET", "/logout", "", "to a"),
    ]);
}

#[test]
fn a_referer_that_is_none_says_nothing() {
    let base = ClientBase::parse("https://gw").unwrap();
    for text in ["", "about:blank", "https://gw", "://", "https:///", "x://y/_b/", "é://é/é?é"]
    {
        let referer = Referer::parse(text, &base);
        assert!(referer.is_none_or(|referer| referer.marker.is_none()), "{text}");
    }
}
