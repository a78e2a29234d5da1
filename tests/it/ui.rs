//! Trino's web UI through the gateway: each page stays on its coordinator (real-trino.md 12).

#![allow(non_snake_case, reason = "tests bear the ids of the facts")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use http::{Method, header};

use crate::pages::{Fleet, Seen, Trino, query_of};

async fn two() -> Fleet {
    Fleet::start(vec![Trino::new("a", "483", true), Trino::new("b", "435", false)], "auto").await
}

#[tokio::test]
async fn peers_X11_two_tabs_stay_on_their_coordinators() {
    let fleet = two().await;
    for _ in 0..2 {
        for name in ["b", "a"] {
            let page = format!("/_b/{name}/ui/");
            assert_eq!(fleet.open(&page, "").await.by(), name);
            assert_eq!(fleet.get("/ui/api/cluster", &page).await.by(), name);
            assert_eq!(fleet.get("/ui/api/stats", &format!("{page}query.html?x")).await.by(), name);
            let style = format!("/ui/assets/index-{name}.css");
            assert_eq!(fleet.get(&style, &page).await.by(), name);
            assert_eq!(
                fleet.get(&format!("/ui/assets/font-{name}.woff2"), &style).await.by(),
                name
            );
            let api = format!("/ui/api/query/{}", query_of(name));
            assert_eq!(fleet.get(&api, "").await.by(), name);
        }
    }
}

#[tokio::test]
async fn peers_X11_a_kill_reaches_the_owner_or_nobody() {
    let fleet = two().await;
    for (name, from) in [("a", "/_b/a/ui/"), ("b", "/_b/a/ui/"), ("b", "")] {
        let path = format!("/ui/api/query/{}/killed", query_of(name));
        let killed = Seen::of(fleet.ask(Method::PUT, &path, from)).await;
        assert_eq!((killed.status, killed.by()), (202, name));
    }
    let unknown = format!("/ui/api/query/{}/killed", query_of("z"));
    let refused = Seen::of(fleet.ask(Method::PUT, &unknown, "")).await;
    assert_eq!((refused.status, refused.by()), (400, ""));
    assert!(refused.body.contains("/_gateway/ui"), "{}", refused.body);
    let login = Seen::of(fleet.ask(Method::POST, "/ui/auth/login", "/ui/")).await;
    assert_eq!((login.status, login.by()), (400, ""));
}

#[tokio::test]
async fn peers_X11_two_logins_at_once() {
    let fleet = two().await;
    let mut jar = vec!["theme=dark".to_owned()];
    for name in ["a", "b"] {
        let page = format!("/_b/{name}/ui/");
        let login = Seen::of(fleet.ask(Method::POST, "/ui/auth/login", &page).body("{}")).await;
        let cookie = format!("Trino-UI-Token.{name}={name};Version=1;HttpOnly;Path=/");
        assert_eq!((login.status, login.header("set-cookie")), (204, cookie.as_str()));
        jar.extend(cookie.split(';').next().map(ToOwned::to_owned));
    }
    for name in ["a", "b"] {
        let request = fleet.ask(Method::GET, "/ui/api/cluster", &format!("/_b/{name}/ui/"));
        let seen = Seen::of(request.header(header::COOKIE, jar.join("; "))).await;
        assert_eq!(seen.body, format!("theme=dark; Trino-UI-Token={name}"));
    }
}

#[tokio::test]
async fn peers_X11_redirects_stay_under_the_marker() {
    let fleet = two().await;
    for (path, from, location) in [
        ("/_b/b", "", "/_b/b/ui/"),
        ("/_b/b/ui", "", "/_b/b/ui/"),
        ("/ui/", "/_b/b/ui/", "/_b/b/ui/"),
        ("/_b/a/ui/closed", "", "/_b/a/ui/legacy/login.html?/ui/closed"),
    ] {
        let seen = fleet.open(path, from).await;
        assert_eq!((seen.status, seen.location()), (303, location), "{path}");
    }
    let page = format!("/ui/query.html?{}", query_of("b"));
    assert_eq!(fleet.open(&page, "").await.location(), format!("/_b/b{page}"));
    assert_eq!(fleet.open("/_b/gone/ui/", "").await.status, 404);
}

