//! Each kind of mistake: where it is told, what is said, and that nothing else is.

use proptest::prelude::*;

use super::*;

/// One problem, at this place, with this path and these words.
fn one(text: &str, place: &str, path: &str, words: &str) {
    let told = wrong(text);
    assert_eq!(told.len(), 1, "{text}\n{told:#?}");
    let start = format!("sluice.yaml:{place}: {path}: ");
    assert!(told[0].starts_with(&start), "expected {start}\n{told:#?}");
    assert!(told[0].contains(words), "expected {words}\n{told:#?}");
}

/// A mistake in front of a group that is right.
pub(super) fn head(head: &str, place: &str, path: &str, words: &str) {
    one(&format!("{head}\n{GROUPS}"), place, path, words);
}

#[test]
fn unknown_keys_name_the_nearest_one_and_all_allowed() {
    head("dta: {}", "1:1", "dta", "unknown key `dta`; did you mean `data`? (allowed: ");
    head("data: { bnid: x }", "1:9", "data.bnid", "did you mean `bind`?");
    head("telemetry: { banana: 1 }", "1:14", "telemetry.banana", "(allowed: captureQueryText, ");
    head("store: { memory: { size: 1 } }", "1:20", "store.memory.size", "(allowed: no key)");
    head(
        "store: { reids: {} }",
        "1:10",
        "store.reids",
        "did you mean `redis`? (allowed: memory, redis)",
    );
}

#[test]
fn wrong_types_say_what_is_expected() {
    head("data: 5", "1:7", "data", "a number does not belong here (allowed: a mapping");
    head("data: [a]", "1:7", "data", "a list does not belong here");
    head("rules: {a: 1}", "1:8", "rules", "a mapping does not belong here (allowed: a list)");
    head(
        "data: { proxyProtocol: yes }",
        "1:24",
        "data.proxyProtocol",
        "(allowed: `true` or `false`)",
    );
    head("data: { workers: many }", "1:18", "data.workers", "a whole number from 1 to 1024");
    head("data: { workers: 1.5 }", "1:18", "data.workers", "a whole number from 1 to 1024");
    head("info: { environment: 5 }", "1:22", "info.environment", "stands in quotes");
    head("info: { environment: [a] }", "1:22", "info.environment", "a list does not belong here");
    head("data: { trustedProxies: [5] }", "1:26", "data.trustedProxies[0]", "a network");
    head("admin: { token: { a: 1 } }", "1:17", "admin.token", "a mapping does not belong here");
}

#[test]
fn texts_with_a_form_say_which() {
    head("data: { headerTimeout: 30 }", "1:24", "data.headerTimeout", "a duration such as");
    head("data: { headerTimeout: 30x }", "1:24", "data.headerTimeout", "`30x` does not fit");
    head("data: { headerTimeout: 9999d }", "1:24", "data.headerTimeout", "at most `366d`");
    head("data: { maxStatementBytes: 16MB }", "1:28", "data.maxStatementBytes", "a size such as");
    head("data: { maxStatementBytes: -1 }", "1:28", "data.maxStatementBytes", "`-1` is no size");
    head("data: { maxStatementBytes: 1 }", "1:28", "data.maxStatementBytes", "`1KiB` to `1GiB`");
    head("data: { bind: localhost }", "1:15", "data.bind", "an IP address and a port");
    head("data: { trustedProxies: [10.0.0.1] }", "1:26", "data.trustedProxies[0]", "`10.1.2.3/32`");
    head(
        "log: { format: xml }",
        "1:16",
        "log.format",
        "`xml` is none of them (allowed: `json`, `text`)",
    );
    head("log: { access: statments }", "1:16", "log.access", "did you mean `statements`?");
    head("log: { level: inof }", "1:15", "log.level", "`inof` is no log filter");
    head("info: { nodeVersion: '' }", "1:22", "info.nodeVersion", "not taken");
}

