//! One seeded run: users come, arrive, depart, are served, given back and leave; every step is checked.

use super::*;

const USERS: usize = 7;
const STEPS: usize = 600;

/// What may happen.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Mix {
    /// All but dispatches that fail: shares can be compared exactly.
    NothingFails,
    Everything,
}

/// Splitmix64: the pure crate has no source of chance.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % most as u64).unwrap()
    }

    fn of(&mut self, tickets: &BTreeSet<u64>) -> Option<u64> {
        let at = self.below(tickets.len().max(1));
        tickets.iter().nth(at).copied()
    }
}

/// What must be true of the queue, kept in the plainest way.
#[derive(Default)]
struct Truth {
    user_of: BTreeMap<u64, usize>,
    absent: BTreeSet<u64>,
    there: BTreeSet<u64>,
    served: BTreeSet<u64>,
    gone: u64,
    given_back: usize,
    /// Turns of each pair of users since both have been there without a break.
    turns: [[i64; USERS]; USERS],
    /// Turns that went by while a ticket was there, and what may go before it.
    passed: BTreeMap<u64, (usize, usize)>,
}

impl Truth {
    fn is_there(&self, user: usize) -> bool {
        self.there.iter().any(|ticket| self.user_of[ticket] == user)
    }

    fn arrives(&mut self, ticket: u64) {
        self.absent.remove(&ticket);
        self.there.insert(ticket);
        let user = self.user_of[&ticket];
        let own_before = self.user_of.range(..ticket).filter(|(_, of)| **of == user).count();
        // Each other user: a turn for each of ours, one of the round under way, and those that it got back.
        let most = (own_before + 2) * USERS + 2 * self.given_back;
        self.passed.insert(ticket, (0, most));
    }

    fn is_served(&mut self, ticket: u64, mix: Mix) {
        let user = self.user_of[&ticket];
        let first = self.there.iter().find(|other| self.user_of[other] == user);
        assert_eq!(first, Some(&ticket), "in order within a user");
        for other in (0..USERS).filter(|other| *other != user) {
            self.turns[user][other] += 1;
            let ahead = self.turns[user][other] - self.turns[other][user];
            let both = self.is_there(user) && self.is_there(other);
            // One, and one more that the other had in the round in which they met.
            let fair = mix == Mix::Everything || !both || ahead <= 2;
            assert!(fair, "{user} is {ahead} ahead of {other}");
        }
        self.there.remove(&ticket);
        self.served.insert(ticket);
        self.passed.remove(&ticket);
        for (passed, most) in self.passed.values_mut() {
            *passed += 1;
            assert!(passed <= most, "one waits for ever");
        }
    }

    /// Whoever is not there compares with nobody.
    fn forget_shares(&mut self) {
        for user in (0..USERS).filter(|user| !self.is_there(*user)).collect::<Vec<_>>() {
            for other in 0..USERS {
                self.turns[user][other] = 0;
                self.turns[other][user] = 0;
            }
        }
    }

    fn leaves(&mut self, ticket: u64) {
        let was = [&mut self.absent, &mut self.there, &mut self.served];
        assert_eq!(was.into_iter().filter_map(|set| set.take(&ticket)).count(), 1);
        self.user_of.remove(&ticket);
        self.passed.remove(&ticket);
        self.gone += 1;
    }

    fn waiting(&self) -> BTreeSet<u64> {
        self.absent.union(&self.there).copied().collect()
    }

    fn check(&self, queue: &Queue<u64>) {
        assert_eq!(queue.len(), self.user_of.len());
        assert_eq!(queue.waiting(), self.absent.len() + self.there.len());
        assert_eq!(queue.oldest(), self.user_of.keys().next().copied());
        assert_eq!(queue.is_anybody_there(), !self.there.is_empty());
        let users: BTreeSet<_> = self.user_of.values().collect();
        assert_eq!((queue.lines.len(), queue.tickets.len()), (users.len(), self.user_of.len()));
        assert!(queue.ready.len() <= users.len());
        let mut positions: Vec<_> =
            self.waiting().into_iter().map(|ticket| queue.position(ticket).unwrap()).collect();
        positions.sort_unstable();
        assert!(positions.iter().copied().eq(1..=positions.len()), "{positions:?}");
    }
}

/// One run.
pub(super) fn simulate(seed: u64, mix: Mix) {
    let (mut chance, mut queue, mut truth) = (Chance(seed), Queue::default(), Truth::default());
    let busy = 1 + chance.below(8);
    for ticket in 0..STEPS as u64 {
        step(&mut chance, &mut queue, &mut truth, mix, ticket, busy);
        truth.forget_shares();
        if ticket % 8 == 0 {
            truth.check(&queue);
        }
    }
    drain(&mut queue, &mut truth, mix);
}

fn step(
    chance: &mut Chance,
    queue: &mut Queue<u64>,
    truth: &mut Truth,
    mix: Mix,
    ticket: u64,
    busy: usize,
) {
    match chance.below(8 + busy) {
        0 | 1 => {
            // Some users have many statements, some few.
            let (one, other) = (chance.below(USERS), chance.below(USERS));
            truth.user_of.insert(ticket, one.min(other));
            truth.absent.insert(ticket);
            queue.enter(&one.min(other).to_string(), ticket);
        }
        2 | 3 => {
            if let Some(ticket) = chance.of(&truth.absent) {
                queue.arrive(ticket);
                truth.arrives(ticket);
            }
        }
        4 => {
            if let Some(ticket) = chance.of(&truth.there) {
                queue.depart(ticket);
                truth.there.remove(&ticket);
                truth.absent.insert(ticket);
                truth.passed.remove(&ticket);
            }
        }
        5 if mix == Mix::Everything => {
            if let Some(ticket) = chance.of(&truth.served) {
                if chance.below(4) == 0 {
                    queue.forfeit(ticket);
                } else {
                    queue.give_back(ticket);
                }
                truth.served.remove(&ticket);
                truth.absent.insert(ticket);
                truth.given_back += 1;
                truth.passed.values_mut().for_each(|(_, most)| *most += 2);
            }
        }
        5 | 6 => {
            let all = truth.user_of.keys().copied().collect();
            if let Some(ticket) = chance.of(&all) {
                queue.leave(ticket);
                truth.leaves(ticket);
            }
        }
        _ => match queue.serve() {
            Some(ticket) => truth.is_served(ticket, mix),
            None => assert!(truth.there.is_empty()),
        },
    }
}

/// All arrive, all are served, all leave: nothing is left, and nothing was lost.
fn drain(queue: &mut Queue<u64>, truth: &mut Truth, mix: Mix) {
    for ticket in truth.absent.clone() {
        queue.arrive(ticket);
        truth.arrives(ticket);
    }
    truth.forget_shares();
    while let Some(ticket) = queue.serve() {
        truth.is_served(ticket, mix);
        truth.forget_shares();
    }
    assert!(truth.there.is_empty(), "{:?} are lost", truth.there);
    for ticket in truth.served.clone() {
        queue.leave(ticket);
        truth.leaves(ticket);
    }
    truth.check(queue);
    assert!(queue.is_empty() && queue.lines.is_empty() && truth.gone <= STEPS as u64);
}
