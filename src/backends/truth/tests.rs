//! The truth without any I/O: events in, snapshots out, time as an argument.

mod publish;
mod reload;

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
    snapshot::{Backend, BackendState, Circuit, Mark, Report, Snapshot},
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

/// Nobody waits for anything.
#[derive(Debug)]
struct Unwanted;

impl crate::snapshot::Demand for Unwanted {
    fn demand(&self, _: &sluice_routing::GroupName) -> u64 {
        0
    }
}

impl Stage {
    fn new(json: &str) -> Self {
        let (reports, heard) = mpsc::unbounded_channel();
        let metrics = Metrics::new().unwrap();
        let config = config(json);
        let plan = Plan::of(&config).unwrap();
        let truth = Truth::new(
            plan,
            config,
            "one".into(),
            Arc::clone(&metrics),
            crate::events::Events::new(Arc::clone(&metrics)),
            reports,
            Arc::new(Unwanted),
        );
        Self { truth, heard, metrics, now: Instant::now() }
    }

    fn apply(&mut self, json: &str) {
        let config = config(json);
        self.truth.apply(Plan::of(&config).unwrap(), config, "two".into(), self.now);
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
            no_tls: None,
            seen: None,
            capabilities: (sign == Sign::Ready).then(Capabilities::default),
        }
    }

    fn probed(&mut self, of: &str, sign: Sign) {
        self.truth.probed(&self.outcome(of, sign), self.now);
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
        self.truth.probed(&outcome, self.now);
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
    assert_eq!(stage.backend("a").last_check(), None);
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
    stage.truth.probed(&not_found, stage.now);
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
fn a_late_answer_of_a_dead_process_teaches_nothing() {
    let mut stage = Stage::new(TWO);
    let before = stage.backend("a");
    stage.seen("a", Some("aaaaa"), false);
    stage.seen("a", Some("bbbbb"), true);
    passive::learned(&before, id("aaaaa"));
    stage.hear();
    assert_eq!(stage.backend("a").coordinator, Some(id("bbbbb")));
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
