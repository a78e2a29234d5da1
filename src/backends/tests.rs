//! Fold and probers at work against tiny servers: states are waited for, never times.

mod coordinator;
mod waking;

use std::{future::Future, sync::Arc, time::Duration};

use sluice_routing::{Availability, BackendName, CoordinatorId};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::coordinator::{Coordinator, Forwarded, Info, old, ready};
use super::{Control, NotMarked, circuit::FAILURES, learned, passive, start};
use crate::{
    config::model::Config,
    events::Events,
    metrics::{Metrics, UpstreamError},
    snapshot::{Backend, BackendState, Circuit, Current, Mark, Snapshot},
    store::{Memory, SharedStore, Terms},
    trino::uris::Capabilities,
};

/// Long enough that a probe within a test was asked for.
const RARELY: &str = r#""health":{"interval":"1h","timeout":"2s"}"#;

/// Short enough that a test need not wait.
const OFTEN: &str = r#""health":{"interval":"20ms","timeout":"2s","fall":2}"#;

/// When a state that should come has not come.
const PATIENCE: Duration = Duration::from_secs(20);

struct Stage {
    current: Current,
    control: Control,
    cancel: CancellationToken,
    tracker: TaskTracker,
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
    fn new(config: Arc<Config>) -> Self {
        let (cancel, tracker) = (CancellationToken::new(), TaskTracker::new());
        let metrics = Metrics::new().unwrap();
        let (events, demand) = (Events::new(Arc::clone(&metrics)), Arc::new(Unwanted));
        let own = Arc::<Memory>::default();
        let store = SharedStore::start(own, Terms::OWN, &metrics, None, (&tracker, cancel.clone()));
        let tasks = (cancel.clone(), &tracker);
        let (current, control) =
            start(config, "one", metrics, events, demand, &store, tasks).unwrap();
        Self { current, control, cancel, tracker }
    }

    fn backend(&self, name: &str) -> Arc<Backend> {
        Arc::clone(&self.current.load().backends[name])
    }

    fn availability(&self, name: &str) -> Availability {
        availability(&self.current.load(), name)
    }

    async fn until(&self, what: &str, mut holds: impl FnMut(&Snapshot) -> bool) {
        eventually(what, || holds(&self.current.load())).await;
    }

    async fn until_ready(&self, name: &str) {
        self.until("ready", |s| availability(s, name) == Availability::Ready).await;
    }

    async fn stop(self) {
        self.cancel.cancel();
        self.tracker.close();
        in_time("all tasks end", self.tracker.wait()).await;
    }
}

fn availability(snapshot: &Snapshot, name: &str) -> Availability {
    let mut members = snapshot.fleet.groups.iter().flat_map(|group| &group.members);
    members.find(|member| member.name.as_str() == name).unwrap().availability
}

async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("not in time: {what}"))
}

async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let mut look = tokio::time::interval(Duration::from_millis(2));
    in_time(what, async {
        while !holds() {
            look.tick().await;
        }
    })
    .await;
}

