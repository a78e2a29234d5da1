//! What a reload keeps, retires and lets go.

use std::{sync::Arc, time::Duration};

use sluice_routing::Availability;

use super::{Stage, TWO, id, name};
use crate::{
    backends::{health::Sign, passive, truth::Effect},
    metrics::{Metrics, UpstreamError},
    snapshot::{BackendState, Mark, Seat},
};

#[test]
fn a_reload_keeps_load_counters_and_state_of_who_stays() {
    let mut stage = Stage::new(TWO);
    stage.seen("a", Some("aaaaa"), false);
    stage.truth.take_effects();
    let before = stage.backend("a");
    let _query = before.live.load.take();
    passive::failed(&before, UpstreamError::Reset);
    stage.apply(&TWO.replace(r#""weight":2"#, r#""weight":7"#));
    let after = stage.backend("a");
    assert!(Arc::ptr_eq(&before.live, &after.live));
    assert_eq!((after.live.load.get(), after.state), (1, BackendState::Healthy));
    assert_eq!(stage.snapshot().fleet.groups[0].members[1].weight, 7);
    let seats = [Seat(0), Seat(1)];
    assert_eq!(stage.truth.take_effects(), seats.map(Effect::Retune));
    assert_eq!(&*stage.snapshot().config_hash, "two");

    let moved =
        r#"{"routingGroups":[{"name":"other","backends":[{"name":"a","url":"http://a:8080"}]}]}"#;
    stage.apply(moved);
    let moved = stage.backend("a");
    assert_eq!((moved.live.load.get(), moved.group.as_str()), (1, "other"));
    assert!(!Arc::ptr_eq(&moved.live.metrics, &before.live.metrics));
}

#[test]
fn a_removed_backend_retires_and_goes_when_its_queries_are_long_over() {
    let mut stage = Stage::new(TWO);
    stage.seen("b", Some("bbbbb"), false);
    stage.truth.take_effects();
    let query = stage.backend("b").live.load.take();
    let only_a = r#"{"queries":{"rememberFor":"15m"},"routingGroups":[{"name":"team-a--etl","backends":[
        {"name":"a","url":"http://a:8080"}]}]}"#;
    stage.apply(only_a);
    let retired = stage.backend("b");
    assert!(retired.retired);
    assert_eq!(retired.state, BackendState::Inactive);
    assert_eq!(stage.snapshot().fleet.groups[0].members.len(), 1);
    assert!(stage.truth.take_effects().contains(&Effect::Stop(retired.live.seat)));
    stage.pass(Duration::from_secs(3600));
    assert_eq!(stage.owner("bbbbb"), Some(name("b")), "known ids are served");
    drop(query);
    stage.pass(Duration::ZERO);
    stage.pass(Duration::from_secs(899));
    assert!(stage.snapshot().backends.contains_key("b"));
    assert!(series(&stage.metrics).contains(r#"backend="b""#));
    stage.pass(Duration::from_secs(1));
    assert!(!stage.snapshot().backends.contains_key("b"));
    assert_eq!(stage.owner("bbbbb"), None);
    assert!(!series(&stage.metrics).contains(r#"backend="b""#));
    assert!(series(&stage.metrics).contains(r#"backend="a""#));
    assert_eq!(stage.truth.next_wake(stage.now), None);
}

#[test]
fn a_removed_group_takes_its_series_with_it_once_it_is_idle() {
    let mut stage = Stage::new(TWO);
    let other =
        r#"{"routingGroups":[{"name":"other","backends":[{"name":"c","url":"http://c:8080"}]}]}"#;
    stage.probed("a", Sign::Ready);
    stage.apply(other);
    stage.pass(Duration::ZERO);
    assert!(!stage.snapshot().backends.contains_key("b"), "never probed: it has no query to serve");
    assert!(series(&stage.metrics).contains("team-a--etl"));
    stage.pass(Duration::from_secs(900));
    assert!(!series(&stage.metrics).contains("team-a--etl"));
    assert!(series(&stage.metrics).contains(r#"routing_group="other""#));
}

#[test]
fn named_again_a_retired_backend_comes_back_with_its_load() {
    let mut stage = Stage::new(TWO);
    stage.probed("b", Sign::Ready);
    let before = stage.backend("b");
    let _query = before.live.load.take();
    stage.apply(&TWO.replace(r#""name":"b""#, r#""name":"c""#));
    assert!(stage.backend("b").retired);
    stage.truth.take_effects();
    stage.apply(TWO);
    let back = stage.backend("b");
    assert_eq!((back.retired, back.live.load.get()), (false, 1));
    assert_eq!(stage.availability("b"), Availability::Starting, "to be probed first");
    assert!(stage.truth.take_effects().contains(&Effect::Start(back.live.seat)));
}

#[test]
fn a_name_at_another_address_is_two_backends() {
    let mut stage = Stage::new(TWO);
    stage.seen("a", Some("aaaaa"), false);
    let old = stage.backend("a");
    let _query = old.live.load.take();
    let moved = TWO.replace("http://a:", "http://elsewhere:");
    stage.apply(&moved);
    let new = stage.backend("a");
    assert_eq!(new.url.to_string(), "http://elsewhere:8080");
    assert_eq!((new.live.load.get(), new.coordinator), (0, None));
    assert_ne!(new.live.seat, old.live.seat);

    let snapshot = stage.snapshot();
    let bound = snapshot.bound(&name("a"), id("aaaaa")).unwrap();
    assert_eq!((bound.url.to_string(), bound.retired), ("http://a:8080".to_owned(), true));
    assert_eq!(bound.formerly, Some(name("a")));
    assert_eq!(snapshot.backends[&bound.name].url, old.url, "its new name leads to it as well");
    assert_eq!(snapshot.bound(&name("a"), id("zzzzz")).unwrap().url, new.url);

    // An answer of the old process that was on its way teaches nothing about the new one.
    passive::learned(&old, id("ccccc"));
    stage.hear();
    assert_eq!(stage.backend("a").coordinator, None);

    stage.apply(TWO);
    assert_eq!(stage.backend("a").live.load.get(), 1, "and back");
    let elsewhere: Vec<_> = stage.snapshot().backends.into_values().filter(|b| b.retired).collect();
    assert_eq!(elsewhere[0].url.to_string(), "http://elsewhere:8080");
}

#[test]
fn one_process_at_a_new_address_is_served_there() {
    let mut stage = Stage::new(TWO);
    stage.seen("a", Some("aaaaa"), false);
    stage.apply(&TWO.replace("http://a:", "http://elsewhere:"));
    stage.seen("a", Some("aaaaa"), false);
    let snapshot = stage.snapshot();
    assert_eq!(snapshot.coordinators[&id("aaaaa")], name("a"));
    let bound = snapshot.bound(&name("a"), id("aaaaa")).unwrap();
    assert_eq!(bound.url.to_string(), "http://elsewhere:8080");
}

#[test]
fn on_empty_and_rules_name_groups_by_index() {
    let json = r#"{"routingGroups":[
        {"name":"one","onEmpty":"two","backends":[{"name":"a","url":"http://a:8080"}]},
        {"name":"two","select":"userHash","backends":[{"name":"b","url":"http://b:8080"}]}],
        "rules":[{"name":"r","when":{"user":["u*"],"headers":{"X-A":"b"}},"routingGroup":"two"}]}"#;
    let stage = Stage::new(json);
    let snapshot = stage.snapshot();
    assert_eq!(snapshot.fleet.default_group, None);
    assert_eq!(snapshot.fleet.groups[0].on_empty, sluice_routing::OnEmpty::Group(1));
    assert_eq!(snapshot.fleet.groups[1].select, sluice_routing::Select::UserHash);
    let text = series(&stage.metrics);
    assert!(text.lines().any(|l| l.contains(r#"rule="r""#) && l.contains(r#""two""#)), "{text}");
}

#[test]
fn marks_are_of_configured_backends_and_outlive_reloads() {
    let mut stage = Stage::new(TWO);
    for unknown in ["x", "", "A!"] {
        assert_eq!(stage.truth.mark(unknown, Mark::Inactive, stage.now), None);
    }
    stage.truth.mark("a", Mark::Inactive, stage.now);
    stage.apply(&TWO.replace("http://a:", "http://elsewhere:"));
    assert_eq!(stage.availability("a"), Availability::Inactive);
    stage.apply(&TWO.replace(r#""name":"a""#, r#""name":"c""#));
    assert_eq!(stage.truth.mark("a", Mark::Active, stage.now), None, "retired");
}

fn series(metrics: &Metrics) -> String {
    struct Nothing;
    impl crate::metrics::Living for Nothing {
        fn in_flight(&self) -> Vec<crate::metrics::InFlight> {
            Vec::new()
        }
        fn backends(&self) -> Vec<crate::metrics::BackendGauge> {
            Vec::new()
        }
        fn groups(&self) -> Vec<crate::metrics::GroupGauge> {
            Vec::new()
        }
        fn demand(&self, _: &str) -> Option<crate::metrics::Wanted> {
            None
        }
        fn tracked_queries(&self) -> u64 {
            0
        }
        fn active_sessions(&self) -> u64 {
            0
        }

        fn runtimes(&self) -> crate::metrics::Runtimes {
            crate::metrics::Runtimes::default()
        }

        fn ready(&self) -> bool {
            true
        }
    }
    metrics.encode(&Nothing)
}