#[test]
fn numbers_have_bounds() {
    head(
        "health: { rise: 0 }",
        "1:17",
        "health.rise",
        "0 is too small (allowed: a whole number from 1 to 1000)",
    );
    head("health: { fall: -3 }", "1:17", "health.fall", "-3 is too small");
    head("data: { workers: 0 }", "1:18", "data.workers", "0 is too small");
    head("data: { maxConnections: 99999999999999999999 }", "1:25", "data.maxConnections", "");
    head("health: { interval: 0s }", "1:21", "health.interval", "zero");
    head("health: { timeout: 0ms }", "1:20", "health.timeout", "zero");
    head("upstream: { connectTimeout: 0s }", "1:29", "upstream.connectTimeout", "zero");
    assert!(wrong(&format!("drain: {{ wait: 0s, deadline: 0s }}\n{GROUPS}")).is_empty());
}

#[test]
fn groups_and_backends_are_there() {
    one("data: {}", "1:1", "routingGroups", "`routingGroups` is missing (allowed: a list)");
    one("routingGroups: []", "1:16", "routingGroups", "there is no routing group");
    one(
        "routingGroups: [{name: a, backends: []}]",
        "1:37",
        "routingGroups[0].backends",
        "serves nobody",
    );
    one("routingGroups: [{name: a}]", "1:17", "routingGroups[0].backends", "`backends` is missing");
    one(
        "routingGroups: [{name: a, backends: [{name: a}]}]",
        "1:38",
        "routingGroups[0].backends[0].url",
        "`url` is missing",
    );
    one("routingGroups: [5]", "1:17", "routingGroups[0]", "a number does not belong here");
}

/// One group of these backends.
pub(super) fn backends(list: &str, place: &str, path: &str, words: &str) {
    let text = format!("routingGroups:\n- name: a\n  backends:\n{list}");
    one(&text, place, &format!("routingGroups[0].backends{path}"), words);
}

#[test]
fn backends_are_named_and_reached_in_one_way() {
    backends(
        "  - {name: A_1, url: 'http://a'}",
        "4:12",
        "[0].name",
        "`A_1` is no name of a backend",
    );
    backends(
        &format!("  - {{name: {}, url: 'http://a'}}", "a".repeat(64)),
        "4:12",
        "[0].name",
        "no name",
    );
    backends(
        "  - {name: a, url: 'a:8080'}",
        "4:20",
        "[0].url",
        "no absolute URL (allowed: `http://host:port`",
    );
    backends("  - {name: a, url: 'http://a', weight: 0}", "4:40", "[0].weight", "0 is too small");
    backends(
        "  - {name: a, url: 'http://a', uris: both}",
        "4:38",
        "[0].uris",
        "`auto`, `forwarded`, `host`, `rewrite`",
    );
    backends(
        "  - {name: a, url: 'http://a', health: {rise: 0}}",
        "4:47",
        "[0].health.rise",
        "too small",
    );
    backends(
        "  - {name: a, url: 'http://a', health: {interval: 0s}}",
        "4:51",
        "[0].health.interval",
        "zero",
    );
}

#[test]
fn names_and_urls_stand_once() {
    backends(
        "  - {name: a, url: 'http://a'}\n  - {name: a, url: 'http://b'}",
        "5:12",
        "[1].name",
        "the backend name `a` stands at line 4 already (routingGroups[0].backends[0].name)",
    );
    backends(
        "  - {name: a, url: 'http://a'}\n  - {name: b, url: 'http://A:80/'}",
        "5:20",
        "[1].url",
        "the backend URL `http://A:80/` stands at line 4 already",
    );
    one(
        "routingGroups:\n- {name: a, backends: [{name: a, url: 'http://a'}]}\n- {name: a, backends: [{name: b, url: 'http://b'}]}",
        "3:10",
        "routingGroups[1].name",
        "the group name `a` stands at line 2 already",
    );
    one(
        &format!(
            "rules:\n- {{name: r, when: {{user: a}}, routingGroup: a}}\n- {{name: r, when: {{user: b}}, routingGroup: a}}\n{GROUPS}"
        ),
        "3:10",
        "rules[1].name",
        "the rule name `r` stands at line 2 already",
    );
    one(
        "routingGroups: [{name: a, namespace: 'x y', backends: [{name: a, url: 'http://a'}]}]",
        "1:38",
        "routingGroups[0].namespace",
        "no value of a label",
    );
}

