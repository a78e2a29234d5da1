//! Times and sizes that make no sense, and texts that would break what they are written into.

use super::report::Report;
use crate::{
    config::{
        model::Config,
        tree::Trail,
        units::{Bytes, Span},
    },
    telemetry::logs,
};

/// Below it no real statement fits.
const LEAST_STATEMENT: u64 = 1 << 10;

/// A statement is held in memory; Trino itself takes at most 1,000,000,000 characters.
const MOST_STATEMENT: u64 = 1 << 30;

/// The longest text of `info`, in letters: it stands in every answer of `/v1/info`.
const LONGEST_TEXT: usize = 128;

pub(super) fn check(config: &Config, report: &mut Report<'_>) {
    for (section, key, span) in sections(config) {
        positive(span, &Trail::default().key(section).key(key), report);
    }
    backends(config, report);
    statement(config.data.max_statement_bytes, report);
    level(&config.log.level, report);
    for (key, text) in
        [("environment", &config.info.environment), ("nodeVersion", &config.info.node_version)]
    {
        let long = text.chars().count() > LONGEST_TEXT;
        if text.trim().is_empty() || long || text.contains(char::is_control) {
            let allowed = format!("1 to {LONGEST_TEXT} letters, no control character");
            report.wrong(&Trail::default().key("info").key(key), "this text is not taken", allowed);
        }
    }
}

/// Every span that cannot be zero; `drain`, `linger` and `unmetLease` may be: then nothing is waited for.
fn sections(config: &Config) -> [(&'static str, &'static str, Span); 12] {
    let Config { data, upstream, health, queries, .. } = config;
    [
        ("data", "headerTimeout", data.header_timeout),
        ("data", "idleTimeout", data.idle_timeout),
        ("data", "writeTimeout", data.write_timeout),
        ("upstream", "connectTimeout", upstream.connect_timeout),
        ("upstream", "statementTimeout", upstream.statement_timeout),
        ("upstream", "firstByteTimeout", upstream.first_byte_timeout),
        ("upstream", "poolIdleTimeout", upstream.pool_idle_timeout),
        ("health", "interval", health.interval),
        ("health", "timeout", health.timeout),
        ("queries", "abandonAfter", queries.abandon_after),
        ("queries", "rememberFor", queries.remember_for),
        ("queries", "idleDemandAfter", queries.idle_demand_after),
    ]
}

fn backends(config: &Config, report: &mut Report<'_>) {
    let groups = Trail::default().key("routingGroups");
    for (index, group) in config.routing_groups.iter().enumerate() {
        let backends = groups.index(index).key("backends");
        for (index, backend) in group.backends.iter().enumerate() {
            let trail = backends.index(index).key("health");
            let Some(health) = &backend.health else { continue };
            for (key, span) in [("interval", health.interval), ("timeout", health.timeout)] {
                if let Some(span) = span {
                    positive(span, &trail.key(key), report);
                }
            }
        }
    }
}

pub(super) fn positive(span: Span, trail: &Trail, report: &mut Report<'_>) {
    if span.get().is_zero() {
        report.wrong(trail, "a time of zero would never be met", "at least `1ms`");
    }
}

fn statement(size: Bytes, report: &mut Report<'_>) {
    if !(LEAST_STATEMENT..=MOST_STATEMENT).contains(&size.get()) {
        let trail = Trail::default().key("data").key("maxStatementBytes");
        report.wrong(&trail, format!("{size} is not taken"), "`1KiB` to `1GiB`");
    }
}

fn level(text: &str, report: &mut Report<'_>) {
    if !logs::reads(text) {
        let trail = Trail::default().key("log").key("level");
        let what = format!("{} is no log filter", report.quoted(&trail, text));
        report.wrong(
            &trail,
            what,
            "off, error, warn, info, debug, trace, or as in `info,sluice=debug`",
        );
    }
}
