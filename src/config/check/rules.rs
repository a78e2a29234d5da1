//! Rules: their names, their conditions, and that their groups exist.

use http::HeaderName;

use super::{
    patterns,
    report::{Names, Once, Report, is_stand_in},
};
use crate::config::{
    model::{Config, Patterns, Rule, When},
    tree::Trail,
};

/// Values of the metrics' label `rule` that mean something else.
const RESERVED: [&str; 2] = ["default", "header"];

/// The longest name of a rule, in letters: it is a label of metrics.
const LONGEST_NAME: usize = 128;

const CONDITIONS: &str =
    "at least one of source, user, host, clientTags, catalog, schema, headers, all, any, not";

pub(super) fn check(config: &Config, report: &mut Report<'_>) {
    let groups = Names::new(config.routing_groups.iter().map(|group| group.name.as_str()));
    let mut names = Once::default();
    let rules = Trail::default().key("rules");
    for (index, rule) in config.rules.iter().enumerate() {
        let trail = rules.index(index);
        name(rule, &trail.key("name"), report);
        names.take("rule name", &rule.name, &trail.key("name"), report);
        groups.expect(&rule.routing_group, &[], &trail.key("routingGroup"), report);
        condition(&rule.when, &trail.key("when"), report);
    }
    header_name(&config.routing_group_header, &Trail::default().key("routingGroupHeader"), report);
}

fn name(rule: &Rule, trail: &Trail, report: &mut Report<'_>) {
    let name = rule.name.as_str();
    if RESERVED.contains(&name) {
        report.wrong(trail, format!("`{name}` names the decision without a rule"), "another name");
    } else if name.trim() != name
        || name.is_empty()
        || name.chars().count() > LONGEST_NAME
        || (name.contains(char::is_control) && !is_stand_in(name))
    {
        let allowed = format!("1 to {LONGEST_NAME} letters, no space around, no control character");
        report.wrong(trail, "this is no name", allowed);
    }
}

/// Every key of a condition must say something, or the rule would match more than it seems to.
fn condition(when: &When, trail: &Trail, report: &mut Report<'_>) {
    let fields = [
        ("source", &when.source),
        ("user", &when.user),
        ("host", &when.host),
        ("clientTags", &when.client_tags),
        ("catalog", &when.catalog),
        ("schema", &when.schema),
    ];
    let mut given = when.not.is_some() || when.all.is_some() || when.any.is_some();
    for (key, wanted) in fields.iter().filter_map(|(key, one)| Some((key, one.as_ref()?))) {
        given = true;
        wanted_patterns(wanted, &trail.key(key), report);
    }
    given |= !when.headers.is_empty();
    headers(when, &trail.key("headers"), report);
    if !given {
        report.wrong(trail, "a condition without a key would match everything", CONDITIONS);
    }
    for (key, parts) in [("all", &when.all), ("any", &when.any)] {
        let Some(parts) = parts else { continue };
        let trail = trail.key(key);
        if parts.is_empty() {
            report.wrong(
                &trail,
                format!("an empty `{key}` says nothing"),
                "at least one condition",
            );
        }
        for (index, part) in parts.iter().enumerate() {
            condition(part, &trail.index(index), report);
        }
    }
    if let Some(not) = &when.not {
        condition(not, &trail.key("not"), report);
    }
}

fn headers(when: &When, trail: &Trail, report: &mut Report<'_>) {
    let mut names = Once::default();
    for (name, wanted) in &when.headers {
        let trail = trail.key(name);
        header_name(name, &trail, report);
        names.take("header", &name.to_ascii_lowercase(), &trail, report);
        wanted_patterns(wanted, &trail, report);
    }
}

fn header_name(name: &str, trail: &Trail, report: &mut Report<'_>) {
    if HeaderName::from_bytes(name.as_bytes()).is_err() {
        report.wrong(
            trail,
            "this is no name of a header",
            "letters, digits and `-`, such as `X-Team`",
        );
    }
}

fn wanted_patterns(wanted: &Patterns, trail: &Trail, report: &mut Report<'_>) {
    const ALLOWED: &str = "exact text, or a glob with `*`, `?`, `[a-z]`";
    match wanted {
        Patterns::One(one) => {
            if let Some(what) = patterns::problem(one) {
                report.wrong(trail, what, ALLOWED);
            }
        }
        Patterns::Many(many) if many.is_empty() => {
            report.wrong(trail, "an empty list matches nothing", "at least one pattern");
        }
        Patterns::Many(many) => {
            for (index, one) in many.iter().enumerate() {
                if let Some(what) = patterns::problem(one) {
                    report.wrong(&trail.index(index), what, ALLOWED);
                }
            }
        }
    }
}
