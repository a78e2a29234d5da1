//! The fair order, by hand and under chance: 256 seeds a run, and a failing run says which one it was.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

mod simulation;

use simulation::{Mix, simulate};

/// Enters and is there.
fn come(queue: &mut Queue<u64>, user: &str, ticket: u64) {
    queue.enter(user, ticket);
    queue.arrive(ticket);
}

fn serve_all(queue: &mut Queue<u64>) -> Vec<u64> {
    let mut served = Vec::new();
    while let Some(ticket) = queue.serve() {
        queue.leave(ticket);
        served.push(ticket);
    }
    served
}

#[test]
fn users_take_turns_and_each_is_served_in_order() {
    let mut queue = Queue::default();
    for (user, ticket) in [("a", 1), ("a", 2), ("a", 3), ("b", 4), ("b", 5), ("c", 6)] {
        come(&mut queue, user, ticket);
    }
    let positions: Vec<_> = (1..=6).map(|ticket| queue.position(ticket).unwrap()).collect();
    assert_eq!(positions, [1, 4, 6, 2, 5, 3]);
    assert_eq!((queue.len(), queue.users(), queue.of_user("a")), (6, 3, 3));
    assert_eq!(serve_all(&mut queue), [1, 4, 6, 2, 5, 3]);
    assert!(queue.is_empty() && queue.users() == 0 && !queue.is_anybody_there());
}

#[test]
fn an_absent_one_keeps_its_place_and_holds_nobody_up() {
    let mut queue = Queue::default();
    (1..=3).for_each(|ticket| come(&mut queue, "a", ticket));
    queue.depart(1);
    assert_eq!(queue.position(1), Some(1));
    assert_eq!(queue.serve(), Some(2));
    queue.arrive(1);
    assert_eq!(queue.serve(), Some(1));
    assert_eq!(queue.oldest(), Some(1));
}

#[test]
fn one_that_is_given_back_has_its_old_place_and_its_turn() {
    let mut queue = Queue::default();
    for (user, ticket) in [("a", 1), ("a", 2), ("b", 3)] {
        come(&mut queue, user, ticket);
    }
    assert_eq!(queue.serve(), Some(1));
    assert_eq!((queue.position(1), queue.len()), (None, 3));
    assert_eq!((queue.waiting(), queue.of_user("a")), (2, 1));
    queue.arrive(1); // it is being dispatched: nothing to arrive for
    queue.give_back(1);
    assert_eq!(queue.position(1), Some(1));
    assert_eq!(queue.serve(), Some(2), "it is absent until it arrives");
    queue.give_back(2);
    queue.arrive(1);
    queue.arrive(2);
    assert_eq!(serve_all(&mut queue), [1, 3, 2]);
}

#[test]
fn one_that_forfeits_its_turn_has_its_place_but_lets_the_others_go_first() {
    let mut queue = Queue::default();
    for (user, ticket) in [("a", 1), ("a", 2), ("b", 3)] {
        come(&mut queue, user, ticket);
    }
    assert_eq!(queue.serve(), Some(1));
    queue.forfeit(1);
    queue.arrive(1);
    assert_eq!(serve_all(&mut queue), [3, 1, 2]);
}

