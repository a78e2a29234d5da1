//! OAuth2 through the gateway: every step of an exchange reaches the coordinator that challenged (real-trino.md 11).

#![allow(non_snake_case, reason = "tests bear the ids of the facts")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use http::{Method, header};
use reqwest::RequestBuilder;

use crate::pages::{Fleet, Seen, Trino, UUID, hash};

fn trinos(forwarded: bool) -> Vec<Trino> {
    vec![Trino::new("a", "483", forwarded), Trino::new("b", "483", forwarded)]
}

/// A browser or client whose front proxy says `https`, and perhaps a prefix.
struct Outside<'a> {
    fleet: &'a Fleet,
    prefix: &'a str,
}

impl Outside<'_> {
    fn base(&self) -> String {
        format!("https://gw{}", self.prefix)
    }

    /// A request to a URL that this client was given.
    fn ask(&self, method: Method, url: &str) -> RequestBuilder {
        let path =
            url.strip_prefix("https://gw").unwrap_or_else(|| panic!("{url} leads elsewhere"));
        let request = self.fleet.ask(method, path, "");
        let request = request.header("x-forwarded-host", "gw").header("x-forwarded-proto", "https");
        match self.prefix {
            "" => request,
            prefix => request.header("x-forwarded-prefix", prefix),
        }
    }

    async fn get(&self, url: &str) -> Seen {
        Seen::of(self.ask(Method::GET, url)).await
    }

    /// The URLs of a challenge by the coordinator of that group.
    async fn challenged(&self, group: &str) -> (String, String) {
        let url = format!("{}/v1/statement", self.base());
        let request = self.ask(Method::POST, &url).header("x-trino-user", "alice");
        let seen = Seen::of(request.header("x-trino-routing-group", group).body("SELECT 1")).await;
        assert_eq!((seen.status, seen.by()), (401, group));
        let challenge = seen.header("www-authenticate").to_owned();
        let of = |name: &str| {
            challenge.split(name).nth(1).unwrap().split('"').nth(1).unwrap().to_owned()
        };
        (of("x_redirect_server"), of("x_token_server"))
    }

    async fn come_back(&self, state: &str, cookies: &str) -> Seen {
        let url = format!("{}/oauth2/callback?code=1&state={state}", self.base());
        Seen::of(self.ask(Method::GET, &url).header(header::COOKIE, cookies)).await
    }
}

fn state_of(location: &str) -> &str {
    location.split("state=").nth(1).unwrap().split('&').next().unwrap()
}

fn first(cookie: &str) -> &str {
    cookie.split(';').next().unwrap()
}

#[tokio::test]
async fn peers_X10_an_exchange_stays_where_it_began() {
    for (forwarded, uris) in [(true, "auto"), (false, "auto"), (false, "host"), (false, "rewrite")]
    {
        let fleet = Fleet::start(trinos(forwarded), uris).await;
        for (prefix, name) in [("", "b"), ("/trino", "a"), ("", "a"), ("/trino", "b")] {
            exchange(&Outside { fleet: &fleet, prefix }, name).await;
        }
    }
}

async fn exchange(outside: &Outside<'_>, name: &str) {
    let (redirect, token) = outside.challenged(name).await;
    for url in [&redirect, &token] {
        assert!(url.starts_with(&format!("{}/_b/{name}/oauth2/token/", outside.base())), "{url}");
    }
    let begun = outside.get(&redirect).await;
    assert_eq!((begun.status, begun.by()), (303, name));
    assert!(begun.location().starts_with("https://issuer/authorize?"), "{}", begun.location());
    assert!(!begun.location().contains("_b"), "the provider compares {}", begun.location());
    let nonce = first(begun.header("set-cookie"));
    assert_eq!(nonce, format!("__Secure-Trino-Nonce.{name}={name}"));
    let back = outside.come_back(state_of(begun.location()), nonce).await;
    assert_eq!((back.status, back.by()), (200, name), "{}", back.body);
    let polled = outside.get(&token).await;
    assert_eq!(polled.json()["token"], format!("token of {name}"));
    let dropped = Seen::of(outside.ask(Method::DELETE, &token)).await;
    assert_eq!((dropped.status, dropped.by()), (200, name));
}

