//! What the other rooms hold of the store: every call with a deadline, counted, and failing at once while the store is
//! lost.
//!
//! Calls are made on the control runtime, wherever they come from, since a connection belongs to the runtime that
//! opened it; a caller that goes away leaves its call to end within the deadline. What does not have our layout (`layout`) is
//! somebody else's: ignored, counted and told, never an error.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{runtime::Handle, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{gate::Gate, queue::Queue};
use crate::{
    lifecycle::Part,
    metrics::{Metrics, StoreOperation, StoreStatus},
    store::{Change, Claim, Fault, Key, Kind, Pending, Seal, Store},
};

mod courier;
mod layout;
mod telling;

use self::{layout::Layout, telling::Telling};

/// Who else sees what is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scope {
    /// Nobody: the store is this process' own memory.
    Replica,
    /// Every replica that was given the same store.
    Fleet,
}

/// How the store is used.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Who else sees it.
    pub scope: Scope,
    /// For each call.
    pub timeout: Duration,
    /// What seals the values of kinds that are secret; `None`: they do not leave the process.
    pub seal: Option<Arc<Seal>>,
}

/// For the store of one process, which never makes anybody wait.
const TIMEOUT: Duration = Duration::from_millis(250);

impl Terms {
    /// Terms of a store that only this process has.
    pub const OWN: Self = Self { scope: Scope::Replica, timeout: TIMEOUT, seal: None };
    /// Terms of a store that other gateways have too.
    pub const FLEET: Self = Self { scope: Scope::Fleet, timeout: TIMEOUT, seal: None };
}

/// A value as it was read; `replace` takes it as proof that nothing changed since.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Found {
    /// What the writer wrote.
    pub value: Bytes,
    /// What stands in the store.
    raw: Bytes,
}

/// What was read of an inbox, ours or not: it stays there until it is said to have been had, since answers may be lost.
#[derive(Clone, Debug, Default)]
pub struct Had(Vec<Bytes>);

impl Had {
    /// How many items.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there was none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The oldest items of an inbox.
#[derive(Clone, Debug)]
pub struct Inbox {
    /// What their writers wrote.
    pub items: Vec<Bytes>,
    /// What the next call takes out.
    pub had: Had,
}

/// A way to the store; cheap to clone.
#[derive(Clone, Debug)]
pub struct SharedStore(Arc<Inside>);

#[derive(Debug)]
struct Inside {
    store: Arc<dyn Store>,
    terms: Terms,
    layout: Layout,
    gate: Gate,
    queue: Queue,
    telling: Telling,
    /// The line of `/readyz`, where the store is one that can be lost.
    part: Option<Part>,
    metrics: Arc<Metrics>,
    control: Handle,
    calls: TaskTracker,
}

impl SharedStore {
    /// Takes a store into use; its calls and its one task live on this runtime, until `stop` and one last batch.
    pub fn start(
        store: Arc<dyn Store>,
        terms: Terms,
        metrics: &Arc<Metrics>,
        part: Option<Part>,
        (tasks, stop): (&TaskTracker, CancellationToken),
    ) -> Self {
        let inside = Inside {
            store,
            layout: Layout::new(terms.seal.clone()),
            terms,
            telling: Telling::default(),
            part,
            gate: Gate::default(),
            queue: Queue::new(metrics.store_depth()),
            metrics: Arc::clone(metrics),
            control: Handle::current(),
            calls: tasks.clone(),
        };
        let shared = Self(Arc::new(inside));
        tasks.spawn(shared.clone().carry(stop));
        shared
    }

    /// Who else sees what is written.
    pub fn scope(&self) -> Scope {
        self.0.terms.scope
    }

    /// Whether it answers; while it does not, every call fails at once.
    pub fn is_up(&self) -> bool {
        self.0.gate.is_open()
    }

    /// Writes some time soon; never waits, and nobody hears whether it was written.
    pub fn later(&self, change: Change) {
        let gone = match self.0.layout.change(change) {
            Ok(change) => self.0.queue.add(change).is_some(),
            Err(_) => true,
        };
        if gone {
            self.count(StoreOperation::Write, StoreStatus::Error);
        }
    }