#[test]
fn group_names_that_mean_something_else_are_refused() {
    for (name, words) in [
        ("refuse", "means something else"),
        ("unknown", "means something else"),
        ("'a b'", "no name"),
    ] {
        let text =
            format!("routingGroups: [{{name: {name}, backends: [{{name: a, url: 'http://a'}}]}}]");
        one(&text, "1:24", "routingGroups[0].name", words);
    }
}

#[test]
fn groups_that_are_named_must_exist() {
    head("defaultRoutingGroup: b", "1:22", "defaultRoutingGroup", "no routing group is named `b`");
    head(
        "rules: [{name: r, when: {user: x}, routingGroup: bb}]",
        "1:50",
        "rules[0].routingGroup",
        "`bb`; did you mean `a`?".split(';').next().unwrap(),
    );
    let group = |on_empty: &str| {
        format!(
            "routingGroups: [{{name: adhoc, onEmpty: {on_empty}, backends: [{{name: a, url: 'http://a'}}]}}]"
        )
    };
    one(
        &group("adhok"),
        "1:40",
        "routingGroups[0].onEmpty",
        "did you mean `adhoc`? (allowed: adhoc, refuse)",
    );
    one(&group("adhoc"), "1:40", "routingGroups[0].onEmpty", "in a circle: adhoc → adhoc");
}

#[test]
fn a_circle_of_on_empty_is_told_once() {
    let group = |name: &str, next: &str| {
        format!(
            "- {{name: {name}, onEmpty: {next}, backends: [{{name: {name}, url: 'http://{name}'}}]}}\n"
        )
    };
    let text = format!(
        "routingGroups:\n{}{}{}{}",
        group("x", "a"),
        group("a", "b"),
        group("b", "c"),
        group("c", "a")
    );
    one(&text, "3:22", "routingGroups[1].onEmpty", "in a circle: a → b → c → a");
    let chain =
        format!("routingGroups:\n{}{}{}", group("a", "b"), group("b", "c"), group("c", "refuse"));
    assert!(wrong(&chain).is_empty());
}

/// One rule with this condition.
fn condition(when: &str, path: &str, words: &str) {
    let text = format!("rules:\n- name: r\n  routingGroup: a\n  when: {when}\n{GROUPS}");
    let told = wrong(&text);
    assert_eq!(told.len(), 1, "{when}: {told:#?}");
    assert!(told[0].contains(&format!(": rules[0].when{path}: ")), "{when}: {told:#?}");
    assert!(told[0].contains(words), "{when}: {told:#?}");
    assert!(told[0].starts_with("sluice.yaml:4:"), "{when}: {told:#?}");
}

#[test]
fn conditions_say_something() {
    condition("{}", "", "would match everything");
    condition("{any: []}", ".any", "an empty `any` says nothing");
    condition("{all: [{}]}", ".all[0]", "would match everything");
    condition("{not: {}}", ".not", "would match everything");
    condition("{user: []}", ".user", "an empty list matches nothing");
    condition("{user: ''}", ".user", "an empty pattern");
    condition("{user: [a, 'b[']}", ".user[1]", "this glob does not read");
    condition("{user: 'b[*'}", ".user", "this glob does not read");
    condition("{headers: {'X Team': a}}", ".headers.X Team", "no name of a header");
    condition("{headers: {X-Team: a, x-team: b}}", ".headers.x-team", "the header");
    condition("{headers: {X-Team: ~}}", ".headers.X-Team", "text, or a list of texts");
    condition("{user: 5}", ".user", "(allowed: text, or a list of texts)");
    condition("{user: {a: b}}", ".user", "(allowed: text, or a list of texts)");
    condition("{user: [a, 5]}", ".user[1]", "a number does not belong here");
    condition("{sorce: a}", ".sorce", "did you mean `source`?");
    condition("{any: [{usr: a}]}", ".any[0].usr", "did you mean `user`?");
    condition("5", "", "a number does not belong here");
}

#[test]
fn rule_names_are_labels() {
    for name in ["default", "header", "''", "' x'", "\"a\\tb\""] {
        let text =
            format!("rules: [{{name: {name}, when: {{user: a}}, routingGroup: a}}]\n{GROUPS}");
        let told = wrong(&text);
        assert_eq!(told.len(), 1, "{name}: {told:?}");
        assert!(told[0].starts_with("sluice.yaml:1:16: rules[0].name: "), "{name}: {told:?}");
    }
}

