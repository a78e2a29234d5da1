//! What a browser is shown; `WAITING_PAGES` names a folder for pages to be looked at.

use super::*;

fn fare() -> Fare<'static> {
    Fare {
        id: QueryId::parse("20261101_101500_00000_0gw1a").unwrap(),
        group: "team-a--analytics",
        standing: Standing::Waiting,
        reason: "No coordinator of the group is running; trino-analytics is being woken.",
        waited: Duration::from_millis(14_900),
        usual: Some(Duration::from_secs(42)),
        resuming: Some(Duration::from_secs(12)),
        place: Some(3),
    }
}

/// The pages worth looking at.
fn all() -> [(&'static str, Fare<'static>); 4] {
    let full = Fare {
        reason: "The group runs as many queries as it may (maxRunning).",
        usual: None,
        resuming: None,
        waited: Duration::from_secs(75),
        ..fare()
    };
    let failed = Fare {
        standing: Standing::Failed,
        reason: "team-a--analytics: the Kubernetes API refused to scale <deployments/trino> in namespace \"team-a\": missing verb `patch` on deployments/scale",
        waited: Duration::from_secs(4000),
        place: None,
        ..fare()
    };
    let dispatching = Fare { standing: Standing::Dispatching, place: None, ..fare() };
    [("waking", fare()), ("full", full), ("failed", failed), ("dispatching", dispatching)]
}

#[test]
fn says_all_that_is_known_and_comes_again() {
    let page = page(&fare());
    assert!(page.starts_with(
        "<!doctype html><html lang=en><meta charset=utf-8><meta http-equiv=\"refresh\" content=\"2\">"
    ));
    for part in [
        "<title>Waiting for a coordinator · 20261101_101500_00000_0gw1a</title>",
        "<dt>Routing group</dt><dd>team-a--analytics</dd>",
        "<dt>State</dt><dd>QUEUED</dd>",
        "<dt>Waiting for</dt><dd>14 s</dd>",
        "<dt>Place in the queue</dt><dd>3</dd>",
        "<dt>Cold start began</dt><dd>12 s ago</dd>",
        "<dt>Cold starts mostly take</dt><dd>up to 42 s</dd>",
        "value=12 max=42>12 of 42 s</progress>",
        "trino-analytics is being woken.",
    ] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    assert!(!page.contains("<script"));
}

#[test]
fn what_is_not_known_is_not_made_up() {
    let [_, (_, full), ..] = all();
    let page = page(&full);
    assert!(!page.contains("<progress") && !page.contains("Cold start began"));
    assert!(page.contains("<dd>not known yet</dd>") && page.contains("<dd>1 min 15 s</dd>"));
}

#[test]
fn an_ended_query_is_not_looked_at_again() {
    let [_, _, (_, failed), _] = all();
    for standing in [Standing::Failed, Standing::Canceled, Standing::Killed] {
        let page = page(&Fare { standing, ..failed });
        assert!(!page.contains("http-equiv") && !page.contains("<progress"));
        assert!(!page.contains("mostly take") && !page.contains("class=hint"));
        assert!(page.contains("<dt>Waited</dt><dd>1 h 6 min</dd>") && page.contains("FAILED"));
    }
}

#[test]
fn no_text_leaves_its_place() {
    let evil = "</p><script>alert(1)</script>\"&";
    let page = page(&Fare { group: evil, reason: evil, ..fare() });
    assert!(!page.contains("<script") && !page.contains("</p><script"));
    assert_eq!(
        page.matches("&lt;/p&gt;&lt;script&gt;alert(1)&lt;/script&gt;&quot;&amp;").count(),
        2
    );
}

#[test]
fn a_long_cold_start_stays_within_the_bar() {
    let late = Fare { resuming: Some(Duration::from_secs(99)), ..fare() };
    assert!(page(&late).contains("value=42 max=42>"));
    let instant = Fare { usual: Some(Duration::from_millis(300)), ..fare() };
    assert!(page(&instant).contains("value=1 max=1>"));
}

#[test]
fn an_answer_runs_and_keeps_nothing() {
    let answer = answer(&fare());
    assert_eq!(answer.headers()["content-type"], "text/html;charset=utf-8");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let policy = answer.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src") && !policy.contains("script"));
}

#[test]
fn can_be_looked_at() {
    let Some(folder) = std::env::var_os("WAITING_PAGES") else { return };
    for (name, fare) in all() {
        let file = std::path::Path::new(&folder).join(format!("{name}.html"));
        std::fs::write(file, page(&fare)).unwrap();
    }
}
