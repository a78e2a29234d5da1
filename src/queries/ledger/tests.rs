//! What counts, what is demand, and for how long.

use std::time::Duration;

use sluice_routing::Load;

use super::*;

fn group(name: &str) -> GroupName {
    GroupName::parse(name).unwrap()
}

#[test]
fn ledger_l1_l2_a_lease_counts_from_its_opening_to_its_drop() {
    let ledger = Arc::new(Ledger::default());
    let etl = group("etl");
    let lease = ledger.open(&etl);
    assert_eq!(ledger.counts()[&etl][0], 1);
    lease.set_state(State::Running);
    assert_eq!(ledger.counts()[&etl], [0, 0, 0, 0, 0, 0, 1, 0, 0]);
    drop(lease);
    assert_eq!(ledger.total(), 0);
    assert!(ledger.counts().is_empty());
}

#[test]
fn every_state_of_trino_has_a_column() {
    for (state, name) in [
        (State::Queued, "QUEUED"),
        (State::WaitingForResources, "WAITING_FOR_RESOURCES"),
        (State::Running, "RUNNING"),
        (State::Finishing, "FINISHING"),
        (State::Unknown, "UNKNOWN"),
    ] {
        assert_eq!(STATES[usize::from(index(state))], name);
    }
}

#[test]
fn peers_x5_counts_read_under_load_are_never_below_the_truth() {
    let ledger = Arc::new(Ledger::default());
    let etl = group("etl");
    let held: Vec<Lease> = (0..50).map(|_| ledger.open(&etl)).collect();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..2_000 {
                    for lease in &held {
                        lease.set_state(State::Planning);
                    }
                }
            });
        }
        for _ in 0..200 {
            assert_eq!(ledger.counts()[&etl].iter().sum::<u64>(), 50);
        }
    });
}

#[tokio::test(start_paused = true)]
async fn all_groups_at_once_are_told_as_each_one_is() {
    let ledger = Arc::new(Ledger::default());
    let names = ["etl", "idle", "refused", "lingers", "unheard"].map(group);
    let [etl, _, refused, lingers, unheard] = &names;
    let leases: Vec<Lease> = (0..3).map(|_| ledger.open(etl)).collect();
    leases[0].set_state(State::Running);
    leases[1].set_state(State::Queued);
    ledger.unmet(refused, Instant::now());
    drop(ledger.open(lingers));
    let now = Instant::now();
    let all = ledger.demands(now);
    for name in &names {
        let told = all.get(name).copied().unwrap_or_default();
        assert_eq!(told, ledger.demand(name, now), "{name}");
    }
    assert_eq!((all[etl].in_flight, all[refused].demand, all[lingers].demand), (3, 1, 1));
    assert!(!all.contains_key(unheard));
}

async fn seconds(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
}

fn demand(ledger: &Ledger, group: &GroupName) -> u64 {
    ledger.demand(group, Instant::now()).demand
}

#[tokio::test(start_paused = true)]
async fn ledger_l5_a_silent_waiting_statement_is_no_demand_until_it_returns() {
    let (ledger, etl) = (Arc::new(Ledger::default()), group("etl"));
    let lease = ledger.open(&etl);
    seconds(600).await;
    assert_eq!(demand(&ledger, &etl), 1, "it is not held, or its client is there");
    lease.client_away(Instant::now());
    seconds(59).await;
    assert_eq!(demand(&ledger, &etl), 1);
    seconds(1).await;
    let silent = Demand { in_flight: 1, resuming: 1, ..Demand::default() };
    assert_eq!(ledger.demand(&etl, Instant::now()), silent);
    lease.client_here();
    assert_eq!(demand(&ledger, &etl), 1);
    lease.client_away(Instant::now());
    lease.set_state(State::Running);
    seconds(600).await;
    assert_eq!(demand(&ledger, &etl), 1, "a coordinator has it");
}

#[tokio::test(start_paused = true)]
async fn ledger_l4_one_that_is_shut_out_is_in_flight_but_no_demand() {
    let (ledger, etl) = (Arc::new(Ledger::default()), group("etl"));
    let lease = ledger.open(&etl);
    lease.shut_out();
    assert_eq!(ledger.demand(&etl, Instant::now()).in_flight, 1);
    assert_eq!(demand(&ledger, &etl), 0);
    lease.client_here();
    assert_eq!(demand(&ledger, &etl), 1);
}