/// One group with these backends.
fn config(health: &str, backends: &[(&str, &str)]) -> Arc<Config> {
    let backends: Vec<String> = backends
        .iter()
        .map(|(name, url)| format!(r#"{{"name":"{name}","url":"{url}"}}"#))
        .collect();
    let json = format!(
        r#"{{{health},"routingGroups":[{{"name":"g","backends":[{}]}}]}}"#,
        backends.join(",")
    );
    Arc::new(serde_json::from_str(&json).unwrap())
}

fn id(text: &str) -> CoordinatorId {
    CoordinatorId::parse(text).unwrap()
}

#[tokio::test]
async fn peers_g7_a_hung_backend_delays_no_other() {
    let hung = Coordinator::start(Info::Hangs).await;
    let well = Coordinator::start(ready("aaaaa", "1.00m")).await;
    let health = OFTEN.replace("2s", "1h");
    let stage = Stage::new(config(&health, &[("hung", &hung.url), ("well", &well.url)]));
    stage.until_ready("well").await;
    eventually("probes go on", || well.asked("/v1/info") > 10).await;
    assert_eq!((hung.asked("/v1/info"), stage.backend("hung").last_check()), (1, None));
    stage.stop().await;
}

#[tokio::test]
async fn probes_that_say_nothing_new_make_no_snapshot() {
    let coordinator = Coordinator::start(ready("aaaaa", "1.00m")).await;
    let stage = Stage::new(config(OFTEN, &[("a", &coordinator.url), ("b", "http://127.0.0.1:1")]));
    stage.until_ready("a").await;
    stage.until("b is down", |s| availability(s, "b") == Availability::Unreachable).await;
    let mut published = stage.current.changed();
    let (asked, checked) = (coordinator.asked("/v1/info"), stage.backend("a").last_check());
    eventually("probes go on", || coordinator.asked("/v1/info") > asked + 20).await;
    assert!(!published.has_changed().unwrap());
    assert!(stage.backend("a").last_check() > checked, "and their time is told all the same");
    stage.control.mark("a", Mark::Inactive).await.unwrap();
    in_time("what is new is published", published.changed()).await.unwrap();
    stage.stop().await;
}

#[tokio::test]
async fn a_hung_probe_ends_at_its_deadline() {
    let hung = Coordinator::start(Info::Hangs).await;
    let health = OFTEN.replace("2s", "10ms");
    let stage = Stage::new(config(&health, &[("a", &hung.url)]));
    stage.until("down", |s| availability(s, "a") == Availability::Unreachable).await;
    hung.play(|part| part.info = ready("aaaaa", "1.00m"));
    stage.until_ready("a").await;
    stage.stop().await;
}

#[tokio::test]
async fn ready_only_when_starting_is_false_and_then_soon() {
    let coordinator = Coordinator::start(old(true, "2.64s")).await;
    let stage = Stage::new(config(RARELY, &[("a", &coordinator.url)]));
    stage.until("resuming", |s| s.backends["a"].state == BackendState::Resuming).await;
    assert_eq!(stage.availability("a"), Availability::Starting);
    assert!(stage.backend("a").starting);
    assert_eq!(coordinator.asked("/"), 0, "capabilities are of a ready coordinator");
    coordinator.play(|part| part.info = old(false, "3.64s"));
    stage.until_ready("a").await;
    assert_eq!(stage.backend("a").version.as_deref(), Some("483"));
    assert_eq!(stage.backend("a").coordinator, None, "a Trino of 435 shows none");
    stage.stop().await;
}

#[tokio::test]
async fn what_is_no_ready_coordinator_is_unhealthy() {
    let worker = r#"{"coordinator":false,"starting":false}"#.to_owned();
    let silent = r#"{"coordinator":true}"#.to_owned();
    let huge = format!(r#"{{"starting":false,"x":"{}"}}"#, "x".repeat(100_000));
    for info in [
        Info::Status(404),
        Info::Status(503),
        Info::Status(302),
        Info::Body("<html>".to_owned()),
        Info::Body(worker),
        Info::Body(silent),
        Info::Body(huge),
    ] {
        let coordinator = Coordinator::start(info).await;
        let stage = Stage::new(config(RARELY, &[("a", &coordinator.url)]));
        stage.until("probed", |s| s.backends["a"].probed).await;
        assert_eq!(stage.availability("a"), Availability::Unreachable);
        stage.stop().await;
    }
}

#[tokio::test]
async fn probes_ask_plainly_and_unsampled() {
    let coordinator = Coordinator::start(ready("aaaaa", "1.00m")).await;
    let stage = Stage::new(config(RARELY, &[("a", &coordinator.url)]));
    stage.until_ready("a").await;
    let headers = coordinator.headers("/v1/info");
    assert_eq!(headers["accept-encoding"], "identity");
    let traceparent = headers["traceparent"].to_str().unwrap();
    assert!(traceparent.starts_with("00-") && traceparent.ends_with("-00"), "{traceparent}");
    assert!(!headers.keys().any(|name| name.as_str().starts_with("x-")), "{headers:?}");
    stage.stop().await;
}

#[tokio::test]
async fn peers_x12_capabilities_are_what_the_coordinator_does() {
    let can = |forwarded, prefix, refused| Capabilities { forwarded, prefix, refused };
    for (forwarded, proven) in [
        (Forwarded::Honoured, can(true, true, false)),
        (Forwarded::WithoutPrefix, can(true, false, false)),
        (Forwarded::Ignored, can(false, false, false)),
        (Forwarded::Refused, can(false, false, true)),
    ] {
        let coordinator = Coordinator::start(ready("aaaaa", "1.00m")).await;
        coordinator.play(|part| part.forwarded = forwarded);
        let stage = Stage::new(config(RARELY, &[("a", &coordinator.url)]));
        stage.until_ready("a").await;
        assert_eq!(stage.backend("a").capabilities, Some(proven), "{forwarded:?}");
        stage.stop().await;
    }
}

#[tokio::test]
async fn a_silent_capability_probe_does_not_keep_a_backend_out_for_long() {
    let coordinator = Coordinator::start(ready("aaaaa", "1.00m")).await;
    coordinator.play(|part| (part.root_hangs, part.forwarded) = (true, Forwarded::Honoured));
    let health = OFTEN.replace("2s", "50ms");
    let stage = Stage::new(config(&health, &[("a", &coordinator.url)]));
    stage.until_ready("a").await;
    assert_eq!(stage.backend("a").capabilities, Some(Capabilities::default()));
    coordinator.play(|part| part.root_hangs = false);
    stage
        .until("proven later", |s| s.backends["a"].capabilities.is_some_and(|can| can.prefix))
        .await;
    stage.stop().await;
}

#[tokio::test]
async fn a_restart_shows_by_coordinator_id_and_is_asked_anew() {
    let coordinator = Coordinator::start(ready("aaaaa", "9.00m")).await;
    let stage = Stage::new(config(OFTEN, &[("a", &coordinator.url)]));
    stage.until_ready("a").await;
    coordinator.play(|part| {
        (part.info, part.forwarded) = (ready("bbbbb", "1.00s"), Forwarded::Honoured);
    });
    stage.until("new process", |s| s.backends["a"].coordinator == Some(id("bbbbb"))).await;
    assert!(stage.backend("a").capabilities.is_some_and(|can| can.forwarded));
    let owners = stage.current.load().coordinators.clone();
    for suffix in ["aaaaa", "bbbbb"] {
        assert_eq!(owners[&id(suffix)].as_str(), "a");
    }
    stage.stop().await;
}

#[tokio::test]
async fn a_restart_of_an_old_trino_shows_by_its_uptime() {
    let coordinator = Coordinator::start(old(false, "1.10d")).await;
    let stage = Stage::new(config(OFTEN, &[("a", &coordinator.url)]));
    stage.until_ready("a").await;
    eventually("steady", || coordinator.asked("/v1/info") > 5).await;
    assert_eq!(coordinator.asked("/"), 1, "capabilities are asked once");
    coordinator.play(|part| part.info = old(false, "30.00s"));
    eventually("asked anew", || coordinator.asked("/") == 2).await;
    stage.stop().await;
}

#[tokio::test]
async fn peers_l14_a_dead_coordinator_is_out_soon_after_a_failed_connect() {
    let coordinator = Coordinator::start(ready("aaaaa", "1.00m")).await;
    let stage = Stage::new(config(RARELY, &[("a", &coordinator.url)]));
    stage.until_ready("a").await;
    coordinator.die().await;
    passive::failed(&stage.backend("a"), UpstreamError::Refused);
    stage.until("out", |s| availability(s, "a") == Availability::Unreachable).await;
    stage.stop().await;
}

#[tokio::test]
async fn an_unknown_coordinator_in_an_answer_is_known_at_once_and_checked() {
    let coordinator = Coordinator::start(ready("aaaaa", "1.00m")).await;
    let stage = Stage::new(config(RARELY, &[("a", &coordinator.url)]));
    stage.until_ready("a").await;
    coordinator.play(|part| part.info = ready("bbbbb", "1.00s"));
    learned(&stage.backend("a"), id("bbbbb"));
    stage.until("known", |s| s.coordinators.contains_key(&id("bbbbb"))).await;
    eventually("capabilities of the new process", || coordinator.asked("/") == 2).await;
    stage.stop().await;
}

#[tokio::test]
async fn five_failures_open_the_circuit_for_new_statements() {
    let coordinator = Coordinator::start(ready("aaaaa", "1.00m")).await;
    let stage = Stage::new(config(OFTEN, &[("a", &coordinator.url)]));
    stage.until_ready("a").await;
    let backend = stage.backend("a");
    (0..FAILURES).for_each(|_| passive::failed(&backend, UpstreamError::Reset));
    stage.until("open", |s| s.backends["a"].circuit == Circuit::Open).await;
    assert_eq!(stage.availability("a"), Availability::CircuitOpen);
    stage.stop().await;
}

#[tokio::test]
async fn peers_g22_a_drain_ends_when_the_last_query_has() {
    let coordinator = Coordinator::start(ready("aaaaa", "1.00m")).await;
    let stage = Stage::new(config(OFTEN, &[("a", &coordinator.url)]));
    stage.until_ready("a").await;
    let query = stage.backend("a").live.load.take();
    assert_eq!(stage.control.mark("a", Mark::Draining).await.unwrap(), Mark::Draining);
    assert_eq!(stage.availability("a"), Availability::Draining, "when `mark` returns");
    drop(query);
    stage.until("left", |s| s.backends["a"].state == BackendState::Inactive).await;
    assert_eq!(stage.current.load().coordinators[&id("aaaaa")].as_str(), "a");
    stage.control.mark("a", Mark::Active).await.unwrap();
    assert_eq!(stage.availability("a"), Availability::Ready);
    let unknown = stage.control.mark("x", Mark::Active).await;
    assert!(matches!(unknown, Err(NotMarked::UnknownBackend(name)) if name == "x"));
    stage.stop().await;
}

#[tokio::test]
async fn a_reload_probes_who_came_and_leaves_who_went() {
    let (a, b) = (ready("aaaaa", "1.00m"), ready("bbbbb", "1.00m"));
    let (a, b) = (Coordinator::start(a).await, Coordinator::start(b).await);
    let stage = Stage::new(config(OFTEN, &[("a", &a.url)]));
    stage.until_ready("a").await;
    let _query = stage.backend("a").live.load.take();
    stage.control.apply(config(OFTEN, &[("a", &a.url), ("b", &b.url)]), "two").await.unwrap();
    assert_eq!(stage.availability("a"), Availability::Ready);
    assert_eq!(stage.backend("a").live.load.get(), 1);
    stage.until_ready("b").await;
    stage.control.apply(config(OFTEN, &[("b", &b.url)]), "three").await.unwrap();
    let before = a.asked("/v1/info");
    let rounds = b.asked("/v1/info") + 10;
    eventually("b is probed on", || b.asked("/v1/info") > rounds).await;
    assert!(a.asked("/v1/info") <= before + 1, "at most the probe that was under way");
    assert!(stage.backend("a").retired);
    let name = BackendName::parse("a").unwrap();
    assert_eq!(stage.current.load().coordinators[&id("aaaaa")], name);
    stage.stop().await;
}

#[tokio::test]
async fn a_reload_to_a_shorter_interval_is_heeded_at_once() {
    let coordinator = Coordinator::start(ready("aaaaa", "1.00m")).await;
    let stage = Stage::new(config(RARELY, &[("a", &coordinator.url)]));
    stage.until_ready("a").await;
    stage.control.apply(config(OFTEN, &[("a", &coordinator.url)]), "two").await.unwrap();
    eventually("probed often", || coordinator.asked("/v1/info") > 5).await;
    stage.stop().await;
}

#[tokio::test]
async fn a_wrong_configuration_leaves_the_old_one() {
    let coordinator = Coordinator::start(ready("aaaaa", "1.00m")).await;
    let stage = Stage::new(config(RARELY, &[("a", &coordinator.url)]));
    let refused = stage.control.apply(config(RARELY, &[("A!", "x")]), "two").await.unwrap_err();
    assert!(refused.to_string().contains("`A!`"), "{refused}");
    assert_eq!(&*stage.current.load().config_hash, "one");
    stage.until_ready("a").await;
    stage.stop().await;
}
