//! The store as the other rooms use it: deadlines, the breaker, foreign bytes, writes that nobody waits for.

use std::{
    future,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::time::Instant;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::*;
use crate::metrics::{BackendGauge, GroupGauge, InFlight, Living, Metrics, Runtimes, Wanted};

const LIFE: Duration = Duration::from_secs(60);

/// A store that can be silenced, and counts how often it is asked.
#[derive(Debug, Default)]
struct Fickle {
    memory: Memory,
    is_silent: AtomicBool,
    asked: AtomicUsize,
}

impl Fickle {
    fn ask<'a, T: Send + 'a>(&'a self, answer: impl FnOnce() -> Pending<'a, T>) -> Pending<'a, T> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.is_silent.load(Ordering::Relaxed) { Box::pin(future::pending()) } else { answer() }
    }
}

impl Store for Fickle {
    fn apply(&self, changes: Vec<Change>) -> Pending<'_, ()> {
        self.ask(|| self.memory.apply(changes))
    }

    fn get_many<'a>(&'a self, keys: &'a [Key]) -> Pending<'a, Vec<Option<Bytes>>> {
        self.ask(|| self.memory.get_many(keys))
    }

    fn claim<'a>(&'a self, key: &'a Key, holder: Bytes, life: Duration) -> Pending<'a, Claim> {
        self.ask(|| self.memory.claim(key, holder, life))
    }

    fn release<'a>(&'a self, key: &'a Key, holder: Bytes) -> Pending<'a, bool> {
        self.ask(|| self.memory.release(key, holder))
    }

    fn replace<'a>(
        &'a self,
        key: &'a Key,
        expected: Option<Bytes>,
        value: Bytes,
        life: Duration,
    ) -> Pending<'a, bool> {
        self.ask(|| self.memory.replace(key, expected, value, life))
    }

    fn drain<'a>(&'a self, key: &'a Key, had: Vec<Bytes>, most: usize) -> Pending<'a, Vec<Bytes>> {
        self.ask(|| self.memory.drain(key, had, most))
    }

    fn list(&self, kind: Kind) -> Pending<'_, Vec<(Key, Bytes)>> {
        self.ask(|| self.memory.list(kind))
    }

    fn ping(&self) -> Pending<'_, ()> {
        self.ask(|| self.memory.ping())
    }
}

struct Stage {
    store: Arc<Fickle>,
    shared: SharedStore,
    metrics: Arc<Metrics>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

fn stage() -> Stage {
    let (store, metrics) = (Arc::<Fickle>::default(), Metrics::new().unwrap());
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let kept = Arc::clone(&store) as Arc<dyn Store>;
    let shared = SharedStore::start(kept, Terms::FLEET, &metrics, None, (&tasks, stop.clone()));
    Stage { store, shared, metrics, tasks, stop }
}

struct Nobody;

impl Living for Nobody {
    fn in_flight(&self) -> Vec<InFlight> {
        Vec::new()
    }

    fn backends(&self) -> Vec<BackendGauge> {
        Vec::new()
    }

    fn groups(&self) -> Vec<GroupGauge> {
        Vec::new()
    }

    fn demand(&self, _: &str) -> Option<Wanted> {
        None
    }

    fn tracked_queries(&self) -> u64 {
        0
    }

    fn active_sessions(&self) -> u64 {
        0
    }

    fn runtimes(&self) -> Runtimes {
        Runtimes::default()
    }

    fn ready(&self) -> bool {
        true
    }
}

impl Stage {
    fn metric(&self, series: &str) -> f64 {
        let page = self.metrics.encode(&Nobody);
        let line = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{series}")).parse().unwrap()
    }
}

fn query(id: &str) -> Key {
    Key::new(Kind::Query, id)
}

#[tokio::test(start_paused = true)]
async fn a_silent_store_is_asked_three_times_then_nobody_waits_until_it_answers_a_probe() {
    let stage = stage();
    stage.store.is_silent.store(true, Ordering::Relaxed);
    for _ in 0..3 {
        let begun = Instant::now();
        assert_eq!(stage.shared.get(query("q")).await, Err(Fault::Unavailable));
        let waited = begun.elapsed().as_millis();
        assert!((250..260).contains(&waited), "the deadline: {waited} ms");
    }
    assert_eq!(stage.metric("gateway_store_up"), 0.0);
    let (begun, asked) = (Instant::now(), stage.store.asked.load(Ordering::Relaxed));
    assert_eq!(stage.shared.put(query("q"), "1", LIFE).await, Err(Fault::Unavailable));
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_eq!(stage.store.asked.load(Ordering::Relaxed), asked, "the store was not asked");
    assert_eq!(
        stage.metric("gateway_store_operations_total{operation=\"write\",status=\"error\"}"),
        1.0
    );
    stage.shared.later(Change::put(query("late"), "2", LIFE));
    stage.store.is_silent.store(false, Ordering::Relaxed);
    tokio::time::timeout(Duration::from_secs(5), async {
        while !stage.shared.is_up() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        while stage.shared.get(query("late")).await.unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("it is back, and what waited is written");
    assert_eq!(stage.metric("gateway_store_up"), 1.0);
    assert_eq!(stage.metric("gateway_store_write_queue_depth"), 0.0);
}

#[tokio::test]
async fn bytes_of_somebody_else_are_absent_and_counted() {
    let stage = stage();
    let foreign = |id: &str| Change::put(Key::new(Kind::Mark, id), &b"\xffwhat"[..], LIFE);
    stage.store.apply(vec![foreign("a"), foreign("b")]).await.unwrap();
    let mark = |id: &str| Key::new(Kind::Mark, id);
    assert_eq!(stage.shared.get(mark("a")).await, Ok(None));
    stage.shared.put(mark("b"), "ours", LIFE).await.unwrap();
    assert_eq!(stage.shared.list(Kind::Mark).await, Ok(vec![(mark("b"), "ours".into())]));
    let errors = "gateway_store_operations_total{operation=\"read\",status=\"error\"}";
    assert_eq!(stage.metric(errors), 2.0);
}

#[tokio::test]
async fn what_was_read_is_the_proof_that_nothing_changed() {
    let Stage { shared, .. } = stage();
    assert_eq!(shared.replace(query("q"), None, "1", LIFE).await, Ok(true));
    assert_eq!(shared.replace(query("q"), None, "2", LIFE).await, Ok(false));
    let found = shared.get(query("q")).await.unwrap().unwrap();
    assert_eq!(&*found.value, b"1");
    assert_eq!(shared.replace(query("q"), Some(&found), "3", LIFE).await, Ok(true));
    assert_eq!(shared.replace(query("q"), Some(&found), "4", LIFE).await, Ok(false));
    let lease = Key::new(Kind::Lease, "l");
    assert_eq!(shared.claim(lease.clone(), "me", LIFE).await, Ok(Claim::Won));
    assert_eq!(shared.claim(lease.clone(), "you", LIFE).await, Ok(Claim::Held("me".into())));
    assert_eq!(shared.release(lease.clone(), "you").await, Ok(false));
    assert_eq!(shared.release(lease, "me").await, Ok(true));
}

#[tokio::test]
async fn what_is_queued_at_the_end_is_still_written() {
    let Stage { shared, stop, tasks, store, .. } = stage();
    stop.cancel();
    shared.later(Change::put(query("last"), "1", LIFE));
    tasks.close();
    tasks.wait().await;
    let found = store.get_many(&[query("last")]).await.unwrap();
    assert_eq!(found, [Some("\u{1}1".into())]);
}