#[tokio::test(start_paused = true)]
async fn ledger_l6_a_refused_statement_is_demand_for_a_while() {
    let (ledger, etl) = (Arc::new(Ledger::default()), group("etl"));
    ledger.unmet(&etl, Instant::now());
    seconds(30).await;
    ledger.unmet(&etl, Instant::now());
    let lease = ledger.open(&etl);
    assert_eq!(demand(&ledger, &etl), 2);
    seconds(59).await;
    assert_eq!(demand(&ledger, &etl), 2);
    seconds(1).await;
    assert_eq!((demand(&ledger, &etl), demand(&ledger, &group("other"))), (1, 0));
    drop(lease);
}

#[tokio::test(start_paused = true)]
async fn ledger_l7_the_last_query_lingers() {
    let (ledger, etl) = (Arc::new(Ledger::default()), group("etl"));
    let (one, other) = (ledger.open(&etl), ledger.open(&etl));
    drop(one);
    assert_eq!(demand(&ledger, &etl), 1, "nothing is padded while something lives");
    seconds(100).await;
    drop(other);
    let lingering = Demand { demand: 1, lingers: true, ..Demand::default() };
    assert_eq!(ledger.demand(&etl, Instant::now()), lingering);
    ledger.unmet(&etl, Instant::now());
    assert_eq!(demand(&ledger, &etl), 1);
    seconds(60).await;
    assert_eq!(demand(&ledger, &etl), 0);
}

#[tokio::test(start_paused = true)]
async fn a_group_that_is_held_down_wants_only_what_runs() {
    let (ledger, etl) = (Arc::new(Ledger::default()), group("etl"));
    let (waiting, running) = (ledger.open(&etl), ledger.open(&etl));
    running.set_state(State::Running);
    ledger.unmet(&etl, Instant::now());
    ledger.with_side(&etl, |side| side.hold_down(true));
    let numbers = ledger.demand(&etl, Instant::now());
    assert_eq!((numbers.in_flight, numbers.resuming, numbers.demand), (2, 1, 1));
    drop((waiting, running));
    assert_eq!(demand(&ledger, &etl), 0, "it does not linger");
}

#[tokio::test(start_paused = true)]
async fn a_pulse_is_seen_for_a_minute() {
    let (ledger, etl) = (Arc::new(Ledger::default()), group("etl"));
    let steady = ledger.open(&etl);
    drop((0..4).map(|_| ledger.open(&etl)).collect::<Vec<_>>());
    for _ in 0..6 {
        assert_eq!(ledger.peak(&etl, Instant::now()), 5);
        seconds(10).await;
    }
    assert_eq!(ledger.peak(&etl, Instant::now()), 5);
    seconds(10).await;
    assert_eq!(ledger.peak(&etl, Instant::now()), 1);
    seconds(1_000).await;
    drop(steady);
    assert_eq!(ledger.peak(&etl, Instant::now()), 1, "it lived within the last minute");
    seconds(70).await;
    assert_eq!(ledger.peak(&etl, Instant::now()), 0);
    assert_eq!(ledger.peak(&group("other"), Instant::now()), 0);
}

#[tokio::test(start_paused = true)]
async fn a_place_is_told_of_after_it_is_free_and_only_if_awaited() {
    let (ledger, load) = (Arc::new(Ledger::default()), Load::default());
    let told = || tokio::time::timeout(Duration::from_millis(1), ledger.freed());
    let lease = ledger.open(&group("etl"));
    lease.place(load.take());
    lease.displace();
    assert!(told().await.is_err(), "nobody waits");
    let awaiting = ledger.awaits();
    lease.place(load.take());
    drop(lease);
    assert!(told().await.is_ok());
    assert_eq!(load.get(), 0);
    drop(ledger.open(&group("etl")));
    assert!(told().await.is_err(), "it had no place");
    drop(awaiting);
    assert!(!ledger.is_awaited());
}