    /// Makes these changes, those of one key in their order.
    pub async fn apply(&self, changes: Vec<Change>) -> Result<(), Fault> {
        let changes = changes.into_iter().map(|change| self.0.layout.change(change));
        self.written(changes.collect::<Result<_, _>>()?).await
    }

    /// The whole value under that name, gone after `life`.
    pub async fn put(
        &self,
        key: Key,
        value: impl Into<Bytes>,
        life: Duration,
    ) -> Result<(), Fault> {
        self.apply(vec![Change::put(key, value, life)]).await
    }

    /// No value under that name.
    pub async fn remove(&self, key: Key) -> Result<(), Fault> {
        self.apply(vec![Change::remove(key)]).await
    }

    /// One more item in that inbox.
    pub async fn push(
        &self,
        key: Key,
        item: impl Into<Bytes>,
        life: Duration,
    ) -> Result<(), Fault> {
        self.apply(vec![Change::push(key, item, life)]).await
    }

    /// What stands there.
    pub async fn get(&self, key: Key) -> Result<Option<Found>, Fault> {
        Ok(self.get_many(vec![key]).await?.pop().flatten())
    }

    /// What stands there, in the order of the keys.
    pub async fn get_many(&self, keys: Vec<Key>) -> Result<Vec<Option<Found>>, Fault> {
        let asked = keys.clone();
        let raw = self.call(StoreOperation::Read, move |store| {
            Box::pin(async move { store.get_many(&asked).await })
        });
        let found = keys.iter().zip(raw.await?).map(|(key, raw)| {
            let raw = raw?;
            Some(Found { value: self.read(key, &raw)?, raw })
        });
        Ok(found.collect())
    }

    /// The first that asks wins until `life` is over; the same holder wins again and so renews.
    pub async fn claim(&self, key: Key, holder: &str, life: Duration) -> Result<Claim, Fault> {
        let (holder, name) = (self.0.layout.close(&key, holder.as_bytes())?, key.clone());
        let claim = self.call(StoreOperation::Write, move |store| {
            Box::pin(async move { store.claim(&key, holder, life).await })
        });
        Ok(match claim.await? {
            Claim::Held(raw) => Claim::Held(self.read(&name, &raw).unwrap_or_default()),
            Claim::Won => Claim::Won,
        })
    }

    /// Ends a claim; `false` if it is not this holder's (any more).
    pub async fn release(&self, key: Key, holder: &str) -> Result<bool, Fault> {
        let holder = self.0.layout.close(&key, holder.as_bytes())?;
        self.call(StoreOperation::Delete, move |store| {
            Box::pin(async move { store.release(&key, holder).await })
        })
        .await
    }

    /// Writes `value` if what was `found` there (`None`: nothing) still stands; says whether it did.
    pub async fn replace(
        &self,
        key: Key,
        found: Option<&Found>,
        value: impl AsRef<[u8]>,
        life: Duration,
    ) -> Result<bool, Fault> {
        let expected = found.map(|found| found.raw.clone());
        let value = self.0.layout.close(&key, value.as_ref())?;
        self.call(StoreOperation::Write, move |store| {
            Box::pin(async move { store.replace(&key, expected, value, life).await })
        })
        .await
    }

    /// Takes out of an inbox what its reader has had, and reads the oldest of the others, at most so many.
    pub async fn drain(&self, key: Key, had: &Had, most: usize) -> Result<Inbox, Fault> {
        let (name, had) = (key.clone(), had.0.clone());
        let items = self.call(StoreOperation::Read, move |store| {
            Box::pin(async move { store.drain(&key, had, most).await })
        });
        let raw = match items.await {
            Err(Fault::Foreign) => Vec::new(),
            items => items?,
        };
        let items = raw.iter().filter_map(|raw| self.read(&name, raw)).collect();
        Ok(Inbox { items, had: Had(raw) })
    }