#[test]
fn turns_are_not_saved_up_by_staying_away() {
    let mut queue = Queue::default();
    (1..=10).for_each(|ticket| come(&mut queue, "a", ticket));
    (11..=20).for_each(|ticket| queue.enter("b", ticket));
    assert_eq!((0..6).map_while(|_| queue.serve()).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    (11..=20).for_each(|ticket| queue.arrive(ticket));
    assert_eq!((0..4).map_while(|_| queue.serve()).collect::<Vec<_>>(), [7, 11, 8, 12]);
}

#[test]
fn users_that_are_forgotten_in_between_do_not_starve_one_with_a_backlog() {
    let mut queue = Queue::default();
    let mut tickets = 1_u64..;
    let mut ticket = || tickets.next().unwrap();
    let backlog: Vec<u64> = (0..50).map(|_| ticket()).collect();
    backlog.iter().for_each(|ticket| come(&mut queue, "backlog", *ticket));
    let mut next = [ticket(), ticket()];
    come(&mut queue, "x", next[0]);
    come(&mut queue, "y", next[1]);
    let mut of_backlog = 0;
    for _ in 0..60 {
        let served = queue.serve().unwrap();
        queue.leave(served);
        let Some(who) = next.iter().position(|ticket| *ticket == served) else {
            of_backlog += 1;
            continue;
        };
        next[who] = ticket();
        come(&mut queue, ["x", "y"][who], next[who]);
    }
    assert_eq!(of_backlog, 20);
}

/// Peers L5: trino-lb lets a new POST overtake, and its oldest waiter polls least often.
#[test]
fn peers_l5_a_new_statement_never_overtakes() {
    let mut queue = Queue::default();
    (1..=100).for_each(|ticket| come(&mut queue, "a", ticket));
    let mut newest = 100;
    for expected in 1..=100 {
        newest += 1;
        come(&mut queue, "a", newest);
        assert_eq!(queue.serve(), Some(expected));
    }
}

/// Peers L6: a group that serves nobody costs what waits and nothing more, and nothing once all have left.
#[test]
fn peers_l6_what_has_left_costs_nothing() {
    let mut queue = Queue::default();
    for ticket in 0..20_000_u64 {
        come(&mut queue, &format!("user-{ticket}"), ticket);
        if ticket >= 100 {
            queue.leave(ticket - 100);
        }
        assert!(queue.users() <= 101 && queue.len() <= 101 && queue.ready.len() <= 101);
    }
    (0..20_000).for_each(|ticket| queue.leave(ticket));
    assert!(queue.is_empty() && queue.lines.is_empty() && queue.ready.is_empty());
}

/// Test 8 of scale-from-zero 13.
#[test]
fn scale_8_ten_thousand_held_queries_share_one_slot() {
    let mut queue = Queue::default();
    let user_of = |ticket: u64| format!("user-{}", (ticket * ticket) % 37 % 20);
    (0..10_000).for_each(|ticket| come(&mut queue, &user_of(ticket), ticket));
    let mut left: BTreeMap<String, u64> = BTreeMap::new();
    (0..10_000).for_each(|ticket| *left.entry(user_of(ticket)).or_default() += 1);
    let mut had: BTreeMap<String, u64> = left.keys().map(|user| (user.clone(), 0)).collect();
    let mut last: BTreeMap<String, u64> = BTreeMap::new();
    for at in 0..10_000_usize {
        let promised = queue.ready.first().and_then(|(_, ticket)| queue.position(*ticket));
        assert_eq!(promised, Some(1), "what a waiting query was told at step {at}");
        let ticket = queue.serve().unwrap();
        queue.leave(ticket);
        let user = user_of(ticket);
        assert!(last.insert(user.clone(), ticket).is_none_or(|before| before < ticket));
        *had.get_mut(&user).unwrap() += 1;
        let waiting = had.iter().filter(|(user, had)| **had < left[*user]).map(|(_, had)| *had);
        let (least, most) = (waiting.clone().min(), waiting.max());
        assert!(most.unwrap_or(0) - least.unwrap_or(0) <= 1, "{had:?}");
    }
    assert!(queue.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn users_that_begin_together_never_differ_by_more_than_one_turn(users in 2_u64..12, seed: u64) {
        let mut queue = Queue::default();
        let user_of = |ticket: u64| (ticket ^ seed) % users;
        (0..users * 20).for_each(|ticket| come(&mut queue, &user_of(ticket).to_string(), ticket));
        let mut had = BTreeMap::<u64, u64>::new();
        while let Some(ticket) = queue.serve() {
            *had.entry(user_of(ticket)).or_default() += 1;
            let waiting = (0..users).filter(|user| queue.lines[&*user.to_string()].is_there());
            let had = waiting.map(|user| had.get(&user).copied().unwrap_or(0)).collect::<BTreeSet<_>>();
            prop_assert!(had.last().unwrap_or(&0) - had.first().unwrap_or(&0) <= 1, "{had:?}");
        }
    }

    #[test]
    fn users_that_are_there_all_the_time_are_served_equally(seed: u64) {
        simulate(seed, Mix::NothingFails);
    }

    #[test]
    fn nothing_is_lost_and_nobody_starves_whatever_happens(seed: u64) {
        simulate(seed, Mix::Everything);
    }
}
