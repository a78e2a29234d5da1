//! The fleet's sum: replicas that come, speak, hand over, fall silent and are forgotten.

#![allow(non_snake_case, reason = "tests bear the ids of the facts")]

use super::*;

const GROUP: &str = "adhoc";

/// A fleet as one replica sees it; the others speak by hand.
struct House {
    peers: Peers,
    own: Report,
    others: Vec<Report>,
    now: Instant,
}

impl House {
    fn new(others: usize) -> Self {
        let others = (0..others).map(|_| report()).collect();
        Self { peers: Peers::default(), own: report(), others, now: Instant::now() }
    }

    /// So many milliseconds pass, and these replicas say what they have to say.
    fn after(&mut self, millis: u64, speak: &[usize]) {
        self.now += Duration::from_millis(millis);
        speak.iter().for_each(|each| self.others[*each].sequence += 1);
        self.peers.read(self.others.clone(), self.now);
    }

    fn sum(&self) -> Demand {
        self.peers.sum(&self.own, GROUP, self.now)
    }

    fn standing(&self, of: usize) -> Standing {
        self.peers.standing(self.others[of].incarnation)
    }
}

fn report() -> Report {
    Report {
        incarnation: Incarnation::draw(),
        sequence: 1,
        leaving: false,
        groups: BTreeMap::new(),
        adopted: BTreeMap::new(),
        let_go: BTreeMap::new(),
    }
}

impl Report {
    fn share(&mut self) -> &mut Share {
        self.groups.entry(GROUP.into()).or_default()
    }

    fn runs(&mut self, queries: u64) {
        let share = self.share();
        (share.running, share.at_work) = (queries, queries);
        share.living = share.resuming + queries;
    }

    fn waits(&mut self, statements: u64) {
        let share = self.share();
        share.resuming = statements;
        share.living = share.running + statements;
    }
}

fn one(moves: &mut super::super::report::Moves, with: Incarnation, is_waiting: bool) {
    moves.entry(with).or_default().entry(GROUP.into()).or_default().count(is_waiting);
}

#[tokio::test]
async fn what_others_have_is_added() {
    let mut house = House::new(2);
    assert!(!house.peers.is_known(house.now));
    house.own.runs(1);
    house.others[0].runs(2);
    house.others[1].waits(3);
    house.after(0, &[]);
    assert!(house.peers.is_known(house.now) && house.peers.living() == 2);
    let sum = house.sum();
    assert_eq!((sum.in_flight, sum.resuming, sum.running, sum.demand), (6, 3, 3, 6));
    assert_eq!((sum.at_work, sum.is_unmet, sum.lingers), (3, false, false));
    assert_eq!(house.peers.sum(&house.own, "etl", house.now), Demand::default());
}

#[tokio::test]
async fn who_was_refused_or_has_ended_is_one_for_all_and_passes() {
    let mut house = House::new(2);
    house.others[0].share().unmet = 60_000;
    house.others[1].share().unmet = 60_000;
    house.others[1].share().linger = 90_000;
    house.after(0, &[]);
    let sum = house.sum();
    assert_eq!((sum.demand, sum.in_flight, sum.is_unmet, sum.lingers), (1, 0, true, false));
    house.now += Duration::from_secs(61);
    let sum = house.sum();
    assert_eq!((sum.demand, sum.is_unmet, sum.lingers), (1, false, true));
    house.own.runs(1);
    assert_eq!((house.sum().demand, house.sum().lingers), (1, false));
    house.own.runs(0);
    house.now += Duration::from_secs(30);
    assert_eq!(house.sum().demand, 0);
}

