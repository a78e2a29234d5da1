//! One record for each id, and what a million of them need.

use std::{fs, hint::black_box, sync::Arc, time::Duration};

use sluice_routing::{BackendName, GroupName, StatementKind};
use tokio::time::Instant;

use super::*;
use crate::{
    metrics::{GroupMetrics, Metrics},
    queries::query::About,
};

fn metrics() -> Arc<GroupMetrics> {
    Metrics::new().unwrap().group("etl")
}

/// The id of that number; all are of one coordinator.
fn id(number: usize) -> QueryId {
    let text = format!("20261123_{:06}_{:05}_abcde", number / 100_000, number % 100_000);
    QueryId::parse(&text).unwrap()
}

/// Shared by all, as those of a configuration are.
fn names() -> (BackendName, GroupName) {
    (BackendName::parse("backend").unwrap(), GroupName::parse("etl").unwrap())
}

/// A query that has ended, as most have that are remembered.
fn ended(number: usize, metrics: &Arc<GroupMetrics>, names: &(BackendName, GroupName)) -> Query {
    let about = About {
        metrics: Arc::clone(metrics),
        kind: StatementKind::Other,
        accepted: Instant::now(),
        user: Some("somebody".into()),
        trace: None,
        span: None,
        origin: Default::default(),
    };
    let (backend, group) = names.clone();
    Query::new(id(number), backend, group, about, None)
}

#[test]
fn of_two_records_of_one_id_the_first_stays_and_it_can_be_forgotten() {
    let (table, metrics) = (Table::default(), metrics());
    let names = names();
    let first = table.insert(ended(1, &metrics, &names));
    let second = table.insert(ended(1, &metrics, &names));
    assert!(Arc::ptr_eq(&first, &second));
    let other = table.insert(ended(2, &metrics, &names));
    assert!(Arc::ptr_eq(&table.get(id(2)).unwrap(), &other));
    assert_eq!((table.len(), table.get(id(3)).is_none()), (2, true));
    table.retain(|query| query.id != id(1));
    assert_eq!((table.len(), table.get(id(1)).is_none()), (1, true));
}

fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

#[test]
#[ignore = "figures"]
fn a_million_queries() {
    const LOOKS: usize = 100_000;
    let (table, metrics) = (Table::default(), metrics());
    let names = names();
    let before = resident();
    let mut tracked = 0;
    for many in [1_000, 10_000, 100_000, 1_000_000] {
        let began = Instant::now();
        (tracked..many).for_each(|number| drop(table.insert(ended(number, &metrics, &names))));
        let inserted = began.elapsed() / u32::try_from(many - tracked).unwrap();
        tracked = many;
        let wanted: Vec<QueryId> = (0..LOOKS).map(|_| id(fastrand::usize(..many))).collect();
        let began = Instant::now();
        wanted.iter().for_each(|id| drop(black_box(table.get(*id))));
        let found = began.elapsed() / u32::try_from(LOOKS).unwrap();
        let began = Instant::now();
        let now = Instant::now();
        table.retain(|query| query.is_in_flight() || query.silence(now) < Duration::from_secs(900));
        let walked = began.elapsed();
        let each = resident().saturating_sub(before) / many;
        println!(
            "{many}: insert {inserted:?}, look-up {found:?}, walk {walked:?}, {each} bytes each"
        );
    }
}
