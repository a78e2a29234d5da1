//! The truth without any I/O: events in, snapshots out, time as an argument.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use sluice_routing::{Availability, BackendName, CoordinatorId};
use tokio::{sync::mpsc, time::Instant};

use super::{DRAIN_GRACE, Effect, Truth};
use crate::{
    backends::{
        circuit::FAILURES,
        coordinators::KEEP_PAST,
        health::Sign,
        identity::Identity,
        passive,
        plan::Plan,
        probe::{Outcome, Seen},
    },
    config::model::Config,
    metrics::{Metrics, Probe, UpstreamError},
    snapshot::{Backend, BackendState, Circuit, Mark, Report, Seat, Snapshot},
    trino::uris::Capabilities,
};

const TWO: &str = r#"{"routingGroups":[{"name":"team-a--etl","backends":[
    {"name":"a","url":"http://a:8080"},{"name":"b","url":"http://b:8080/base/","weight":2}]}]}"#;

struct Stage {
    truth: Truth,
    heard: mpsc::UnboundedReceiver<Report>,
    metrics: Arc<Metrics>,
    now: Instant,
}

fn config(json: &str) -> Arc<Config> {
    Arc::new(serde_json::from_str(json).unwrap())
}

fn name(text: &str) -> BackendName {
    BackendName::parse(text).unwrap()
}

fn id(text: &str) -> CoordinatorId {
    CoordinatorId::parse(text).unwrap()
}

impl Stage {
    fn new(json: &str) -> Self {
        let (reports, heard) = mpsc::unbounded_channel();
        let metrics = Metrics::new().unwrap();
        let config = config(json);
        let plan = Plan::of(&config).unwrap();
        let truth = Truth::new(plan, config, "one".into(), Arc::clone(&metrics), reports);
        Self { truth, heard, metrics, now: Instant::now() }
    }

    fn apply(&mut self, json: &str) {
        let config = config(json);
        self.truth.apply(Plan::of(&config).unwrap(), config, "two".into());
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.truth.tick(self.now);
    }

    /// Lets the fold hear what the data plane said.
    fn hear(&mut self) {
        while let Ok(report) = self.heard.try_recv() {
            self.truth.reported(report, self.now);
        }
    }

    fn snapshot(&self) -> Snapshot {
        self.truth.snapshot()
    }

    fn backend(&self, of: &str) -> Arc<Backend> {
        Arc::clone(&self.snapshot().backends[of])
    }

    fn availability(&self, of: &str) -> Availability {
        let fleet = self.snapshot().fleet;
        let mut members = fleet.groups.into_iter().flat_map(|group| group.members);
        members.find(|member| member.name == name(of)).unwrap().availability
    }

    fn owner(&self, of: &str) -> Option<BackendName> {
        self.snapshot().coordinators.get(&id(of)).cloned()
    }

    fn outcome(&self, of: &str, sign: Sign) -> Outcome {
        Outcome {
            seat: self.backend(of).live.seat,
            began: self.now,
            at: SystemTime::now(),
            took: Duration::from_millis(1),
            result: Probe::Success,
            sign,
            alive: sign != Sign::Failed,
            seen: None,
            capabilities: (sign == Sign::Ready).then(Capabilities::default),
        }
    }

    fn probed(&mut self, of: &str, sign: Sign) {
        self.truth.probed(self.outcome(of, sign), self.now);
    }

    fn seen(&mut self, of: &str, coordinator: Option<&str>, restarted: bool) {
        let identity = Identity {
            coordinator: coordinator.map(id),
            node: None,
            uptime: Some(Duration::from_secs(1)),
        };
        let version = Some("483".into());
        let seen = Some(Seen { identity, version, restarted });
        let outcome = Outcome { seen, ..self.outcome(of, Sign::Ready) };
        self.truth.probed(outcome, self.now);
    }

    fn fail(&mut self, of: &str, times: u32) {
        let backend = self.backend(of);
        (0..times).for_each(|_| passive::failed(&backend, UpstreamError::Refused));
        self.hear();
    }
}

#[test]
fn the_first_snapshot_knows_the_file_and_nothing_else() {
    let stage = Stage::new(TWO);
    let snapshot = stage.snapshot();
    assert_eq!(snapshot.fleet.default_group, Some(0), "the only group is the default one");
    assert_eq!(&*snapshot.groups[0].namespace, "team-a");
    assert_eq!(&*snapshot.groups[0].xtrinode, "etl");
    assert_eq!(snapshot.fleet.groups[0].members[1].weight, 2);
    assert_eq!(snapshot.groups[0].members[1].name, name("b"));
    assert_eq!(snapshot.backends["b"].url.to_string(), "http://b:8080/base");
    assert_eq!(stage.availability("a"), Availability::Starting);
    assert_eq!(stage.backend("a").last_check, None);
}

