//! Selection: even, weighted and steady, over many seeds.

use proptest::prelude::*;

use super::*;
use crate::{
    fleet::{Availability, Load, OnEmpty},
    ids::{BackendName, GroupName},
};

/// Draws per property: enough that a share strays by more than `BOUND` less than once in a million runs.
const DRAWS: u32 = 3_000;
const BOUND: f64 = 0.06;

fn group(select: Select, weights: &[u32]) -> Group {
    let members = weights.iter().enumerate().map(|(at, &weight)| Member {
        name: BackendName::parse(&format!("trino-{at}")).unwrap(),
        weight,
        availability: Availability::Ready,
        load: Load::default(),
    });
    Group {
        name: GroupName::parse("etl").unwrap(),
        select,
        on_empty: OnEmpty::Refuse,
        members: members.collect(),
    }
}

fn member(group: &Group, user: Option<&str>, seed: u64) -> Option<usize> {
    choose(group, user, seed, &[]).map(|placed| placed.member)
}

/// Chooses `DRAWS` times and compares each member's share with its weight's.
fn shares_follow_weights(group: &Group, draw: impl Fn(u32) -> usize) -> Result<(), TestCaseError> {
    let mut counts = vec![0_u32; group.members.len()];
    (0..DRAWS).for_each(|at| counts[draw(at)] += 1);
    let total: u32 = group.members.iter().map(|member| member.weight).sum();
    for (member, count) in group.members.iter().zip(counts) {
        let expected = f64::from(member.weight) / f64::from(total);
        let share = f64::from(count) / f64::from(DRAWS);
        prop_assert!((share - expected).abs() < BOUND, "{}: {share} for {expected}", member.name);
        prop_assert!(member.weight > 0 || count == 0);
    }
    Ok(())
}

fn weights() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(0_u32..6, 1..7)
        .prop_filter("some weight", |weights| weights.iter().any(|w| *w > 0))
}

#[test]
fn one_hundred_statements_in_a_row_split_evenly() {
    let group = group(Select::LeastLoaded, &[1; 4]);
    let guards: Vec<_> = (0..100)
        .map(|seed| {
            let placed = choose(&group, None, seed, &[]).unwrap();
            group.members[placed.member].load.try_take(placed.seen).unwrap()
        })
        .collect();
    assert!(group.members.iter().all(|member| member.load.get() == 25));
    drop(guards);
    assert!(group.members.iter().all(|member| member.load.get() == 0));
}

#[test]
fn one_hundred_statements_at_once_split_evenly() {
    let group = group(Select::LeastLoaded, &[1; 4]);
    let take = |seed: u64| {
        (seed..).step_by(100).find_map(|seed| {
            let placed = choose(&group, None, seed, &[]).unwrap();
            group.members[placed.member].load.try_take(placed.seen)
        })
    };
    let guards: Vec<_> = std::thread::scope(|threads| {
        let takers: Vec<_> =
            (0..100).map(|seed| threads.spawn(move || take(seed).unwrap())).collect();
        takers.into_iter().map(|taker| taker.join().unwrap()).collect()
    });
    assert!(group.members.iter().all(|member| member.load.get() == 25));
    drop(guards);
}

#[test]
fn the_least_loaded_for_its_weight_is_chosen() {
    let group = group(Select::LeastLoaded, &[1, 3]);
    let mut guards = Vec::new();
    for _ in 0..40 {
        let placed = choose(&group, None, 7, &[]).unwrap();
        guards.push(group.members[placed.member].load.take());
    }
    assert_eq!([group.members[0].load.get(), group.members[1].load.get()], [10, 30]);
}

#[test]
fn giant_weights_and_loads_do_not_overflow() {
    for select in [Select::LeastLoaded, Select::Weighted, Select::UserHash] {
        let group = group(select, &[u32::MAX; 3]);
        assert!((0..20).all(|seed| member(&group, Some("u"), seed).is_some()));
    }
}

