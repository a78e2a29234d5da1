//! Which member of a group takes a statement.
//!
//! A pure choice: loads are read, never taken, and chance comes in as a seed. Two requests may see the same loads;
//! whoever takes the place with `Load::try_take(placed.seen)` and chooses again when it fails splits exactly. Members that
//! are not ready, have weight 0 or are excluded (they failed this very statement) are passed over.

mod hash;

use std::cmp::Ordering;

use crate::fleet::{Group, Member, Select};

/// The member that was chosen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Placed {
    /// Its place in the group.
    pub member: usize,
    /// The load that the choice saw, for `Load::try_take`.
    pub seen: u64,
}

/// Chooses a member by the group's way; `seed` should differ from call to call, `exclude` holds places in the group.
pub fn choose(group: &Group, user: Option<&str>, seed: u64, exclude: &[usize]) -> Option<Placed> {
    let members = selectable(group, exclude);
    match (group.select, user.filter(|user| !user.is_empty())) {
        (Select::Weighted, _) => weighted(members, seed),
        (Select::UserHash, Some(user)) => by_user(members, user),
        (Select::LeastLoaded, _) | (Select::UserHash, None) => least_loaded(members, seed),
    }
}

fn selectable<'a>(
    group: &'a Group,
    exclude: &'a [usize],
) -> impl Iterator<Item = (usize, &'a Member)> + Clone {
    let members = group.members.iter().enumerate();
    members.filter(move |(at, member)| member.is_selectable() && !exclude.contains(at))
}

/// The least load over weight; among equals by chance, in proportion to the weights.
fn least_loaded<'a>(
    members: impl Iterator<Item = (usize, &'a Member)>,
    seed: u64,
) -> Option<Placed> {
    let mut best: Option<(Placed, u32)> = None;
    let mut equals = 0_u64; // the weights of all members as good as the best
    for (at, member) in members {
        let placed = Placed { member: at, seen: member.load.get() };
        let weight = u64::from(member.weight);
        let order = best.map_or(Ordering::Less, |(best, best_weight)| {
            // a / v < b / w without a division
            let ours = u128::from(placed.seen) * u128::from(best_weight);
            ours.cmp(&(u128::from(best.seen) * u128::from(member.weight)))
        });
        let takes = match order {
            Ordering::Less => {
                equals = weight;
                true
            }
            Ordering::Equal => {
                equals += weight;
                hash::of_place(seed, at) % equals < weight
            }
            Ordering::Greater => false,
        };
        if takes {
            best = Some((placed, member.weight));
        }
    }
    best.map(|(placed, _)| placed)
}

/// By chance, in proportion to the weights.
fn weighted<'a>(
    members: impl Iterator<Item = (usize, &'a Member)> + Clone,
    seed: u64,
) -> Option<Placed> {
    let total: u64 = members.clone().map(|(_, member)| u64::from(member.weight)).sum();
    let mut point = hash::of_seed(seed).checked_rem(total)?;
    for (at, member) in members {
        match point.checked_sub(u64::from(member.weight)) {
            Some(further) => point = further,
            None => return Some(Placed { member: at, seen: member.load.get() }),
        }
    }
    None
}

/// Weighted rendezvous: each member draws for the user, the best draw wins; a member that leaves moves only its own users.
fn by_user<'a>(members: impl Iterator<Item = (usize, &'a Member)>, user: &str) -> Option<Placed> {
    let scored = members.map(|(at, member)| {
        let draw = hash::of_user(user, member.name.as_str());
        // An exponential variate of rate `weight`: the smallest one wins with probability weight / sum of weights.
        (at, member, -draw.ln() / f64::from(member.weight))
    });
    let (at, member, _) = scored.min_by(|(.., a), (.., b)| a.total_cmp(b))?;
    Some(Placed { member: at, seen: member.load.get() })
}

#[cfg(test)]
mod tests;
