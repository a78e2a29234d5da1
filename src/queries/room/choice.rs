//! Which backend a waiting statement goes to, and its place there.

use std::sync::Arc;

use sluice_routing::{LoadGuard, place};

use crate::snapshot::{Backend, Group};

/// Two threads that choose at once see one load; the later one looks again, so often and no more.
const LOOKS: usize = 16;

/// Takes a place of a member that is not held back, and rather not of the one that failed the statement last.
pub(super) fn take(
    group: &Group,
    fleet: &sluice_routing::Group,
    user: Option<&str>,
    mut held_back: Vec<usize>,
    failed_at: u64,
) -> Option<(Arc<Backend>, LoadGuard)> {
    let failed = group.members.iter().position(|member| mark(member) == failed_at);
    if let Some(failed) = failed.filter(|failed| !held_back.contains(failed)) {
        held_back.push(failed);
        if let Some(taken) = take_of(group, fleet, user, &held_back) {
            return Some(taken);
        }
        held_back.pop();
    }
    take_of(group, fleet, user, &held_back)
}

/// How a backend that failed is remembered; never 0, which means none.
pub(super) fn mark(backend: &Backend) -> u64 {
    backend.live.seat.0.saturating_add(1)
}

fn take_of(
    group: &Group,
    fleet: &sluice_routing::Group,
    user: Option<&str>,
    held_back: &[usize],
) -> Option<(Arc<Backend>, LoadGuard)> {
    for _ in 0..LOOKS {
        let placed = place::choose(fleet, user, fastrand::u64(..), held_back)?;
        let (backend, member) =
            (group.members.get(placed.member)?, fleet.members.get(placed.member)?);
        if let Some(load) = member.load.try_take(placed.seen) {
            return Some((Arc::clone(backend), load));
        }
    }
    let placed = place::choose(fleet, user, fastrand::u64(..), held_back)?;
    let load = fleet.members.get(placed.member)?.load.take();
    Some((Arc::clone(group.members.get(placed.member)?), load))
}