#[tokio::test]
async fn the_bare_entrance_lists_the_coordinators_and_leads_on() {
    let fleet = two().await;
    for path in ["/", "/ui", "/ui/", "/_gateway/ui"] {
        let list = fleet.open(path, "").await;
        assert_eq!((list.status, list.by()), (200, ""));
        assert_eq!(list.header("referrer-policy"), "same-origin");
        for link in ["href=\"/_b/a/ui/\"", "href=\"/_b/b/ui/\"", "/_gateway/ui/"] {
            assert!(list.body.contains(link), "{link} in {}", list.body);
        }
    }
    for (name, page) in [("a", "/_b/a/ui/#/queries/"), ("b", "/_b/b/ui/query.html?")] {
        let id = query_of(name);
        let seen = fleet.get(&format!("/_gateway/ui/{id}"), "/ui/").await;
        assert_eq!((seen.status, seen.location()), (303, format!("{page}{id}").as_str()));
    }
    let unknown = fleet.get(&format!("/_gateway/ui/{}", query_of("z")), "").await;
    assert_eq!(unknown.status, 404);
    assert_eq!(fleet.get("/_gateway/ui/nonsense", "").await.status, 404);
}

#[tokio::test]
async fn behind_a_prefix_all_of_it_bears_the_prefix() {
    let fleet = two().await;
    let below = |path: &str, from: &str| {
        let prefixed =
            |path: &str| if path.is_empty() { String::new() } else { format!("/trino{path}") };
        let request = fleet.ask(Method::GET, &prefixed(path), &prefixed(from));
        request.header("sec-fetch-mode", "navigate").header("x-forwarded-prefix", "/trino")
    };
    let list = Seen::of(below("/ui/", "")).await;
    assert!(list.body.contains("href=\"/trino/_b/a/ui/\""), "{}", list.body);
    assert!(list.body.contains("data-prefix=\"/trino\""), "{}", list.body);
    for (path, from, location) in [
        ("/_b/a/ui", "", "/trino/_b/a/ui/"),
        ("/ui/", "/_b/b/ui/", "/trino/_b/b/ui/"),
        ("/_b/b/ui/closed", "", "/trino/_b/b/ui/legacy/login.html?/ui/closed"),
    ] {
        assert_eq!(Seen::of(below(path, from)).await.location(), location);
    }
    let id = query_of("a");
    let seen = Seen::of(below(&format!("/_gateway/ui/{id}"), "")).await;
    assert_eq!(seen.location(), format!("/trino/_b/a/ui/#/queries/{id}"));
}

#[tokio::test]
async fn with_one_backend_everything_passes() {
    let fleet = Fleet::start(vec![Trino::new("a", "483", true)], "auto").await;
    let entrance = fleet.open("/", "").await;
    assert_eq!((entrance.by(), entrance.location()), ("a", format!("{}/ui/", fleet.url).as_str()));
    let login = Seen::of(fleet.ask(Method::POST, "/ui/auth/login", "")).await;
    assert_eq!(login.header("set-cookie"), "Trino-UI-Token=a;Version=1;Path=/ui;HttpOnly");
    let request = fleet.ask(Method::GET, "/ui/", "").header(header::COOKIE, "Trino-UI-Token=a");
    assert_eq!(Seen::of(request).await.body, "Trino-UI-Token=a");
    let id = query_of("a");
    let page = fleet.get(&format!("/_gateway/ui/{id}"), "").await;
    assert_eq!(page.location(), format!("/ui/#/queries/{id}"));
}

#[tokio::test]
async fn a_coordinator_that_does_not_run_is_no_demand() {
    let fleet = Fleet::start(vec![Trino::new("a", "483", true), Trino::asleep("b")], "auto").await;
    let seen = fleet.open("/_b/b/ui/", "").await;
    assert_eq!((seen.status, seen.by(), seen.header("retry-after")), (502, "", ""));
    assert_eq!(fleet.get("/ui/api/stats", "/_b/a/ui/").await.by(), "a");
    assert!(fleet.open("/ui/", "").await.body.contains("not running"));
}