#[test]
fn listeners_do_not_collide() {
    head(
        "metrics: { bind: '0.0.0.0:8080' }",
        "1:18",
        "metrics.bind",
        "taken by `data.bind`, which is `0.0.0.0:8080`",
    );
    head("health: { bind: '127.0.0.1:9090' }", "1:17", "health.bind", "taken by `metrics.bind`");
    head("admin: { bind: '[::1]:9091' }", "1:16", "admin.bind", "taken by `health.bind`");
    assert!(
        wrong(&format!(
            "data: {{bind: '127.0.0.1:0'}}\nmetrics: {{bind: '127.0.0.1:0'}}\n{GROUPS}"
        ))
        .is_empty()
    );
    assert!(
        wrong(&format!(
            "data: {{bind: '127.0.0.1:1'}}\nmetrics: {{bind: '127.0.0.2:1'}}\n{GROUPS}"
        ))
        .is_empty()
    );
}

#[test]
fn the_admin_listener_is_not_open_to_the_world() {
    head("admin: { bind: '0.0.0.0:8081' }", "1:16", "admin.bind", "there is no `admin.token`");
    head("admin: { bind: '0.0.0.0:8081', token: '' }", "1:39", "admin.token", "no bearer token");
    head("admin: { token: 'a b' }", "1:17", "admin.token", "no bearer token");
    assert!(wrong(&format!("admin: {{ bind: '0.0.0.0:8081', token: abc }}\n{GROUPS}")).is_empty());
    assert!(wrong(&format!("admin: {{ bind: '[::1]:8081' }}\n{GROUPS}")).is_empty());
}

#[test]
fn the_external_url_and_the_header_are_usable() {
    head("data: { externalUrl: /trino }", "1:22", "data.externalUrl", "no absolute URL");
    head(
        "data: { externalUrl: 'ftp://x' }",
        "1:22",
        "data.externalUrl",
        "no `http://` or `https://` URL",
    );
    head("routingGroupHeader: 'X Y'", "1:21", "routingGroupHeader", "no name of a header");
    head("routingGroupHeader: ''", "1:21", "routingGroupHeader", "no name of a header");
}

#[test]
fn variables_that_are_missing_or_malformed_are_told_in_place() {
    head("admin: { token: '${ENV:MISSING}' }", "1:17", "admin.token", "`MISSING` is not set");
    head("admin: { token: '${ENV:TOKEN' }", "1:17", "admin.token", "without its `}`");
    head(
        "admin: { token: '${TOKEN}' }",
        "1:17",
        "admin.token",
        "is no variable (allowed: `${ENV:NAME}`",
    );
    head(
        "data: { workers: '${ENV:TOKEN}' }",
        "1:18",
        "data.workers",
        "what `${ENV:TOKEN}` holds does not fit",
    );
    one(
        "routingGroups: [{name: a, backends: [{name: '${ENV:MISSING}', url: 'http://${ENV:TOKEN}'}]}]",
        "1:45",
        "routingGroups[0].backends[0].name",
        "not set",
    );
}

#[test]
fn no_secret_is_told() {
    for text in [
        "routingGroups: [{name: '${ENV:BAD_NAME}', backends: [{name: '${ENV:BAD_NAME}', url: '${ENV:PASSWORD_URL}'}]}]",
        "admin: '${ENV:TOKEN}'\ndata: {workers: '${ENV:TOKEN}', bind: '${ENV:TOKEN}', idleTimeout: '${ENV:TOKEN}'}\nlog: {format: '${ENV:TOKEN}', level: '${ENV:TOKEN}'}",
        "defaultRoutingGroup: '${ENV:TOKEN}'\nroutingGroups: [{name: a, onEmpty: '${ENV:TOKEN}', backends: [{name: a, url: '${ENV:TOKEN}'}]}]",
        "admin: {token: \"s3cr3t\nopen: [\n",
        "admin: {token: [s3cr3t]}",
    ] {
        let told = wrong(text);
        assert!(!told.is_empty(), "{text}");
        assert!(!told.join("\n").to_lowercase().contains("s3cr3t"), "{told:#?}");
    }
}

