//! The addresses that the process listens on, and who may reach the admin one.

use std::net::{IpAddr, SocketAddr};

use super::{address, report::Report};
use crate::config::{model::Config, tree::Trail};

pub(super) fn check(config: &Config, report: &mut Report<'_>) {
    collisions(config, report);
    admin(config, report);
    if let Some(url) = &config.data.external_url
        && let Err((what, allowed)) = address::external(url)
    {
        report.wrong(&at("data", "externalUrl"), what, allowed);
    }
}

fn at(section: &str, key: &str) -> Trail {
    Trail::default().key(section).key(key)
}

/// Two listeners on one address: the second would fail to bind, or worse, share the port.
fn collisions(config: &Config, report: &mut Report<'_>) {
    let mut binds = vec![
        ("data", config.data.bind),
        ("metrics", config.metrics.bind),
        ("health", config.health.bind),
        ("admin", config.admin.bind),
    ];
    binds.extend(config.profiling.enabled.then_some(("profiling", config.profiling.bind)));
    binds.extend(config.scaler.enabled.then_some(("scaler", config.scaler.bind)));
    for (index, (section, bind)) in binds.iter().enumerate() {
        let collides = |(_, other): &&(&str, SocketAddr)| collide(*other, *bind);
        let Some((other, taken)) = binds.iter().take(index).find(collides) else { continue };
        // Told where the file says it; the other of the two may be a default.
        let (told, told_bind, other, taken) = if report.has(&at(section, "bind")) {
            (section, bind, other, taken)
        } else {
            (other, taken, section, bind)
        };
        if !report.is_broken(&at(other, "bind")) {
            let what = format!("`{told_bind}` is taken by `{other}.bind`, which is `{taken}`");
            report.wrong(&at(told, "bind"), what, "one address and port for each listener");
        }
    }
}

/// Port 0 takes a free one; an unspecified address takes the port of every other.
fn collide(left: SocketAddr, right: SocketAddr) -> bool {
    left.port() == right.port()
        && left.port() != 0
        && (left.ip() == right.ip() || left.ip().is_unspecified() || right.ip().is_unspecified())
}

fn admin(config: &Config, report: &mut Report<'_>) {
    let bind = config.admin.bind;
    match &config.admin.token {
        None if !is_loopback(bind.ip()) && !report.is_broken(&at("admin", "token")) => report.wrong(
            &at("admin", "bind"),
            format!("`{bind}` can be reached from outside, and there is no `admin.token`"),
            "a loopback address such as `127.0.0.1:8081`, or a token: `token: ${ENV:SLUICE_ADMIN_TOKEN}`",
        ),
        Some(token) if token.is_empty() || !token.chars().all(|c| c.is_ascii_graphic()) => report
            .wrong(
                &at("admin", "token"),
                "this is no bearer token",
                "visible ASCII characters, no space, at least one",
            ),
        _ => {}
    }
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}
