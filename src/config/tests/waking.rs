//! What is said of drivers and waits: right ones are taken, wrong ones told at their place.

use super::*;
use crate::config::model::{ColdStartMode, Contract};

/// A group of one backend with these keys besides its name and address, and these of the group.
fn group(backend: &str, more: &str) -> String {
    format!(
        "routingGroups:\n- name: g\n  backends:\n  - {{ name: a, url: 'http://a:1'{backend} }}\n{more}"
    )
}

#[test]
fn every_driver_of_the_design_is_taken() {
    for driver in [
        "kubernetesScale: { namespace: team-a, deployment: trino-coordinator, replicas: 1 }",
        "kubernetesScale: { namespace: team-a, statefulSet: trino }",
        "xtrinodeApi: {}",
        "xtrinodeApi: { url: 'http://api:8081', tokenFile: /run/token }",
        "xtrinode: { namespace: n, name: x }",
        "stackable: { namespace: n, name: x }",
        "external: {}",
        "customResource: { group: g.io, version: v1, resource: things, namespace: n, name: x, \
         resumePatch: { spec: { on: true, n: 2, list: [a, 1.5, ~] } } }",
        "webhook: { resumeUrl: 'http://hook:1/up', suspendUrl: 'https://hook/down', tokenFile: /t }",
        "command: { resume: [wake, '--now'], suspend: [sleep] }",
    ] {
        let config = right(&group(&format!(", resume: {{ {driver}, callTimeout: 2s }}"), ""));
        let resume = config.routing_groups[0].backends[0].resume.as_ref().unwrap();
        assert_eq!(resume.drivers().len(), 1, "{driver}");
    }
}

#[test]
fn a_patch_is_kept_as_it_is_written() {
    let custom = "customResource: { group: g, version: v1, resource: r, namespace: n, name: x, \
                  resumePatch: { spec: { on: true, n: 2, list: [a, 1.5, ~] } } }";
    let config = right(&group(&format!(", resume: {{ {custom} }}"), ""));
    let resume = config.routing_groups[0].backends[0].resume.as_ref().unwrap();
    let patch = &resume.custom_resource.as_ref().unwrap().resume_patch;
    let wanted = serde_json::json!({ "spec": { "on": true, "n": 2, "list": ["a", 1.5, null] } });
    assert_eq!(patch, &wanted);
}

#[test]
fn a_group_says_how_its_statements_wait() {
    let wait = "  coldStart: { mode: reject, contract: xtrinode, holdFor: 1s, maxRunning: 5 }\n";
    let config = right(&group("", wait));
    let wait = &config.routing_groups[0].cold_start;
    assert_eq!((wait.mode, wait.contract), (ColdStartMode::Reject, Contract::Xtrinode));
    assert_eq!((wait.max_running, wait.max_waiting), (Some(5), 1000));
    assert_eq!(right(&group("", "")).routing_groups[0].cold_start.mode, ColdStartMode::Queue);
}

#[test]
fn drivers_that_cannot_work_are_told() {
    for (resume, path, words) in [
        ("{}", "", "no driver is given"),
        (
            "{ external: {}, xtrinodeApi: {} }",
            "",
            "several drivers are given: xtrinodeApi, external",
        ),
        ("{ kubernetesScale: { namespace: n } }", ".kubernetesScale", "either `deployment`"),
        (
            "{ kubernetesScale: { namespace: n, deployment: a, statefulSet: b } }",
            ".kubernetesScale",
            "either `deployment` or `statefulSet`",
        ),
        (
            "{ kubernetesScale: { namespace: n, deployment: 'a/../b' } }",
            ".kubernetesScale.deployment",
            "no name of Kubernetes",
        ),
        ("{ command: { resume: [] } }", ".command.resume", "no program is named"),
        ("{ command: { resume: a } }", ".command.resume", "a list"),
        ("{ webhook: { resumeUrl: nowhere } }", ".webhook.resumeUrl", "no URL to call"),
        ("{ webhook: {} }", ".webhook.resumeUrl", "`resumeUrl` is missing"),
        ("{ external: {}, deadline: 0s }", ".deadline", "a time of zero"),
        ("{ externl: {} }", ".externl", "did you mean `external`?"),
        (
            "{ customResource: { group: g, version: v, resource: r, namespace: n, name: x, resumePatch: 5 } }",
            ".customResource.resumePatch",
            "a mapping",
        ),
    ] {
        let told = wrong(&group(&format!(", resume: {resume}"), ""));
        let at = format!(": routingGroups[0].backends[0].resume{path}: ");
        let fits = told.iter().any(|told| told.contains(&at) && told.contains(words));
        assert!(fits, "{resume}: expected {at}{words}\n{told:#?}");
    }
}

#[test]
fn waits_that_cannot_end_are_told() {
    for (cold_start, key, words) in [
        ("{ holdFor: 0s }", "holdFor", "a time of zero"),
        ("{ holdFor: 20s, deadline: 10s }", "holdFor", "at most `deadline`"),
        ("{ maxWaiting: 5, maxWaitingPerUser: 6 }", "maxWaitingPerUser", "at most `maxWaiting`"),
        ("{ maxWaiting: 0 }", "maxWaiting", "too small"),
        ("{ mode: never }", "mode", "`queue`, `hold`, `reject`"),
    ] {
        let told = wrong(&group("", &format!("  coldStart: {cold_start}\n")));
        let at = format!(": routingGroups[0].coldStart.{key}: ");
        assert!(told.len() == 1 && told[0].contains(&at), "{cold_start}: {told:#?}");
        assert!(told[0].contains(words), "{cold_start}: {told:#?}");
    }
}

#[test]
fn a_suspend_needs_a_way_back_and_eyes() {
    let suspend = "  suspend: { afterIdle: 20m }\n";
    let told = wrong(&group("", suspend));
    assert!(told.iter().any(|told| told.contains("nothing would wake this backend")), "{told:#?}");
    assert!(told.iter().any(|told| told.contains("`stats` with a user")), "{told:#?}");
    let told = wrong(&group(", resume: { external: {} }, stats: { user: s }", suspend));
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].contains("nothing to suspend it with"), "{told:#?}");
    right(&group(", resume: { xtrinode: { namespace: n, name: x } }, stats: { user: s }", suspend));
    let told = wrong(&group(", stats: { user: '' }", ""));
    assert!(told[0].contains("nobody is named"), "{told:#?}");
}
