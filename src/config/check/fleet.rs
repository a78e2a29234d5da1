//! Routing groups and their backends: names, URLs, and what happens when a group is empty.

use super::{
    address,
    report::{Names, Once, Report, is_stand_in},
};
use crate::config::{
    model::{Backend, Config, RoutingGroup},
    tree::Trail,
};

/// The word of `onEmpty` that is no group.
const REFUSE: &str = "refuse";

/// Names that mean something else: in `onEmpty`, and as the label of requests without a group.
const RESERVED: [&str; 2] = [REFUSE, "unknown"];

const GROUP_NAME: &str = "1 to 128 of letters, digits, `.`, `_` and `-`";
const BACKEND_NAME: &str = "1 to 63 of small letters, digits and `-`";

pub(super) fn check(config: &Config, report: &mut Report<'_>) {
    let all = Trail::default().key("routingGroups");
    if config.routing_groups.is_empty() {
        report.wrong(&all, "there is no routing group", "at least one");
    }
    let names = Names::new(config.routing_groups.iter().map(|group| group.name.as_str()));
    let mut seen = Seen::default();
    for (index, group) in config.routing_groups.iter().enumerate() {
        let trail = all.index(index);
        self::group(group, &trail, &mut seen, report);
        names.expect(&group.on_empty, &[REFUSE], &trail.key("onEmpty"), report);
    }
    circles(&config.routing_groups, &all, report);
    if let Some(name) = &config.default_routing_group {
        names.expect(name, &[], &Trail::default().key("defaultRoutingGroup"), report);
    }
}

/// What may stand in the file once, over all groups.
#[derive(Default)]
struct Seen {
    groups: Once,
    backends: Once,
    urls: Once,
}

fn group(group: &RoutingGroup, trail: &Trail, seen: &mut Seen, report: &mut Report<'_>) {
    let at = trail.key("name");
    if RESERVED.contains(&group.name.as_str()) {
        report.wrong(&at, format!("`{}` means something else", group.name), "another name");
    } else if !is_name(&group.name, 128) && !is_stand_in(&group.name) {
        report.wrong(&at, "this is no name of a routing group", GROUP_NAME);
    }
    seen.groups.take("group name", &group.name, &at, report);
    labels(group, trail, report);
    if group.backends.is_empty() {
        report.wrong(
            &trail.key("backends"),
            "a group without a backend serves nobody",
            "at least one",
        );
    }
    for (index, backend) in group.backends.iter().enumerate() {
        self::backend(backend, &trail.key("backends").index(index), seen, report);
    }
}

/// The two labels by which scalers ask; groups may share them, their demand is summed.
fn labels(group: &RoutingGroup, trail: &Trail, report: &mut Report<'_>) {
    for (key, value) in [("namespace", &group.namespace), ("xtrinode", &group.xtrinode)] {
        if value.as_ref().is_some_and(|value| !is_name(value, 253)) {
            let allowed = "1 to 253 of letters, digits, `.`, `_` and `-`";
            report.wrong(&trail.key(key), "this is no value of a label", allowed);
        }
    }
}

fn backend(backend: &Backend, trail: &Trail, seen: &mut Seen, report: &mut Report<'_>) {
    let at = trail.key("name");
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !(1..=63).contains(&backend.name.len()) || !backend.name.chars().all(plain) {
        let what = format!("{} is no name of a backend", report.quoted(&at, &backend.name));
        report.wrong(&at, what, BACKEND_NAME);
    }
    seen.backends.take("backend name", &backend.name, &at, report);
    let at = trail.key("url");
    match address::backend(&backend.url) {
        Ok(same) => seen.urls.take("backend URL", &same, &at, report),
        Err((what, allowed)) => report.wrong(&at, what, allowed),
    }
}

fn is_name(name: &str, longest: usize) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=longest).contains(&name.len()) && name.chars().all(plain)
}

/// `onEmpty` that leads back to where it began would send a statement round for ever.
fn circles(groups: &[RoutingGroup], all: &Trail, report: &mut Report<'_>) {
    let find = |name: &str| groups.iter().position(|group| group.name == name && name != REFUSE);
    for (start, group) in groups.iter().enumerate() {
        let mut way = vec![group.name.as_str()];
        let mut at = group;
        while let Some(next) =
            find(&at.on_empty).and_then(|index| Some((index, groups.get(index)?)))
        {
            let (index, group) = next;
            // A circle is told once, at its first group; and nobody goes round one that lies ahead.
            if index < start || way.len() > groups.len() {
                break;
            }
            way.push(&group.name);
            if index == start {
                let what = format!("`onEmpty` goes in a circle: {}", way.join(" → "));
                report.wrong(&all.index(start).key("onEmpty"), what, "a way that ends in `refuse`");
                break;
            }
            at = group;
        }
    }
}