#[test]
fn a_contradiction_is_refused_in_words() {
    let json = r#"{"defaultRoutingGroup":"x","routingGroups":[{"name":"g","onEmpty":"y","backends":[
        {"name":"A!","url":"nowhere"}]}],"rules":[{"name":"r","when":{"user":"u"},"routingGroup":"z"}]}"#;
    let problems = Plan::of(&config(json)).unwrap_err().join("\n");
    for part in ["`x`", "`y`", "`z`", "`A!`"] {
        assert!(problems.contains(part), "{part}: {problems}");
    }
}

#[test]
fn probes_move_the_state() {
    let mut stage = Stage::new(TWO);
    for (sign, availability, state) in [
        (Sign::Failed, Availability::Unreachable, BackendState::Unhealthy),
        (Sign::Starting, Availability::Starting, BackendState::Resuming),
        (Sign::Ready, Availability::Ready, BackendState::Healthy),
        (Sign::Failed, Availability::Ready, BackendState::Healthy),
        (Sign::Failed, Availability::Ready, BackendState::Healthy),
        (Sign::Failed, Availability::Unreachable, BackendState::Unhealthy),
    ] {
        stage.probed("a", sign);
        assert_eq!((stage.availability("a"), stage.backend("a").state), (availability, state));
        assert_eq!(stage.backend("a").starting, sign == Sign::Starting);
    }
    assert_eq!(stage.availability("b"), Availability::Starting, "b is another matter");
}

#[test]
fn peers_x13_five_failures_open_the_circuit_and_any_sign_of_life_closes_it() {
    let mut stage = Stage::new(TWO);
    stage.probed("a", Sign::Ready);
    stage.fail("a", FAILURES - 1);
    assert_eq!(stage.availability("a"), Availability::Ready);
    passive::succeeded(&stage.backend("a"));
    stage.fail("a", FAILURES - 1);
    assert_eq!(stage.availability("a"), Availability::Ready, "not in a row");
    stage.fail("a", 1);
    assert_eq!(stage.availability("a"), Availability::CircuitOpen);
    assert_eq!(stage.backend("a").state, BackendState::Healthy);

    stage.probed("a", Sign::Ready);
    assert_eq!(stage.backend("a").circuit, Circuit::Open, "a probe closes it only when asked to");
    stage.pass(Duration::from_secs(23));
    assert_eq!(stage.backend("a").circuit, Circuit::Open, "30 s - 20 % have not passed");
    stage.truth.take_effects();
    stage.pass(Duration::from_secs(14));
    assert_eq!(stage.backend("a").circuit, Circuit::HalfOpen);
    let seat = stage.backend("a").live.seat;
    assert_eq!(stage.truth.take_effects(), [Effect::Poke(seat)]);
    assert_eq!(stage.availability("a"), Availability::CircuitOpen);

    stage.probed("a", Sign::Failed);
    assert_eq!(stage.backend("a").circuit, Circuit::Open);
    stage.pass(Duration::from_secs(37));
    let not_found = Outcome { alive: true, ..stage.outcome("a", Sign::Failed) };
    stage.truth.probed(not_found, stage.now);
    assert_eq!(stage.backend("a").circuit, Circuit::Closed, "401 and 404 are signs of life");
    stage.fail("a", FAILURES - 1);
    assert_eq!(stage.backend("a").circuit, Circuit::Closed, "counted from 0 again");
}

#[test]
fn statuses_count_as_the_circuit_wants() {
    let mut stage = Stage::new(TWO);
    stage.probed("a", Sign::Ready);
    let backend = stage.backend("a");
    let answered = |code: u16| passive::answered(&backend, code.try_into().unwrap());
    [502, 504, 502, 504, 503].into_iter().for_each(answered);
    stage.hear();
    assert_eq!(stage.backend("a").circuit, Circuit::Closed, "503 is neutral");
    [502].into_iter().for_each(answered);
    stage.hear();
    assert_eq!(stage.backend("a").circuit, Circuit::Open);
}

#[test]
fn a_new_process_starts_with_a_closed_circuit() {
    let mut stage = Stage::new(TWO);
    stage.seen("a", Some("aaaaa"), false);
    stage.fail("a", FAILURES);
    assert_eq!(stage.backend("a").circuit, Circuit::Open);
    stage.seen("a", Some("bbbbb"), true);
    assert_eq!(stage.availability("a"), Availability::Ready);
}

