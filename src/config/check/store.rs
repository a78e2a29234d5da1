//! The store: one kind, one way to it, and keys to seal with. Nothing is connected to.

use super::{limits::positive, report::Report};
use crate::config::{
    certificates,
    model::{Config, Redis, Sentinel},
    sealing_keys,
    tree::Trail,
};

const WAYS: &str = "exactly one of `url`, `sentinel` and `cluster`";
const SERVER: &str = "`redis://host:port` or `rediss://host:port`, and a database as `/1`";

pub(super) fn check(config: &Config, report: &mut Report<'_>) {
    let trail = Trail::default().key("store");
    let Some(redis) = &config.store.redis else { return };
    if config.store.memory.is_some() {
        report.wrong(&trail, "there is one store", "either `memory` or `redis`");
    }
    self::redis(redis, &trail.key("redis"), report);
}

fn redis(redis: &Redis, trail: &Trail, report: &mut Report<'_>) {
    let ways = [redis.url.is_some(), redis.sentinel.is_some(), !redis.cluster.is_empty()];
    match ways.iter().filter(|given| **given).count() {
        0 => report.wrong(trail, "it is not told where the store is", WAYS),
        1 => {}
        _ => report.wrong(trail, "several ways to the store are given", WAYS),
    }
    if let Some(url) = &redis.url {
        server(url, &trail.key("url"), report);
    }
    let nodes = trail.key("cluster");
    servers(&redis.cluster, &nodes, report);
    for (index, node) in redis.cluster.iter().enumerate() {
        if database(node).is_some_and(|database| !matches!(database.as_str(), "" | "0")) {
            report.wrong(&nodes.index(index), "a cluster has one database", "a URL without a path");
        }
    }
    if let Some(asked) = &redis.sentinel {
        sentinel(asked, &trail.key("sentinel"), report);
    }
    positive(redis.timeout, &trail.key("timeout"), report);
    prefix(&redis.prefix, &trail.key("prefix"), report);
    ca(redis, &trail.key("ca"), report);
    let at = trail.key("secretFile");
    if !report.is_broken(&at)
        && let Err(what) = sealing_keys::read(&redis.secret_file)
    {
        report.wrong(&at, what, "a file with 32 bytes a line, in hex or base64");
    }
}

fn sentinel(asked: &Sentinel, trail: &Trail, report: &mut Report<'_>) {
    let urls = trail.key("urls");
    if asked.urls.is_empty() && !report.is_broken(&urls) {
        report.wrong(&urls, "there is nobody to ask", "at least one Sentinel");
    }
    servers(&asked.urls, &urls, report);
    let master = trail.key("master");
    if asked.master.is_empty() && !report.is_broken(&master) {
        report.wrong(
            &master,
            "this is no name of a server",
            "the name that its Sentinels have for it",
        );
    }
}

/// Several are spoken to in one way, by the settings of the first.
fn servers(urls: &[String], trail: &Trail, report: &mut Report<'_>) {
    let by_tls = |url: &String| url.starts_with("rediss:");
    for (index, url) in urls.iter().enumerate() {
        let at = trail.index(index);
        if server(url, &at, report) && by_tls(url) != urls.first().is_some_and(by_tls) {
            report.wrong(
                &at,
                "all are spoken to with TLS or without",
                "one scheme for all of them",
            );
        }
    }
}

/// Never quotes the text, which may hold a password.
fn server(text: &str, trail: &Trail, report: &mut Report<'_>) -> bool {
    let what = match url::Url::parse(text) {
        Ok(url) if !matches!(url.scheme(), "redis" | "rediss") => "this is no URL of a store",
        Ok(url) if url.host_str().is_none_or(str::is_empty) => "this is no URL of a store",
        // The client would take it for leave to believe anybody.
        Ok(url) if url.fragment().is_some() => "certificates are always verified",
        Ok(url) if !is_database(url.path()) => "this is no number of a database",
        Ok(_) => return true,
        Err(_) => "this is no URL of a store",
    };
    report.wrong(trail, what, SERVER);
    false
}

fn is_database(path: &str) -> bool {
    let number = path.trim_matches('/');
    number.is_empty() || number.parse::<u32>().is_ok()
}

/// The database that a URL names, as it stands there.
fn database(text: &str) -> Option<String> {
    url::Url::parse(text).ok().map(|url| url.path().trim_matches('/').to_owned())
}

/// Certificates that nobody looks at would leave a way open that seems closed.
fn ca(redis: &Redis, at: &Trail, report: &mut Report<'_>) {
    let Some(path) = redis.ca.as_ref().filter(|_| !report.is_broken(at)) else { return };
    let sentinels = redis.sentinel.iter().flat_map(|sentinel| &sentinel.urls);
    let mut urls = redis.url.iter().chain(&redis.cluster).chain(sentinels);
    if !urls.any(|url| url.starts_with("rediss:")) {
        report.wrong(
            at,
            "nothing would be read of `ca`: TLS is not spoken",
            "`rediss://`, or no `ca`",
        );
    } else if let Err(what) = certificates::bytes(path).and_then(|pem| certificates::chain(&pem)) {
        let allowed = "a PEM file with the certificates that may have signed the servers'";
        report.wrong(at, what, allowed);
    }
}

/// Braces would decide where a cluster keeps a key; the rest keeps keys readable.
fn prefix(text: &str, trail: &Trail, report: &mut Report<'_>) {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    if text.is_empty() || text.len() > 64 || !text.chars().all(plain) {
        let allowed = "1 to 64 of letters, digits, `-`, `_`, `.` and `:`";
        report.wrong(trail, "this is no prefix of keys", allowed);
    }
}
