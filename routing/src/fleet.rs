//! The groups and their members as one request sees them.
//!
//! Everything stands still but the loads: those are shared counters that outlive the snapshot. Whoever takes a
//! backend holds a guard, so that a load falls exactly once however the query ends. Why a member is not available
//! is decided elsewhere (probes, circuit, operators); here it is only read.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use crate::ids::{BackendName, GroupName};

/// All groups that statements can go to.
#[derive(Clone, Debug, Default)]
pub struct Fleet {
    /// The groups; decisions speak of them by their place here.
    pub groups: Vec<Group>,
    /// The place of the group that takes what nothing claims.
    pub default_group: Option<usize>,
}

/// A set of backends that can stand in for each other.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its name.
    pub name: GroupName,
    /// How a member is chosen.
    pub select: Select,
    /// What happens when no member can be chosen.
    pub on_empty: OnEmpty,
    /// Its backends; decisions speak of them by their place here.
    pub members: Vec<Member>,
}

/// One backend of a group.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its name.
    pub name: BackendName,
    /// Its share; a member of weight 0 is never chosen.
    pub weight: u32,
    /// Whether it takes statements, and if not, why.
    pub availability: Availability,
    /// Its queries that have not ended.
    pub load: Load,
}

/// Whether a backend takes new statements; queries that it has are not concerned.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Availability {
    /// It does.
    Ready,
    /// It sleeps or wakes: a statement for it can be waited for.
    Asleep,
    /// It could not be woken, and is left alone for a while.
    Failed,
    /// An operator put it to sleep, and it stays asleep until an operator wakes it.
    HeldDown,
    /// It answers, and says that it is starting; nothing of ours wakes it.
    Starting,
    /// Probes do not reach it.
    Unreachable,
    /// It failed several times in a row.
    CircuitOpen,
    /// It is leaving.
    Draining,
    /// An operator took it out.
    Inactive,
}

/// How a member of a group is chosen.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Select {
    /// The least load over weight.
    #[default]
    LeastLoaded,
    /// By chance, in proportion to the weights.
    Weighted,
    /// The same member for the same user as long as it is there.
    UserHash,
}

/// What happens to statements of a group without a member to choose.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum OnEmpty {
    /// They are refused.
    #[default]
    Refuse,
    /// They go to the group at that place of the fleet.
    Group(usize),
}

/// The number of queries that a backend has, shared by all snapshots and threads.
#[derive(Clone, Debug, Default)]
pub struct Load(Arc<AtomicU64>);

/// One query of a backend's load; it counts until it is dropped.
#[derive(Debug)]
#[must_use = "the load falls again as soon as the guard is dropped"]
pub struct LoadGuard(Load);

impl Fleet {
    /// The place of the group of that name.
    pub fn group_by_name(&self, name: &str) -> Option<usize> {
        self.groups.iter().position(|group| group.name.as_str() == name)
    }
}

impl Member {
    /// Whether a new statement may wait for it.
    pub fn is_wakeable(&self) -> bool {
        self.weight > 0 && self.availability == Availability::Asleep
    }

    /// Whether a new statement may go to it.
    pub fn is_selectable(&self) -> bool {
        self.weight > 0 && self.availability == Availability::Ready
    }
}

// The counter publishes no other memory, so relaxed ordering is enough throughout.
impl Load {
    /// The present number of queries.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }

    /// Adds one query.
    pub fn take(&self) -> LoadGuard {
        self.0.fetch_add(1, Relaxed);
        LoadGuard(self.clone())
    }

    /// Adds one query if the load is still `seen`; else somebody was faster, and the choice should be made again.
    pub fn try_take(&self, seen: u64) -> Option<LoadGuard> {
        let next = seen.checked_add(1)?;
        self.0.compare_exchange(seen, next, Relaxed, Relaxed).ok().map(|_| LoadGuard(self.clone()))
    }
}

impl Drop for LoadGuard {
    fn drop(&mut self) {
        let before = self.0.0.fetch_sub(1, Relaxed);
        debug_assert!(before > 0, "a load fell below zero");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_falls_exactly_once() {
        let load = Load::default();
        let (first, second) = (load.take(), load.take());
        assert_eq!(load.get(), 2);
        drop(first);
        assert_eq!(load.clone().get(), 1);
        drop(second);
        assert_eq!(load.get(), 0);
    }

    #[test]
    fn try_take_takes_only_what_it_saw() {
        let load = Load::default();
        let guard = load.try_take(0).unwrap();
        assert!(load.try_take(0).is_none());
        assert_eq!(load.get(), 1);
        drop(guard);
        assert_eq!(load.get(), 0);
        assert!(load.try_take(u64::MAX).is_none());
    }

    #[test]
    fn threads_lose_no_query() {
        let load = Load::default();
        std::thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(|| {
                    (0..1_000).for_each(|_| drop((load.take(), load.try_take(load.get()))))
                });
            }
        });
        assert_eq!(load.get(), 0);
    }
}