#[test]
fn past_processes_are_kept_for_an_hour() {
    let mut stage = Stage::new(TWO);
    stage.seen("a", Some("aaaaa"), false);
    stage.seen("a", Some("bbbbb"), true);
    assert_eq!(stage.backend("a").coordinator, Some(id("bbbbb")));
    assert_eq!(stage.owner("aaaaa"), Some(name("a")));
    assert_eq!(stage.owner("bbbbb"), Some(name("a")));
    stage.pass(KEEP_PAST);
    assert_eq!(stage.owner("aaaaa"), None);
    assert_eq!(stage.owner("bbbbb"), Some(name("a")));
}

#[test]
fn a_suffix_of_two_backends_routes_nothing() {
    let mut stage = Stage::new(TWO);
    stage.seen("a", Some("aaaaa"), false);
    stage.seen("b", Some("aaaaa"), false);
    assert_eq!(stage.owner("aaaaa"), None);
    assert_eq!(stage.backend("b").coordinator, Some(id("aaaaa")));
    stage.seen("b", Some("bbbbb"), true);
    assert_eq!(stage.owner("aaaaa"), None, "ids of the dead one may still come");
    stage.pass(KEEP_PAST);
    assert_eq!(stage.owner("aaaaa"), Some(name("a")));
}

#[test]
fn answers_teach_the_coordinator_of_an_old_trino() {
    let mut stage = Stage::new(TWO);
    stage.seen("a", None, false);
    stage.truth.take_effects();
    passive::learned(&stage.backend("a"), id("aaaaa"));
    stage.hear();
    let seat = stage.backend("a").live.seat;
    assert_eq!(stage.truth.take_effects(), [Effect::Poke(seat)]);
    assert_eq!(stage.owner("aaaaa"), Some(name("a")));
    passive::learned(&stage.backend("a"), id("aaaaa"));
    assert!(stage.heard.try_recv().is_err(), "nothing new");

    stage.now += Duration::from_secs(60);
    stage.seen("a", None, false);
    assert_eq!(stage.backend("a").coordinator, Some(id("aaaaa")));
    stage.seen("a", None, true);
    assert_eq!(stage.backend("a").coordinator, None, "its uptime fell");
    assert_eq!(stage.owner("aaaaa"), Some(name("a")), "late polls still get its own 404");

    passive::learned(&stage.backend("a"), id("bbbbb"));
    stage.hear();
    stage.seen("a", None, true);
    assert_eq!(stage.backend("a").coordinator, Some(id("bbbbb")), "taught by the new process");
}

#[test]
fn peers_l13_drained_only_when_truly_0() {
    let mut stage = Stage::new(TWO);
    stage.probed("a", Sign::Ready);
    let query = stage.backend("a").live.load.take();
    assert_eq!(stage.truth.mark("a", Mark::Draining, stage.now), Some(Mark::Draining));
    stage.pass(Duration::from_secs(3600));
    assert_eq!(stage.availability("a"), Availability::Draining);
    assert_eq!(stage.backend("a").state, BackendState::Draining);
    assert!(stage.truth.next_wake(stage.now).is_some(), "it watches the load");
    drop(query);
    stage.pass(Duration::ZERO);
    assert_eq!(stage.availability("a"), Availability::Inactive);
    assert_eq!(stage.backend("a").mark, Mark::Inactive);
    assert_eq!(stage.truth.mark("a", Mark::Active, stage.now), Some(Mark::Active));
    assert_eq!(stage.availability("a"), Availability::Ready);
    assert_eq!(stage.truth.next_wake(stage.now), None);
}

#[test]
fn a_drain_waits_for_statements_that_had_just_chosen() {
    let mut stage = Stage::new(TWO);
    stage.truth.mark("a", Mark::Draining, stage.now);
    stage.pass(Duration::ZERO);
    assert_eq!(stage.backend("a").state, BackendState::Draining);
    stage.pass(DRAIN_GRACE);
    assert_eq!(stage.backend("a").state, BackendState::Inactive);
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

    let moved = r#"{"routingGroups":[{"name":"other","backends":[{"name":"a","url":"http://a:8080"}]}]}"#;
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
    let other = r#"{"routingGroups":[{"name":"other","backends":[{"name":"c","url":"http://c:8080"}]}]}"#;
    stage.apply(other);
    stage.pass(Duration::ZERO);
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

fn series(metrics: &Metrics) -> String {
    struct Nothing;
    impl crate::metrics::Living for Nothing {
        fn in_flight(&self) -> Vec<crate::metrics::InFlight> {
            Vec::new()
        }
        fn backends(&self) -> Vec<crate::metrics::BackendGauge> {
            Vec::new()
        }
        fn tracked_queries(&self) -> u64 {
            0
        }
        fn ready(&self) -> bool {
            true
        }
    }
    metrics.encode(&Nothing)
}
