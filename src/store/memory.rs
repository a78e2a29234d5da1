//! The store within one process: a map under a lock that is never held over an await.
//!
//! One replica needs no other. Several gateways of one process may share one, which is how tests make a fleet. Time is
//! the steady clock's; what has expired is absent, and swept out now and then.

use std::{
    collections::VecDeque,
    future,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ahash::AHashMap;
use bytes::Bytes;
use tokio::time::Instant;

use crate::store::{Change, Claim, Key, Kind, Pending, Store};

/// So many writes at least before the map is swept: a sweep walks all of it.
const SWEEP_AFTER: usize = 1024;

/// Everything, in memory.
#[derive(Debug, Default)]
pub struct Memory(Mutex<Inside>);

#[derive(Debug, Default)]
struct Inside {
    entries: AHashMap<Key, Entry>,
    /// Writes since the last sweep.
    written: usize,
}

#[derive(Debug)]
struct Entry {
    held: Held,
    until: Instant,
}

#[derive(Debug)]
enum Held {
    Value(Bytes),
    Items(VecDeque<Bytes>),
}

impl Inside {
    fn living(&self, key: &Key) -> Option<&Held> {
        let entry = self.entries.get(key)?;
        (entry.until > Instant::now()).then_some(&entry.held)
    }

    fn value(&self, key: &Key) -> Option<&Bytes> {
        match self.living(key)? {
            Held::Value(value) => Some(value),
            Held::Items(_) => None,
        }
    }

    fn write(&mut self, key: Key, held: Held, life: Duration) {
        self.written += 1;
        if self.written > SWEEP_AFTER + self.entries.len() {
            let now = Instant::now();
            self.entries.retain(|_, entry| entry.until > now);
            self.written = 0;
        }
        self.entries.insert(key, Entry { held, until: Instant::now() + life });
    }

    fn push(&mut self, key: Key, more: Vec<Bytes>, life: Duration) {
        let is_alive = self.living(&key).is_some();
        let mut items = match self.entries.remove(&key) {
            Some(Entry { held: Held::Items(items), .. }) if is_alive => items,
            _ => VecDeque::new(),
        };
        items.extend(more);
        self.write(key, Held::Items(items), life);
    }

    fn drain(&mut self, key: &Key, had: &[Bytes], most: usize) -> Vec<Bytes> {
        if self.living(key).is_none() {
            return Vec::new();
        }
        match self.entries.get_mut(key).map(|entry| &mut entry.held) {
            Some(Held::Items(items)) => {
                for item in had {
                    if let Some(at) = items.iter().position(|each| each == item) {
                        items.remove(at);
                    }
                }
                items.iter().take(most).cloned().collect()
            }
            _ => Vec::new(),
        }
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Put { key, value, life } => self.write(key, Held::Value(value), life),
            Change::Push { key, items, life } => self.push(key, items, life),
            Change::Remove { key } => {
                self.entries.remove(&key);
            }
        }
    }

    fn claim(&mut self, key: &Key, holder: Bytes, life: Duration) -> Claim {
        match self.value(key) {
            Some(held) if *held != holder => Claim::Held(held.clone()),
            _ => {
                self.write(key.clone(), Held::Value(holder), life);
                Claim::Won
            }
        }
    }
}

impl Memory {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// It has answered before it was asked.
fn now<'a, T: Send + 'a>(answer: T) -> Pending<'a, T> {
    Box::pin(future::ready(Ok(answer)))
}

impl Store for Memory {
    fn apply(&self, changes: Vec<Change>) -> Pending<'_, ()> {
        let mut inside = self.inside();
        changes.into_iter().for_each(|change| inside.apply(change));
        now(())
    }

    fn get_many<'a>(&'a self, keys: &'a [Key]) -> Pending<'a, Vec<Option<Bytes>>> {
        let inside = self.inside();
        now(keys.iter().map(|key| inside.value(key).cloned()).collect())
    }

    fn claim<'a>(&'a self, key: &'a Key, holder: Bytes, life: Duration) -> Pending<'a, Claim> {
        now(self.inside().claim(key, holder, life))
    }

    fn release<'a>(&'a self, key: &'a Key, holder: Bytes) -> Pending<'a, bool> {
        let mut inside = self.inside();
        let is_held = inside.value(key) == Some(&holder);
        if is_held {
            inside.entries.remove(key);
        }
        now(is_held)
    }

    fn replace<'a>(
        &'a self,
        key: &'a Key,
        expected: Option<Bytes>,
        value: Bytes,
        life: Duration,
    ) -> Pending<'a, bool> {
        let mut inside = self.inside();
        let is_so = inside.value(key) == expected.as_ref();
        if is_so {
            inside.write(key.clone(), Held::Value(value), life);
        }
        now(is_so)
    }

    fn drain<'a>(&'a self, key: &'a Key, had: Vec<Bytes>, most: usize) -> Pending<'a, Vec<Bytes>> {
        now(self.inside().drain(key, &had, most))
    }

    fn list(&self, kind: Kind) -> Pending<'_, Vec<(Key, Bytes)>> {
        if !kind.is_listed() {
            return now(Vec::new());
        }
        let inside = self.inside();
        let keys = inside.entries.keys().filter(|key| key.kind == kind);
        let values = keys.filter_map(|key| Some((key.clone(), inside.value(key)?.clone())));
        now(values.collect())
    }

    fn ping(&self) -> Pending<'_, ()> {
        now(())
    }
}