#[tokio::test]
async fn peers_L10_a_lost_replica_counts_until_its_queries_are_seen_elsewhere() {
    let mut house = House::new(2);
    house.others[0].runs(3);
    house.after(0, &[]);
    house.after(200, &[0, 1]);
    house.after(3100, &[1]);
    let lost = house.others[0].incarnation;
    assert_eq!((house.standing(0), house.standing(1)), (Standing::Lost, Standing::Living));
    assert_eq!(house.sum().in_flight, 3);
    // One is polled here, one at the other replica.
    house.own.runs(1);
    one(&mut house.own.adopted, lost, false);
    assert_eq!(house.sum().in_flight, 3);
    house.others[1].runs(1);
    one(&mut house.others[1].adopted, lost, false);
    house.after(200, &[1]);
    assert_eq!((house.sum().in_flight, house.sum().demand), (3, 3));
    // Those end; of the third nobody hears.
    house.own.runs(0);
    house.others[1].runs(0);
    house.after(200, &[1]);
    assert_eq!(house.sum().in_flight, 1);
    house.after(295_000, &[1]);
    assert_eq!(house.sum().in_flight, 1);
    house.after(5_000, &[1]);
    assert_eq!((house.sum().in_flight, house.standing(0)), (0, Standing::Unknown));
    // Its value may outlive that in the store.
    house.after(200, &[1]);
    assert_eq!(house.standing(0), Standing::Unknown);
    // One that had only slept is itself again.
    house.after(200, &[0, 1]);
    assert_eq!(house.standing(0), Standing::Living);
}

#[tokio::test]
async fn peers_L10_what_moves_counts_once_whoever_is_heard_of_first() {
    let mut house = House::new(2);
    house.others[0].runs(1);
    house.others[0].waits(2);
    house.after(0, &[]);
    let (from, to) = (house.others[0].incarnation, house.others[1].incarnation);
    let before = house.sum().in_flight;
    for first in [0, 1] {
        let mut told = [house.others[0].clone(), house.others[1].clone()];
        one(&mut told[0].let_go, to, true);
        told[0].share().resuming -= 1;
        told[0].share().living -= 1;
        one(&mut told[1].adopted, from, true);
        told[1].share().resuming += 1;
        told[1].share().living += 1;
        house.others[first] = told[first].clone();
        house.after(200, &[first]);
        assert_eq!(house.sum().in_flight, before, "{first} spoke first");
        house.others[1 - first] = told[1 - first].clone();
        house.after(200, &[1 - first]);
        assert_eq!((house.sum().in_flight, house.sum().demand), (before, before));
    }
}

#[tokio::test]
async fn peers_L11_a_replica_that_leaves_counts_on_until_its_queries_are_taken_over() {
    let mut house = House::new(1);
    house.others[0].runs(2);
    house.others[0].leaving = true;
    house.after(0, &[]);
    house.after(200, &[0]);
    assert_eq!((house.standing(0), house.peers.living()), (Standing::Leaving, 0));
    assert_eq!(house.sum().in_flight, 2);
    let gone = house.others[0].incarnation;
    house.own.runs(2);
    one(&mut house.own.adopted, gone, false);
    one(&mut house.own.adopted, gone, false);
    house.after(10_000, &[]);
    assert_eq!((house.standing(0), house.sum().in_flight), (Standing::Lost, 2));
}

#[tokio::test]
async fn whoever_cannot_read_takes_nobody_for_lost_and_after_a_while_knows_nothing() {
    let mut house = House::new(1);
    house.others[0].runs(1);
    house.after(0, &[]);
    house.after(200, &[0]);
    house.now += Duration::from_secs(200);
    assert_eq!((house.standing(0), house.sum().in_flight), (Standing::Living, 1));
    assert!(house.peers.is_known(house.now));
    house.now += Duration::from_secs(100);
    assert!(!house.peers.is_known(house.now));
}

#[tokio::test]
async fn of_a_replica_that_never_spoke_again_only_its_value_is_known() {
    let mut house = House::new(1);
    house.others[0].runs(1);
    house.after(0, &[]);
    house.after(4000, &[]);
    assert_eq!((house.standing(0), house.sum().in_flight), (Standing::Lost, 1));
    house.others.clear();
    house.after(200, &[]);
    assert_eq!(house.sum().in_flight, 0);
}

#[tokio::test]
async fn when_others_ran_is_told_by_their_own_clocks() {
    let mut house = House::new(1);
    house.others[0].share().ran = Some(500);
    let now = house.now;
    house.after(1000, &[]);
    assert!(house.peers.has_run_since(GROUP, now + Duration::from_millis(400)));
    assert!(!house.peers.has_run_since(GROUP, now + Duration::from_millis(600)));
}
