//! The store: one kind, one way to it, and keys to seal with. Nothing is connected to.

use super::{limits::positive, report::Report};
use crate::config::{
    model::{Config, Redis},
    sealing_keys,
    tree::Trail,
};

const WAYS: &str = "exactly one of `url`, `sentinel` and `cluster`";
const SERVER: &str = "`redis://host:port` or `rediss://host:port`";

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
    for (index, url) in redis.cluster.iter().enumerate() {
        server(url, &trail.key("cluster").index(index), report);
    }
    if let Some(sentinel) = &redis.sentinel {
        let trail = trail.key("sentinel");
        if sentinel.urls.is_empty() {
            report.wrong(&trail.key("urls"), "there is nobody to ask", "at least one Sentinel");
        }
        for (index, url) in sentinel.urls.iter().enumerate() {
            server(url, &trail.key("urls").index(index), report);
        }
    }
    positive(redis.timeout, &trail.key("timeout"), report);
    prefix(&redis.prefix, &trail.key("prefix"), report);
    let at = trail.key("secretFile");
    if !report.is_broken(&at)
        && let Err(what) = sealing_keys::read(&redis.secret_file)
    {
        report.wrong(&at, what, "a file with 32 bytes a line, in hex or base64");
    }
}

/// Never quotes the text, which may hold a password.
fn server(text: &str, trail: &Trail, report: &mut Report<'_>) {
    let fits = url::Url::parse(text)
        .is_ok_and(|url| matches!(url.scheme(), "redis" | "rediss") && url.has_host());
    if !fits {
        report.wrong(trail, "this is no URL of a store", SERVER);
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
