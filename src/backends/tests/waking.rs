//! Backends that sleep: a driver that counts its calls, and coordinators that come and go.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use sluice_routing::{Availability, GroupName};
use tokio::time::Instant;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    OFTEN, RARELY, Stage,
    coordinator::{Coordinator, Info, Login, ready},
    eventually, id,
};
use crate::{
    backends::{
        NotSteered, passive,
        resume::{
            calls::Drivers,
            driver::{Action, Call, CallError, Calling, Driver, How},
        },
        start_with,
    },
    config::model::{Config, Resume},
    events::Events,
    metrics::{Metrics, Provider, ResumeOutcome, Unavailable, UpstreamError},
    snapshot::{Current, Mark, Snapshot, WakeState},
};

const ASLEEP: Info = Info::Status(503);

/// So many wait in each group.
#[derive(Debug, Default)]
struct Level(AtomicU64, AtomicBool);

impl crate::snapshot::Demand for Level {
    fn demand(&self, _: &GroupName) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn waits(&self, _: &GroupName) -> bool {
        self.1.load(Ordering::Relaxed)
    }
}

/// Answers as the test says, and remembers who asked.
#[derive(Debug, Default)]
struct Switch {
    calls: Mutex<Vec<(Call, Instant)>>,
    refusal: Mutex<Option<CallError>>,
}

impl Driver for Arc<Switch> {
    fn provider(&self) -> Provider {
        Provider::Webhook
    }

    fn call(&self, call: Call) -> Calling<'_> {
        Box::pin(async move {
            self.calls.lock().unwrap().push((call, Instant::now()));
            let refusal = self.refusal.lock().unwrap().clone();
            refusal.map_or(Ok(How::Triggered.into()), Err)
        })
    }
}

impl Switch {
    fn refuse(&self, error: CallError) {
        *self.refusal.lock().unwrap() = Some(error);
    }

    fn count(&self, of: &str, action: Action) -> usize {
        let calls = self.calls.lock().unwrap();
        calls
            .iter()
            .filter(|(call, _)| call.backend.as_str() == of && call.action == action)
            .count()
    }

    fn resumes(&self, of: &str) -> usize {
        self.count(of, Action::Resume)
    }

    fn suspends(&self, of: &str) -> usize {
        self.count(of, Action::Suspend)
    }
}

/// A stage with its driver and its demand.
struct Night {
    stage: Stage,
    demand: Arc<Level>,
    driver: Arc<Switch>,
}

fn night(config: Arc<Config>) -> Night {
    let (cancel, tracker) = (CancellationToken::new(), TaskTracker::new());
    let (demand, driver) = (Arc::new(Level::default()), Arc::new(Switch::default()));
    let made = Arc::clone(&driver);
    let drivers: Drivers = Arc::new(move |_: &Resume, _| Ok(Arc::new(Arc::clone(&made))));
    let metrics = Metrics::new().unwrap();
    let events = Events::new(Arc::clone(&metrics));
    let level = Arc::clone(&demand) as Arc<dyn crate::snapshot::Demand>;
    let tasks = (cancel.clone(), &tracker);
    let (current, control) =
        start_with(config, "one", metrics, events, level, (drivers, None), tasks).unwrap();
    Night { stage: Stage { current, control, cancel, tracker }, demand, driver }
}

impl Night {
    fn want(&self) {
        self.demand.0.store(1, Ordering::Relaxed);
        self.stage.current.load().groups[0].live.want();
    }

    fn satisfied(&self) {
        self.demand.0.store(0, Ordering::Relaxed);
    }

    async fn until(&self, backend: &str, state: WakeState) {
        self.stage.until(state.as_str(), |s| wake(s, backend) == Some(state)).await;
    }

    async fn probed(&self) {
        self.stage.until("all probed", Snapshot::has_heard_all).await;
    }
}

fn wake(snapshot: &Snapshot, backend: &str) -> Option<WakeState> {
    snapshot.backends[backend].wake
}