#[tokio::test]
async fn peers_X10_a_poll_before_the_login_is_told_to_come_back_here() {
    for (forwarded, uris) in [(true, "auto"), (false, "host"), (false, "rewrite")] {
        let fleet = Fleet::start(trinos(forwarded), uris).await;
        for prefix in ["", "/trino"] {
            let outside = Outside { fleet: &fleet, prefix };
            let (_, token) = outside.challenged("b").await;
            let seen = outside.get(&token).await;
            assert_eq!((seen.by(), seen.json()["nextUri"].as_str()), ("b", Some(token.as_str())));
        }
    }
}

#[tokio::test]
async fn peers_X10_steps_without_a_marker_go_where_they_are_bound() {
    let fleet = Fleet::start(trinos(true), "auto").await;
    let outside = Outside { fleet: &fleet, prefix: "" };
    outside.challenged("b").await;
    let uuid = format!("b{UUID}");
    let initiate = format!("https://gw/oauth2/token/initiate/{}", hash(&uuid));
    assert_eq!(outside.get(&initiate).await.by(), "b");
    assert_eq!(outside.get(&format!("https://gw/oauth2/token/{uuid}")).await.by(), "b");
    // What nobody knows goes to one coordinator, always the same.
    for path in ["token/unknown", "token/initiate/unknown", "callback", "callback?state=x"] {
        assert_eq!(outside.get(&format!("https://gw/oauth2/{path}")).await.by(), "a", "{path}");
    }
    assert_eq!(outside.get("https://gw/_b/gone/oauth2/token/x").await.status, 404);
}

#[tokio::test]
async fn peers_X10_X11_two_logins_at_the_ui_come_back_to_their_pages() {
    let fleet = Fleet::start(trinos(true), "auto").await;
    let outside = Outside { fleet: &fleet, prefix: "" };
    let begun =
        [outside.get("https://gw/_b/a/ui/sso").await, outside.get("https://gw/_b/b/ui/sso").await];
    let nonces = begun.each_ref().map(|begun| first(begun.header("set-cookie"))).join("; ");
    for (begun, name) in begun.iter().zip(["a", "b"]) {
        let back = outside.come_back(state_of(begun.location()), &nonces).await;
        assert_eq!((back.status, back.by()), (303, name), "{}", back.body);
        assert_eq!(back.location(), format!("https://gw/_b/{name}/ui/"));
        let cookie = format!("__Secure-Trino-OAuth2-Token.{name}={name};Secure;Path=/");
        assert_eq!(back.header("set-cookie"), cookie);
    }
}

#[tokio::test]
async fn peers_X10_a_login_that_another_replica_began_is_known_by_its_nonce() {
    let fleet = Fleet::start(trinos(true), "auto").await;
    let begun = Outside { fleet: &fleet, prefix: "" }.get("https://gw/_b/b/ui/sso").await;
    let other = Fleet::start(trinos(true), "auto").await;
    let outside = Outside { fleet: &other, prefix: "" };
    let nonce = first(begun.header("set-cookie"));
    let back = outside.come_back(state_of(begun.location()), nonce).await;
    assert_eq!((back.status, back.by()), (303, "b"));
}

#[tokio::test]
async fn with_one_backend_only_the_prefix_is_added() {
    let fleet = Fleet::start(vec![Trino::new("a", "483", true)], "auto").await;
    for prefix in ["", "/trino"] {
        let outside = Outside { fleet: &fleet, prefix };
        let (redirect, token) = outside.challenged("a").await;
        assert_eq!(token, format!("https://gw{prefix}/oauth2/token/a{UUID}"));
        let begun = outside.get(&redirect).await;
        let path = if prefix.is_empty() { "/oauth2/callback" } else { "/" };
        let nonce = begun.header("set-cookie");
        assert!(nonce.starts_with("__Secure-Trino-Nonce=a;"), "{nonce}");
        assert!(nonce.contains(&format!("Path={path}")), "{nonce}");
    }
}