    /// The members of a kind that is listed, in no order.
    pub async fn list(&self, kind: Kind) -> Result<Vec<(Key, Bytes)>, Fault> {
        let members = self.call(StoreOperation::Read, move |store| {
            Box::pin(async move { store.list(kind).await })
        });
        let read = |(key, raw): (Key, Bytes)| self.read(&key, &raw).map(|value| (key, value));
        Ok(members.await?.into_iter().filter_map(read).collect())
    }

    /// One call, and as many operations as there are changes.
    async fn written(&self, changes: Vec<Change>) -> Result<(), Fault> {
        let is_removal = |change: &&Change| matches!(change, Change::Remove { .. });
        let deletes = changes.iter().filter(is_removal).count();
        let writes = changes.len() - deletes;
        let operation = if writes == 0 { StoreOperation::Delete } else { StoreOperation::Write };
        let call = move |store: Arc<dyn Store>| -> Pending<'static, ()> {
            Box::pin(async move { store.apply(changes).await })
        };
        let answer = self.call(operation, call).await;
        let status = if answer.is_ok() { StoreStatus::Ok } else { StoreStatus::Error };
        // The call was counted as one of its own kind.
        let (writes, deletes) =
            if writes == 0 { (0, deletes.saturating_sub(1)) } else { (writes - 1, deletes) };
        (0..writes).for_each(|_| self.count(StoreOperation::Write, status));
        (0..deletes).for_each(|_| self.count(StoreOperation::Delete, status));
        answer
    }

    /// One call: none while the gate is shut, else with a deadline, on the control runtime.
    async fn call<T: Send + 'static>(
        &self,
        operation: StoreOperation,
        call: impl FnOnce(Arc<dyn Store>) -> Pending<'static, T> + Send + 'static,
    ) -> Result<T, Fault> {
        if !self.is_up() {
            self.count(operation, StoreStatus::Error);
            return Err(Fault::Unavailable);
        }
        let way = self.clone();
        let made = async move { way.made(operation, call).await };
        let made = self.0.calls.spawn_on(made, &self.0.control);
        // It ends without an answer only with the runtime.
        made.await.unwrap_or(Err(Fault::Unavailable))
    }

    async fn made<T>(
        self,
        operation: StoreOperation,
        call: impl FnOnce(Arc<dyn Store>) -> Pending<'static, T>,
    ) -> Result<T, Fault> {
        let begun = Instant::now();
        let answer = call(Arc::clone(&self.0.store));
        let answer = tokio::time::timeout(self.0.terms.timeout, answer).await;
        let answer = answer.unwrap_or(Err(Fault::Unavailable));
        self.heard(&answer);
        let status = if answer.is_ok() { StoreStatus::Ok } else { StoreStatus::Error };
        self.0.metrics.store_took(operation, begun.elapsed());
        self.count(operation, status);
        answer
    }

    fn heard<T>(&self, answer: &Result<T, Fault>) {
        if let Err(fault) = answer {
            self.0.telling.fault(fault);
        }
        match answer {
            Err(Fault::Unavailable) => {
                if self.0.gate.silent() {
                    self.show(false);
                    tracing::error!(
                        event = "store_lost",
                        "the store does not answer: going on without it"
                    );
                }
            }
            Ok(_) | Err(Fault::Refused(_) | Fault::Foreign) => self.0.gate.answered(),
        }
    }

    /// What was written; `None`, counted and told if it is not ours.
    fn read(&self, key: &Key, raw: &Bytes) -> Option<Bytes> {
        let value = self.0.layout.open(key, raw);
        if value.is_none() {
            self.count(StoreOperation::Read, StoreStatus::Error);
            self.0.telling.foreign(key.kind);
        }
        value
    }

    /// Whether it answers, for all who look.
    fn show(&self, is_up: bool) {
        self.0.metrics.store_is_up(is_up);
        match &self.0.part {
            Some(part) if is_up => part.ready(),
            Some(part) => part.failed("unreachable"),
            None => {}
        }
    }

    fn count(&self, operation: StoreOperation, status: StoreStatus) {
        self.0.metrics.store_call(operation, status);
    }
}