/// One group, each backend with a driver.
fn drowsy(health: &str, group: &str, backends: &[(&str, &str)]) -> Arc<Config> {
    driven(health, group, backends, r#""webhook":{"resumeUrl":"http://x/"}"#)
}

fn driven(health: &str, group: &str, backends: &[(&str, &str)], driver: &str) -> Arc<Config> {
    let backends: Vec<String> = backends
        .iter()
        .map(|(name, url)| {
            let stats = r#""stats":{"user":"sluice"}"#;
            format!(r#"{{"name":"{name}","url":"{url}","resume":{{{driver}}},{stats}}}"#)
        })
        .collect();
    let json = format!(
        r#"{{{health},"routingGroups":[{{"name":"g"{group},"backends":[{}]}}]}}"#,
        backends.join(",")
    );
    Arc::new(serde_json::from_str(&json).unwrap())
}

fn availability(current: &Current, name: &str) -> Availability {
    super::availability(&current.load(), name)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scale_9_peers_x20_a_thousand_first_statements_are_one_call() {
    let a = Coordinator::start(ASLEEP).await;
    let night = night(drowsy(RARELY, "", &[("a", &a.url)]));
    night.probed().await;
    assert_eq!(availability(&night.stage.current, "a"), Availability::Asleep);
    let group = Arc::clone(&night.stage.current.load().groups[0]);
    assert!(group.wake.has_driver && group.wake.hopeless.is_none());

    night.demand.0.store(1000, Ordering::Relaxed);
    let began = Instant::now();
    let statements = (0..1000).map(|_| {
        let group = Arc::clone(&group);
        tokio::spawn(async move { group.live.want() })
    });
    for statement in statements.collect::<Vec<_>>() {
        statement.await.unwrap();
    }
    eventually("called", || night.driver.resumes("a") == 1).await;
    let called = night.driver.calls.lock().unwrap()[0].1;
    let took = called.duration_since(began);
    assert!(took.as_millis() < 1000, "no timer stands between: {took:?}");
    night.until("a", WakeState::Warming).await;
    let probes = a.asked("/v1/info");
    eventually("probed often", || a.asked("/v1/info") > probes + 2).await;
    (0..1000).for_each(|_| {
        group.live.want();
    });
    a.play(|part| part.info = ready("aaaaa", "1.00s"));
    night.until("a", WakeState::Ready).await;
    assert_eq!(availability(&night.stage.current, "a"), Availability::Ready);
    assert_eq!(night.driver.resumes("a"), 1);
    let wake = night.stage.current.load().groups[0].wake.clone();
    assert_eq!(wake.last_outcome, Some(ResumeOutcome::Success));
    assert!(wake.usual.is_some() && wake.last_success.is_some() && wake.resuming_since.is_none());
    night.stage.stop().await;
}

#[tokio::test]
async fn peers_x26_only_a_statement_wakes() {
    let a = Coordinator::start(ASLEEP).await;
    let night = night(drowsy(OFTEN, "", &[("a", &a.url)]));
    night.probed().await;
    night.demand.0.store(7, Ordering::Relaxed);
    let backend = night.stage.backend("a");
    passive::failed(&backend, UpstreamError::Refused);
    passive::learned(&backend, id("zzzzz"));
    night.stage.control.mark("a", Mark::Draining).await.unwrap();
    night.stage.control.mark("a", Mark::Active).await.unwrap();
    let same = drowsy(OFTEN, "", &[("a", &a.url)]);
    night.stage.control.apply(same, "two").await.unwrap();
    let probes = a.asked("/v1/info");
    eventually("probes go on", || a.asked("/v1/info") > probes + 10).await;
    assert_eq!(night.driver.calls.lock().unwrap().len(), 0, "demand alone wakes nothing");
    assert_eq!(wake(&night.stage.current.load(), "a"), Some(WakeState::Asleep));
    night.stage.stop().await;
}

#[tokio::test]
async fn a_refusal_for_good_leads_to_the_next_candidate_and_then_to_its_words() {
    let (a, b) = (Coordinator::start(ASLEEP).await, Coordinator::start(ASLEEP).await);
    let night = night(drowsy(OFTEN, "", &[("a", &a.url), ("b", &b.url)]));
    night.probed().await;
    night.driver.refuse(CallError::Permanent("403: may not patch".to_owned()));
    night.want();
    night.until("b", WakeState::Failed).await;
    assert_eq!((night.driver.resumes("a"), night.driver.resumes("b")), (1, 1));
    assert_eq!(availability(&night.stage.current, "a"), Availability::Failed);
    let hopeless = night.stage.current.load().groups[0].wake.hopeless.clone();
    let (why, words) = hopeless.unwrap();
    assert_eq!(why, Unavailable::ResumeFailed);
    assert!(words.contains("403"), "{words}");
    b.play(|part| part.info = ready("bbbbb", "1.00s"));
    night.stage.until_ready("b").await;
    assert!(night.stage.current.load().groups[0].wake.hopeless.is_none(), "somebody else woke it");
    night.stage.stop().await;
}

#[tokio::test]
async fn peers_l15_who_never_becomes_ready_is_followed_by_the_next() {
    let (a, b) = (Coordinator::start(ASLEEP).await, Coordinator::start(ASLEEP).await);
    let brief = r#""deadline":"300ms","webhook":{"resumeUrl":"http://x/"}"#;
    let night = night(driven(OFTEN, "", &[("a", &a.url), ("b", &b.url)], brief));
    night.probed().await;
    night.want();
    eventually("b is next", || night.driver.resumes("b") == 1).await;
    b.play(|part| part.info = ready("bbbbb", "1.00s"));
    night.stage.until_ready("b").await;
    assert_eq!(availability(&night.stage.current, "a"), Availability::Failed);
    night.stage.stop().await;
}

#[tokio::test]
async fn a_statement_that_meets_a_dead_backend_wakes_it() {
    let a = Coordinator::start(ready("aaaaa", "1.00m")).await;
    let night = night(drowsy(RARELY, "", &[("a", &a.url)]));
    night.stage.until_ready("a").await;
    a.die().await;
    passive::failed(&night.stage.backend("a"), UpstreamError::Refused);
    night.want();
    eventually("called", || night.driver.resumes("a") == 1).await;
    night.stage.stop().await;
}

#[tokio::test]
async fn who_waits_while_the_backend_goes_has_it_woken_again() {
    let a = Coordinator::start(ready("aaaaa", "1.00m")).await;
    let night = night(drowsy(OFTEN, "", &[("a", &a.url)]));
    night.stage.until_ready("a").await;
    night.demand.0.store(1, Ordering::Relaxed);
    night.demand.1.store(true, Ordering::Relaxed);
    a.play(|part| part.info = ASLEEP);
    eventually("called", || night.driver.resumes("a") == 1).await;
    night.stage.stop().await;
}

#[tokio::test]
async fn a_reload_changes_and_removes_the_driver() {
    let a = Coordinator::start(ASLEEP).await;
    let night = night(drowsy(OFTEN, "", &[("a", &a.url)]));
    night.probed().await;
    night.want();
    night.until("a", WakeState::Warming).await;
    let other = driven(OFTEN, "", &[("a", &a.url)], r#""webhook":{"resumeUrl":"http://y/"}"#);
    night.stage.control.apply(other, "two").await.unwrap();
    eventually("the new one is called", || night.driver.resumes("a") == 2).await;
    night.stage.control.apply(super::config(OFTEN, &[("a", &a.url)]), "three").await.unwrap();
    assert_eq!(wake(&night.stage.current.load(), "a"), None);
    let group = Arc::clone(&night.stage.current.load().groups[0]);
    assert!(!group.wake.has_driver && group.wake.resuming_since.is_none());
    night.want();
    night.stage.until("out", |s| super::availability(s, "a") == Availability::Unreachable).await;
    assert_eq!(night.driver.resumes("a"), 2);
    night.stage.stop().await;
}

#[tokio::test]
async fn held_down_until_resumed_by_hand() {
    let a = Coordinator::start(ready("aaaaa", "1.00m")).await;
    let night = night(drowsy(OFTEN, "", &[("a", &a.url)]));
    night.stage.until_ready("a").await;
    let query = night.stage.backend("a").live.load.take();
    night.stage.control.suspend("g").await.unwrap();
    assert_eq!(availability(&night.stage.current, "a"), Availability::HeldDown);
    let why = night.stage.current.load().groups[0].wake.hopeless.clone().unwrap().0;
    assert_eq!(why, Unavailable::HeldDown);
    assert_eq!(night.driver.suspends("a"), 0, "its query runs");
    drop(query);
    night.until("a", WakeState::HeldDown).await;
    assert_eq!(night.driver.suspends("a"), 1);
    night.want();
    let same = drowsy(OFTEN, r#","select":"weighted""#, &[("a", &a.url)]);
    night.stage.control.apply(same, "two").await.unwrap();
    let probes = a.asked("/v1/info");
    eventually("probes go on", || a.asked("/v1/info") > probes + 10).await;
    assert_eq!(wake(&night.stage.current.load(), "a"), Some(WakeState::HeldDown));
    assert_eq!(night.driver.resumes("a"), 0);

    a.play(|part| part.info = ASLEEP);
    night.satisfied();
    let steered = night.stage.control.resume("g").await.unwrap();
    assert_eq!(steered[0].backend.as_str(), "a");
    eventually("called without demand", || night.driver.resumes("a") == 1).await;
    a.play(|part| part.info = ready("bbbbb", "1.00s"));
    night.stage.until_ready("a").await;
    let unknown = night.stage.control.resume("x").await.unwrap_err();
    assert_eq!(unknown, NotSteered::UnknownGroup("x".to_owned()));
    night.stage.stop().await;
}

#[tokio::test]
async fn a_group_without_a_driver_is_not_steered() {
    let a = Coordinator::start(ready("aaaaa", "1.00m")).await;
    let stage = Stage::new(super::config(OFTEN, &[("a", &a.url)]));
    let refused = stage.control.suspend("g").await.unwrap_err();
    assert_eq!(refused, NotSteered::NoDriver("g".to_owned()));
    stage.stop().await;
}

const SLEEPY: &str = r#","suspend":{"afterIdle":"200ms"}"#;

#[tokio::test]
async fn idle_goes_to_sleep_whichever_way_trino_tells_its_counts() {
    for login in [Login::None, Login::Basic, Login::Json, Login::Form, Login::FormBySeeOther] {
        let a = Coordinator::start(ready("aaaaa", "1.00m")).await;
        a.play(|part| part.login = login);
        let night = night(drowsy(OFTEN, SLEEPY, &[("a", &a.url)]));
        eventually("suspended", || night.driver.suspends("a") == 1).await;
        night.until("a", WakeState::Asleep).await;
        assert_eq!(availability(&night.stage.current, "a"), Availability::Asleep, "{login:?}");
        night.stage.stop().await;
    }
}

#[tokio::test]
async fn who_works_or_cannot_be_read_does_not_go_to_sleep() {
    for (login, queries) in [(Login::None, 1), (Login::Never, 0)] {
        let a = Coordinator::start(ready("aaaaa", "1.00m")).await;
        a.play(|part| (part.login, part.queries) = (login, queries));
        let night = night(drowsy(OFTEN, SLEEPY, &[("a", &a.url)]));
        night.stage.until_ready("a").await;
        eventually("asked for its counts", || a.asked("/ui/api/stats") > 0).await;
        let probes = a.asked("/v1/info");
        eventually("time passes", || a.asked("/v1/info") > probes + 40).await;
        assert_eq!(night.driver.suspends("a"), 0);
        assert_eq!(availability(&night.stage.current, "a"), Availability::Ready);
        night.stage.stop().await;
    }
}

#[tokio::test]
async fn demand_wakes_what_was_just_put_to_sleep() {
    let a = Coordinator::start(ready("aaaaa", "1.00m")).await;
    let night = night(drowsy(OFTEN, SLEEPY, &[("a", &a.url)]));
    night.until("a", WakeState::Asleep).await;
    night.until("a", WakeState::Draining).await;
    night.until("a", WakeState::Asleep).await;
    night.want();
    eventually("called", || night.driver.resumes("a") == 1).await;
    assert_eq!(availability(&night.stage.current, "a"), Availability::Asleep, "the old process");
    a.play(|part| part.info = ready("bbbbb", "1.00s"));
    night.stage.until_ready("a").await;
    night.stage.stop().await;
}

#[tokio::test]
async fn enough_workers_first() {
    let a = Coordinator::start(ASLEEP).await;
    let gate = r#","coldStart":{"minWorkers":2}"#;
    let night = night(drowsy(OFTEN, gate, &[("a", &a.url)]));
    night.probed().await;
    a.play(|part| part.workers = 1);
    night.want();
    night.until("a", WakeState::Warming).await;
    a.play(|part| part.info = ready("aaaaa", "1.00s"));
    eventually("asked for its workers", || a.asked("/ui/api/stats") > 2).await;
    assert_eq!(availability(&night.stage.current, "a"), Availability::Asleep);
    a.play(|part| part.workers = 2);
    night.stage.until_ready("a").await;
    night.stage.stop().await;
}