#[test]
fn many_mistakes_are_told_at_once_in_the_order_of_their_lines() {
    let told = wrong(
        "dta: {}
data: { bind: nowhere, idleTimeout: 5, workers: 0 }
health: { interval: 0s, rise: x }
admin: { bind: '0.0.0.0:8081' }
defaultRoutingGroup: nobody
routingGroups:
  - name: a
    onEmpty: b
    backends:
      - { name: UPPER, url: 'ftp://a', weight: 0, colour: red }
      - { url: 'http://b' }
  - nmae: c
rules:
  - { name: r, when: {}, routingGroup: a }
  - { name: r, when: { user: '[' } }
",
    );
    let paths: Vec<&str> = told.iter().filter_map(|line| line.split(": ").nth(1)).collect();
    assert_eq!(
        paths,
        [
            "dta",
            "data.bind",
            "data.idleTimeout",
            "data.workers",
            "health.interval",
            "health.rise",
            "admin.bind",
            "routingGroups[0].backends[0].name",
            "routingGroups[0].backends[0].url",
            "routingGroups[0].backends[0].weight",
            "routingGroups[0].backends[0].colour",
            "routingGroups[0].backends[1].name",
            "routingGroups[1].nmae",
            "routingGroups[1].name",
            "routingGroups[1].backends",
            "rules[0].when",
            "rules[1].routingGroup",
            "rules[1].name",
            "rules[1].when.user",
        ],
        "{told:#?}"
    );
}

#[test]
fn a_summary_names_the_first_and_counts_the_rest() {
    let problems = read("a: 1\nb: 1\nc: 1\nd: 1\n").unwrap_err();
    assert_eq!(problems.iter().len(), 5);
    let summary = problems.summary();
    assert!(summary.ends_with("; and 2 more"), "{summary}");
    assert_eq!(summary.lines().count(), 1);
}

/// The lines that a mutated file is made of.
const PIECES: [&str; 24] = [
    "data:",
    "  bind: 0.0.0.0:8080",
    "  workers: 3",
    "  idleTimeout: 5m",
    "  maxStatementBytes: 1MiB",
    "routingGroups:",
    "- name: a",
    "  backends:",
    "  - name: b",
    "    url: http://b",
    "    weight: 2",
    "rules:",
    "  when:",
    "    user: a*",
    "    any: [{user: x}]",
    "    not: {}",
    "  routingGroup: a",
    "admin: {token: '${ENV:TOKEN}'}",
    "log: {access: off}",
    "health: {rise: 1}",
    "~",
    "store: [1]",
    "    headers: {a: [b]}",
    "  trustedProxies: [10.0.0.0/8]",
];

proptest! {
    /// What the schema lets pass, the model takes: no problem is without a place, and nothing panics.
    #[test]
    fn any_file_is_taken_or_told(lines in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..14)) {
        for line in wrong(&lines.join("\n")) {
            prop_assert!(!line.contains("cannot be read"), "{line}");
            let place: Vec<&str> = line.split(':').take(3).collect();
            prop_assert!(place[1].parse::<u32>().unwrap() > 0 && place[2].parse::<u32>().unwrap() > 0);
        }
    }

    #[test]
    fn any_text_is_taken_or_told(text in "\\PC*", head in prop::sample::select(&PIECES[..])) {
        let _ = wrong(&text);
        let _ = wrong(&format!("{head} {text}"));
        let _ = wrong(&format!("{head}\n{text}"));
    }
}

#[test]
fn what_follows_from_a_mistake_alone_is_not_told() {
    head(
        "admin: { bind: '0.0.0.0:8081', token: '${ENV:MISSING}' }",
        "1:39",
        "admin.token",
        "`MISSING` is not set",
    );
    head("data: { bind: oops }\nadmin: { bind: '127.0.0.1:8080' }", "1:15", "data.bind", "oops");
    one(
        "defaultRoutingGroup: adhoc\nroutingGroups: [{name: [adhoc], backends: [{name: a, url: 'http://a'}]}]",
        "2:24",
        "routingGroups[0].name",
        "a list does not belong here",
    );
}
