//! How backends wake and sleep: one driver each, with what that driver needs, and waits that can end.

use super::{limits::positive, report::Report};
use crate::config::{
    model::{Backend, ColdStart, Config, KubernetesScale, Resume, RoutingGroup, Suspend},
    tree::Trail,
};

/// All drivers, for who chose none or two.
const DRIVERS: &str = "one of kubernetesScale, xtrinodeApi, xtrinode, stackable, customResource, webhook, command, external";

pub(super) fn check(config: &Config, report: &mut Report<'_>) {
    let groups = Trail::default().key("routingGroups");
    for (index, group) in config.routing_groups.iter().enumerate() {
        let trail = groups.index(index);
        cold_start(&group.cold_start, &trail.key("coldStart"), report);
        if let Some(suspend) = &group.suspend {
            self::suspend(group, suspend, &trail, report);
        }
        for (index, backend) in group.backends.iter().enumerate() {
            self::backend(backend, &trail.key("backends").index(index), report);
        }
    }
}

fn cold_start(settings: &ColdStart, trail: &Trail, report: &mut Report<'_>) {
    positive(settings.hold_for, &trail.key("holdFor"), report);
    positive(settings.deadline, &trail.key("deadline"), report);
    if settings.hold_for > settings.deadline {
        let what = "a statement would be held for longer than it may wait";
        report.wrong(&trail.key("holdFor"), what, "at most `deadline`");
    }
    if settings.max_waiting_per_user > settings.max_waiting
        && report.has(&trail.key("maxWaitingPerUser"))
    {
        let what = "one user cannot have more waiting than all together";
        report.wrong(&trail.key("maxWaitingPerUser"), what, "at most `maxWaiting`");
    }
}

/// What sleeps must wake, and what runs at the coordinator must be seen before it is put to sleep.
fn suspend(group: &RoutingGroup, suspend: &Suspend, trail: &Trail, report: &mut Report<'_>) {
    positive(suspend.after_idle, &trail.key("suspend").key("afterIdle"), report);
    for (index, backend) in group.backends.iter().enumerate() {
        let at = trail.key("backends").index(index);
        match &backend.resume {
            None => {
                let what = "the group is suspended when idle, and nothing would wake this backend";
                report.wrong(&at, what, "`resume` with a driver");
            }
            Some(resume) if !can_suspend(resume) => {
                let what = "the group is suspended when idle, and this driver has nothing to suspend it with";
                report.wrong(
                    &at.key("resume"),
                    what,
                    "suspendPatch, suspendUrl or suspend, whichever the driver has",
                );
            }
            Some(_) => {}
        }
        if backend.stats.is_none() {
            let what = "the group is suspended when idle, and nobody may read this backend's own counts of queries";
            report.wrong(&at, what, "`stats` with a user");
        }
    }
}

fn can_suspend(resume: &Resume) -> bool {
    let lacks = resume.external.is_some()
        || resume.xtrinode_api.is_some()
        || resume.custom_resource.as_ref().is_some_and(|it| it.suspend_patch.is_none())
        || resume.webhook.as_ref().is_some_and(|it| it.suspend_url.is_none())
        || resume.command.as_ref().is_some_and(|it| it.suspend.is_none());
    !lacks
}

fn backend(backend: &Backend, trail: &Trail, report: &mut Report<'_>) {
    if let Some(stats) = &backend.stats
        && stats.user.trim().is_empty()
    {
        report.wrong(&trail.key("stats").key("user"), "nobody is named", "the name of a user");
    }
    let Some(resume) = &backend.resume else { return };
    let trail = trail.key("resume");
    positive(resume.call_timeout, &trail.key("callTimeout"), report);
    positive(resume.deadline, &trail.key("deadline"), report);
    match resume.drivers().as_slice() {
        [] => report.wrong(&trail, "no driver is given", DRIVERS),
        [_] => {}
        several => {
            report.wrong(
                &trail,
                format!("several drivers are given: {}", several.join(", ")),
                DRIVERS,
            );
        }
    }
    if let Some(scale) = &resume.kubernetes_scale {
        target(scale, &trail.key("kubernetesScale"), report);
    }
    texts(resume, &trail, report);
}

fn target(scale: &KubernetesScale, trail: &Trail, report: &mut Report<'_>) {
    if scale.deployment.is_some() == scale.stateful_set.is_some() {
        let what = "it is not told what is scaled";
        report.wrong(trail, what, "either `deployment` or `statefulSet`");
    }
}

/// Names, programs and addresses that the drivers need.
fn texts(resume: &Resume, trail: &Trail, report: &mut Report<'_>) {
    if let Some(command) = &resume.command {
        let trail = trail.key("command");
        program(&command.resume, &trail.key("resume"), report);
        if let Some(suspend) = &command.suspend {
            program(suspend, &trail.key("suspend"), report);
        }
    }
    if let Some(webhook) = &resume.webhook {
        let trail = trail.key("webhook");
        url(&webhook.resume_url, &trail.key("resumeUrl"), report);
        if let Some(suspend) = &webhook.suspend_url {
            url(suspend, &trail.key("suspendUrl"), report);
        }
    }
    if let Some(base) = resume.xtrinode_api.as_ref().and_then(|api| api.url.as_ref()) {
        url(base, &trail.key("xtrinodeApi").key("url"), report);
    }
    for (key, at) in resources(resume) {
        for (part, text) in at {
            kubernetes_name(text, &trail.key(key).key(part), report);
        }
    }
}

type Parts<'a> = Vec<(&'static str, &'a str)>;

fn resources(resume: &Resume) -> Vec<(&'static str, Parts<'_>)> {
    let mut all = Vec::new();
    if let Some(scale) = &resume.kubernetes_scale {
        let mut parts = vec![("namespace", scale.namespace.as_str())];
        parts.extend(scale.deployment.as_deref().map(|name| ("deployment", name)));
        parts.extend(scale.stateful_set.as_deref().map(|name| ("statefulSet", name)));
        all.push(("kubernetesScale", parts));
    }
    for (key, named) in [("xtrinode", &resume.xtrinode), ("stackable", &resume.stackable)] {
        if let Some(named) = named {
            all.push((
                key,
                vec![("namespace", named.namespace.as_str()), ("name", named.name.as_str())],
            ));
        }
    }
    if let Some(custom) = &resume.custom_resource {
        let parts = vec![
            ("group", custom.group.as_str()),
            ("version", custom.version.as_str()),
            ("resource", custom.resource.as_str()),
            ("namespace", custom.namespace.as_str()),
            ("name", custom.name.as_str()),
        ];
        all.push(("customResource", parts));
    }
    all
}

fn program(words: &[String], trail: &Trail, report: &mut Report<'_>) {
    if words.first().is_none_or(|program| program.trim().is_empty()) {
        report.wrong(
            trail,
            "no program is named",
            "a list: the program, then its arguments (no shell)",
        );
    }
}

/// Never quotes the text, which may hold a password.
fn url(text: &str, trail: &Trail, report: &mut Report<'_>) {
    let fits = url::Url::parse(text)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if !fits {
        report.wrong(trail, "this is no URL to call", "`http://…` or `https://…`");
    }
}

/// The name stands in a path of the API, so that nothing but a name may stand there.
fn kubernetes_name(text: &str, trail: &Trail, report: &mut Report<'_>) {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    if text.is_empty() || text.len() > 253 || !text.chars().all(plain) {
        let allowed = "1 to 253 of small letters, digits, `-` and `.`";
        report.wrong(trail, "this is no name of Kubernetes", allowed);
    }
}
