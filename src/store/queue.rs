//! Writes that nobody waits for: queued by the data threads, made in batches by one task on the control runtime.
//!
//! The queue is bounded. When it is full the oldest write of a query's record gives way, since what it says can be derived
//! from a marker or an id; then the oldest of all. Writes of one key keep their order, and of several values only the
//! last is written. While the store is lost they wait here; a batch that got no answer is made again, so an item of an
//! inbox may come twice.

use std::{
    collections::VecDeque,
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use ahash::AHashMap;
use bytes::Bytes;
use prometheus::Gauge;
use tokio::sync::Notify;

use crate::store::{Change, Key, Kind};

/// Writes that may wait: some seconds of a busy replica, about 30 MB with their values.
const ROOM: usize = 65_536;

/// Writes of one batch: a pipeline that a store answers within milliseconds.
const BATCH: usize = 512;

/// The writes that wait.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: Mutex<VecDeque<Change>>,
    came: Notify,
    depth: Gauge,
    room: usize,
}

impl Queue {
    pub(super) fn new(depth: Gauge) -> Self {
        Self { waiting: Mutex::default(), came: Notify::new(), depth, room: ROOM }
    }

    /// Takes one more, and gives back what had to go for it.
    pub(super) fn add(&self, change: Change) -> Option<Change> {
        let mut waiting = self.waiting();
        let gone = if waiting.len() < self.room { None } else { give_way(&mut waiting) };
        waiting.push_back(change);
        self.depth.set(count(waiting.len()));
        drop(waiting);
        self.came.notify_one();
        gone
    }

    /// Waits until there is something to write.
    pub(super) async fn filled(&self) {
        while self.waiting().is_empty() {
            self.came.notified().await;
        }
    }

    /// The next ones to be written, each key's in order.
    pub(super) fn take(&self) -> Vec<Change> {
        let mut waiting = self.waiting();
        let most = BATCH.min(waiting.len());
        let taken = waiting.drain(..most).collect();
        self.depth.set(count(waiting.len()));
        drop(waiting);
        joined(taken)
    }

    /// They could not be written: they are first again. What no longer fits is given back.
    pub(super) fn put_back(&self, batch: Vec<Change>) -> usize {
        let mut waiting = self.waiting();
        for change in batch.into_iter().rev() {
            waiting.push_front(change);
        }
        let over = waiting.len().saturating_sub(self.room);
        waiting.drain(..over);
        self.depth.set(count(waiting.len()));
        over
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<Change>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the oldest write of a query's record is looked for; beyond that the oldest of all goes, so that a full queue
/// costs the data threads little.
const LOOKED_AT: usize = 64;

fn give_way(waiting: &mut VecDeque<Change>) -> Option<Change> {
    let is_query = |change: &Change| change.key().kind == Kind::Query;
    let at = waiting.iter().take(LOOKED_AT).position(is_query).unwrap_or(0);
    waiting.remove(at)
}

/// The same effect in fewer writes: the last value of each key, and the items of one inbox together.
fn joined(changes: Vec<Change>) -> Vec<Change> {
    let mut kept: Vec<Option<Change>> = Vec::with_capacity(changes.len());
    let mut last: AHashMap<Key, usize> = AHashMap::with_capacity(changes.len());
    for change in changes {
        let earlier = last.insert(change.key().clone(), kept.len());
        let earlier = earlier.and_then(|at| kept.get_mut(at)).and_then(mem::take);
        kept.push(Some(after(earlier, change)));
    }
    kept.into_iter().flatten().collect()
}

/// The later of two changes of one key, with what it keeps of the earlier one.
fn after(earlier: Option<Change>, later: Change) -> Change {
    match (earlier, later) {
        (
            Some(Change::Push { items: mut first, .. }),
            Change::Push { key, items: second, life },
        ) => {
            first.extend::<Vec<Bytes>>(second);
            Change::Push { key, items: first, life }
        }
        (_, later) => later,
    }
}

#[allow(clippy::cast_precision_loss)] // far below 2^52
fn count(length: usize) -> f64 {
    length as f64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LIFE: Duration = Duration::from_secs(1);

    fn put(kind: Kind, id: &str, value: &'static str) -> Change {
        Change::put(Key::new(kind, id), value, LIFE)
    }

    fn queue(room: usize) -> Queue {
        Queue { room, ..Queue::new(Gauge::new("depth", "how many wait").unwrap()) }
    }

    #[test]
    fn of_several_values_the_last_is_written_and_items_go_together() {
        let queue = queue(9);
        let inbox = Key::new(Kind::Inbox, "i");
        for change in [
            put(Kind::Query, "a", "1"),
            Change::push(inbox.clone(), "x", LIFE),
            put(Kind::Query, "b", "1"),
            put(Kind::Query, "a", "2"),
            Change::push(inbox.clone(), "y", LIFE),
            Change::remove(Key::new(Kind::Query, "b")),
        ] {
            assert_eq!(queue.add(change), None);
        }
        assert_eq!(queue.depth.get(), 6.0);
        let both = Change::Push { key: inbox, items: vec!["x".into(), "y".into()], life: LIFE };
        let b = Change::remove(Key::new(Kind::Query, "b"));
        assert_eq!(queue.take(), [put(Kind::Query, "a", "2"), both, b]);
        assert_eq!(queue.depth.get(), 0.0);
    }

    #[test]
    fn a_full_queue_lets_records_of_queries_go_first_and_keeps_the_new() {
        let queue = queue(2);
        let (waiting, query) = (put(Kind::Waiting, "w", "1"), put(Kind::Query, "q", "1"));
        assert_eq!(queue.add(waiting.clone()), None);
        assert_eq!(queue.add(query.clone()), None);
        assert_eq!(queue.add(put(Kind::Lease, "l", "1")), Some(query));
        assert_eq!(queue.add(put(Kind::Lease, "m", "1")), Some(waiting));
        assert_eq!(queue.depth.get(), 2.0);
    }

    #[test]
    fn what_was_not_written_is_first_again() {
        let queue = queue(2);
        queue.add(put(Kind::Query, "a", "1"));
        queue.add(put(Kind::Query, "b", "1"));
        let batch = queue.take();
        queue.add(put(Kind::Query, "c", "1"));
        assert_eq!(queue.put_back(batch), 1, "the oldest does not fit any more");
        assert_eq!(queue.take(), [put(Kind::Query, "b", "1"), put(Kind::Query, "c", "1")]);
    }
}
