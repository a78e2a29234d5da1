//! `store`: every way in which a setting is wrong is told with its place, and never with a secret.

use std::fs;

use super::*;

/// `store: { redis: { … } }` with a file of keys that is right.
fn told_of(redis: &str) -> Vec<String> {
    let keys = tempfile::NamedTempFile::new().unwrap();
    fs::write(keys.path(), "0a".repeat(32)).unwrap();
    let file = keys.path().display();
    let more = if redis.contains("secretFile") {
        String::new()
    } else {
        format!(", secretFile: '{file}'")
    };
    wrong(&format!("store: {{ redis: {{ {redis}{more} }} }}\n{GROUPS}"))
}

/// Each setting, its place behind `store.redis`, and what is said.
const WRONG: [(&str, &str, &str); 33] = [
    ("timeout: 1s", "", "it is not told where the store is (allowed: exactly one of"),
    ("cluster: []", "", "it is not told where the store is"),
    ("url: 'redis://h', cluster: ['redis://h']", "", "several ways to the store are given"),
    ("url: 'redis://h', sentinel: { urls: ['redis://h'], master: m }", "", "several ways"),
    ("url: h", ".url", "no URL of a store (allowed: `redis://host:port` or `rediss://"),
    ("url: 'http://h'", ".url", "no URL of a store"),
    ("url: 'redis://'", ".url", "no URL of a store"),
    ("url: 'redis:///1'", ".url", "no URL of a store"),
    ("url: 'redis://h:port'", ".url", "no URL of a store"),
    ("url: 'redis://h:70000'", ".url", "no URL of a store"),
    ("url: 'redis+unix:///run/redis.sock'", ".url", "no URL of a store"),
    ("url: 5", ".url", "a number does not belong here"),
    ("url: 'redis://h/main'", ".url", "no number of a database"),
    ("url: 'redis://h/1/2'", ".url", "no number of a database"),
    ("url: 'rediss://h/#insecure'", ".url", "certificates are always verified"),
    ("cluster: ['redis://h', 'h']", ".cluster[1]", "no URL of a store"),
    ("cluster: ['redis://h/3']", ".cluster[0]", "a cluster has one database"),
    ("cluster: ['rediss://h', 'redis://h']", ".cluster[1]", "with TLS or without"),
    ("cluster: 'redis://h'", ".cluster", "text does not belong here"),
    ("sentinel: { urls: [], master: m }", ".sentinel.urls", "there is nobody to ask"),
    ("sentinel: { urls: ['redis://h', 'h'], master: m }", ".sentinel.urls[1]", "no URL of a store"),
    (
        "sentinel: { urls: ['redis://h', 'rediss://h'], master: m }",
        ".sentinel.urls[1]",
        "with TLS or without",
    ),
    ("sentinel: { urls: ['redis://h'] }", ".sentinel.master", "`master` is missing"),
    ("sentinel: { urls: ['redis://h'], master: '' }", ".sentinel.master", "no name of a server"),
    ("sentinel: { master: m }", ".sentinel.urls", "`urls` is missing"),
    ("url: 'redis://h', timeout: 0s", ".timeout", "a time of zero"),
    ("url: 'redis://h', timeout: soon", ".timeout", ""),
    ("url: 'redis://h', prefix: ''", ".prefix", "no prefix of keys"),
    ("url: 'redis://h', prefix: 'a{b}'", ".prefix", "no prefix of keys (allowed: 1 to 64 of"),
    ("url: 'rediss://h', ca: /missing", ".ca", "cannot be read"),
    ("url: 'redis://h', ca: /missing", ".ca", "nothing would be read of `ca`"),
    ("url: 'redis://h', secretFile: /missing", ".secretFile", "a file with 32 bytes a line"),
    ("url: 'redis://h', pasword: hunter2", ".pasword", "did you mean `password`?"),
];

#[test]
fn a_wrong_setting_of_the_store_is_told_with_its_place() {
    for (redis, path, words) in WRONG {
        let told = told_of(redis);
        let at = format!(": store.redis{path}: ");
        let fits = told.iter().any(|told| told.contains(&at) && told.contains(words));
        assert!(fits, "{redis}: expected {at}{words}\n{told:#?}");
    }
}

#[test]
fn a_store_needs_a_file_of_keys_and_there_is_one_store() {
    let told = wrong(&format!("store: {{ redis: {{ url: 'redis://h' }} }}\n{GROUPS}"));
    assert!(told.iter().any(|told| told.contains(": store.redis.secretFile: ")), "{told:#?}");
    let both = "store: { memory: {}, redis: { url: 'redis://h', secretFile: /missing } }";
    let told = wrong(&format!("{both}\n{GROUPS}"));
    assert!(told.iter().any(|told| told.contains(": store: there is one store")), "{told:#?}");
}

#[test]
fn nothing_that_is_said_of_a_store_quotes_a_secret() {
    for redis in [
        "url: 'http://u:hunter2@h'",
        "url: 'redis://u:hunter2@h/main'",
        "url: 'redis://u:hunter2@h:port'",
        "cluster: ['redis://u:hunter2@h/3']",
        "sentinel: { urls: ['http://u:hunter2@h'], master: m }",
        "url: 'redis://h', password: [hunter2]",
    ] {
        let told = told_of(redis);
        assert!(!told.is_empty(), "{redis}");
        assert!(!told.iter().any(|told| told.contains("hunter2")), "{redis}: {told:#?}");
    }
}

#[test]
fn every_way_to_a_store_is_taken() {
    for redis in [
        "url: 'redis://u:p@h:6379/1'",
        "url: 'rediss://h', username: u, password: p, prefix: 'a:b', timeout: 1s",
        "url: 'redis://[::1]:6379/'",
        "sentinel: { urls: ['redis://a:26379', 'redis://b'], master: main }",
        "cluster: ['rediss://a', 'rediss://b:7000/']",
    ] {
        assert_eq!(told_of(redis), Vec::<String>::new(), "{redis}");
    }
}