#[test]
fn only_ready_members_with_weight_are_chosen() {
    for select in [Select::LeastLoaded, Select::Weighted, Select::UserHash] {
        for availability in [
            Availability::Starting,
            Availability::Unreachable,
            Availability::CircuitOpen,
            Availability::Draining,
            Availability::Inactive,
        ] {
            let mut group = group(select, &[0, 5, 1]);
            group.members[1].availability = availability;
            assert!((0..50).all(|seed| member(&group, Some("u"), seed) == Some(2)), "{select:?}");
        }
        assert_eq!(member(&group(select, &[0, 0]), Some("u"), 1), None);
        assert_eq!(member(&group(select, &[]), Some("u"), 1), None);
    }
}

#[test]
fn excluded_members_are_passed_over() {
    for select in [Select::LeastLoaded, Select::Weighted, Select::UserHash] {
        let group = group(select, &[1; 3]);
        for seed in 0..50 {
            assert_eq!(
                choose(&group, Some("u"), seed, &[0, 2]).map(|placed| placed.member),
                Some(1)
            );
        }
        assert_eq!(choose(&group, Some("u"), 1, &[0, 1, 2, 9]), None);
    }
}

#[test]
fn without_a_user_the_least_loaded_is_chosen() {
    let group = group(Select::UserHash, &[1; 3]);
    let _guards = [group.members[0].load.take(), group.members[2].load.take()];
    for user in [None, Some("")] {
        assert!((0..20).all(|seed| member(&group, user, seed) == Some(1)));
    }
}

#[test]
fn users_stay_where_they_were_in_other_releases_and_replicas() {
    let group = group(Select::UserHash, &[1, 1, 1, 2]);
    let places =
        ["will", "alice", "bob", "carol", "grüße", "x"].map(|user| member(&group, Some(user), 0));
    assert_eq!(places, [1, 2, 3, 1, 1, 0].map(Some));
}

#[test]
fn the_load_that_was_seen_comes_along() {
    for select in [Select::LeastLoaded, Select::Weighted, Select::UserHash] {
        let group = group(select, &[1]);
        let _guard = group.members[0].load.take();
        assert_eq!(choose(&group, Some("u"), 1, &[]), Some(Placed { member: 0, seen: 1 }));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn weighted_shares_hold_within_a_bound(weights in weights(), first: u64) {
        let group = group(Select::Weighted, &weights);
        shares_follow_weights(&group, |at| member(&group, None, first.wrapping_add(at.into())).unwrap())?;
    }

    #[test]
    fn ties_of_idle_members_follow_the_weights(weights in weights(), first: u64) {
        let group = group(Select::LeastLoaded, &weights);
        shares_follow_weights(&group, |at| member(&group, None, first.wrapping_add(at.into())).unwrap())?;
    }

    #[test]
    fn users_spread_by_the_weights(weights in weights(), salt in "[a-z]{0,8}") {
        let group = group(Select::UserHash, &weights);
        shares_follow_weights(&group, |at| member(&group, Some(&format!("{salt}{at}")), 0).unwrap())?;
    }

    #[test]
    fn a_backend_that_leaves_moves_its_own_users_only(size in 2_usize..8, leaver in 0_usize..8, salt in "[a-z]{0,8}") {
        let leaver = leaver % size;
        let before = group(Select::UserHash, &vec![1; size]);
        let mut after = before.clone();
        after.members.remove(leaver);
        let mut moved = 0_u32;
        for at in 0..DRAWS {
            let user = format!("{salt}{at}");
            let was = &before.members[member(&before, Some(&user), 0).unwrap()].name;
            let is = &after.members[member(&after, Some(&user), 1).unwrap()].name;
            prop_assert!(was == is || *was == before.members[leaver].name);
            moved += u32::from(was != is);
        }
        prop_assert!(f64::from(moved) / f64::from(DRAWS) <= 1.0 / size as f64 + BOUND);
    }

    #[test]
    fn least_loaded_never_strays_by_more_than_one_statement(weights in weights(), first: u64) {
        let group = group(Select::LeastLoaded, &weights);
        let mut guards = Vec::new();
        for at in 0..200 {
            let placed = choose(&group, None, first.wrapping_add(at), &[]).unwrap();
            guards.push(group.members[placed.member].load.try_take(placed.seen).unwrap());
        }
        for (a, b) in group.members.iter().flat_map(|a| group.members.iter().map(move |b| (a, b))) {
            let fair = a.load.get().saturating_sub(1) * u64::from(b.weight) <= b.load.get() * u64::from(a.weight);
            prop_assert!(fair || b.weight == 0);
        }
    }
}
