//! Instruction counts of what every request pays: reading a page's head, deciding, finding a query.
//!
//! They repeat on a noisy machine, so a change for the worse shows at once; how long something takes is `compare`'s
//! question. Needs valgrind and gungraun's runner: `make bench` brings both.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "the macros make public functions; a benchmark that cannot be set up ends"
)]

use std::{hint::black_box, io::Write, sync::Arc};

use flate2::{Compression, write::GzEncoder};
use gungraun::prelude::*;
use sluice::{
    metrics::Metrics,
    queries::{Query, Table, query::About},
    trino::{head::Head, page::Reader},
};
use sluice_routing::{
    Availability, BackendName, Condition, Decision, Facts, Field, Fleet, Group, GroupName, Load,
    Member, OnEmpty, QueryId, Rule, RuleSet, Select, StatementKind, decide,
};

/// Pages come from a socket in pieces of about this size.
const PIECE: usize = 16 * 1024;
/// More rules than most have; the last one claims the statement.
const RULES: usize = 100;
/// Queries of a busy quarter of an hour.
const QUERIES: u32 = 10_000;

fn page(rows: usize) -> Vec<u8> {
    let data =
        vec![r#"[123456789,"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"]"#; rows].join(",");
    let id = "20261121_090000_00001_abcde";
    format!(
        r#"{{"id":"{id}","infoUri":"http://trino:8080/ui/query.html?{id}","nextUri":"http://trino:8080/v1/statement/executing/{id}/yslug/1","columns":[{{"name":"a","type":"bigint","typeSignature":{{"rawType":"bigint","arguments":[]}}}}],"data":[{data}],"stats":{{"state":"RUNNING","queued":false}},"warnings":[]}}"#
    )
    .into_bytes()
}

/// A page that ends its query, of which everything must be walked.
fn last_page(rows: usize) -> Vec<u8> {
    let text = String::from_utf8(page(rows)).unwrap();
    text.replace("nextUri", "prevUri").into_bytes()
}

fn zipped(page: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(page).unwrap();
    gzip.finish().unwrap()
}

#[library_benchmark]
#[bench::small(None, page(10))]
#[bench::megabyte(None, page(16 << 10))]
#[bench::gzip(Some("gzip"), zipped(&page(16 << 10)))]
#[bench::last_megabyte(None, last_page(16 << 10))]
fn head_scan(encoding: Option<&str>, page: Vec<u8>) -> (Head, Vec<u8>) {
    let mut reader = Reader::new(black_box(encoding));
    for piece in page.chunks(PIECE) {
        if !reader.done() {
            reader.feed(piece);
        }
    }
    reader.finish();
    (black_box(reader.head().clone()), page)
}

fn rules() -> (RuleSet, Fleet) {
    let name = |number: usize| GroupName::parse(&format!("group-{number}")).unwrap();
    let rule = |number| Rule {
        name: format!("rule-{number}"),
        when: Condition::Is(Field::Source, vec![format!("source-{number}*")]),
        group: name(number),
    };
    let member = |number: usize| Member {
        name: BackendName::parse(&format!("backend-{number}")).unwrap(),
        weight: 1,
        availability: Availability::Ready,
        load: Load::default(),
    };
    let group = |number| Group {
        name: name(number),
        select: Select::LeastLoaded,
        on_empty: OnEmpty::Refuse,
        members: (0..10).map(member).collect(),
    };
    let rules = RuleSet::compile((0..RULES).map(rule).collect()).unwrap();
    (rules, Fleet { groups: (0..RULES).map(group).collect(), default_group: None })
}

#[library_benchmark]
#[bench::last_of_a_hundred_rules(rules())]
fn decision(asked: (RuleSet, Fleet)) -> (Decision, (RuleSet, Fleet)) {
    let source = format!("source-{}x", RULES - 1);
    let facts = Facts { source: Some(&source), user: Some("somebody"), ..Facts::new(&[]) };
    (black_box(decide(&asked.0, &asked.1, black_box(&facts), 0, 7)), asked)
}

fn id(number: u32) -> QueryId {
    QueryId::parse(&format!("20261121_090000_{number:05}_abcde")).unwrap()
}

fn table() -> Table {
    let metrics = Metrics::new().unwrap();
    let about = About {
        metrics: metrics.unknown(),
        kind: StatementKind::Query,
        accepted: tokio::time::Instant::now(),
        user: None,
        trace: None,
        span: None,
        origin: Default::default(),
    };
    let backend = BackendName::parse("backend").unwrap();
    let group = GroupName::parse("group").unwrap();
    let table = Table::default();
    for number in 0..QUERIES {
        let (backend, group) = (backend.clone(), group.clone());
        table.insert(Query::new(id(number), backend, group, about.clone(), None));
    }
    table
}

#[library_benchmark]
#[bench::one_of_ten_thousand(table())]
fn look_up(table: Table) -> (Option<Arc<Query>>, Table) {
    let found = table.get(black_box(table.present_id(id(QUERIES / 2))));
    (black_box(found), table)
}

library_benchmark_group!(name = request, benchmarks = [head_scan, decision, look_up]);
main!(library_benchmark_groups = request);
