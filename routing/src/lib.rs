//! The pure core of Sluice: facts in, decision out.
//!
//! In reading order: [`ids`] are what requests and the configuration name; [`facts`] are what is known of a request;
//! [`sql`] is what its statement shows; [`rules`] are what operators write and [`compile`] makes ready; [`fleet`]
//! is what there is to choose from; [`place`] chooses one member of a group; [`queue`] says who of those that wait comes next and [`release`] how many a backend
//! gets at once; [`mod@decide`] puts it all together.
//!
//! Nothing here does I/O, waits, or asks for the time, the environment or chance: time and seed are arguments, so
//! that the same arguments always give the same decision. Nothing panics, and everything is linear in its input.
//!
//! ```
//! use sluice_routing::*;
//!
//! // ids: a request that names a query goes to the coordinator that minted its id.
//! let target = ("/v1/statement/executing/20241030_150409_00000_zhg55/y0/1", None);
//! let id = query_id_of(target.0, target.1).ok_or("names no query")?;
//! assert_eq!(id.suffix().as_str(), "zhg55");
//!
//! // facts: what is known of a new statement.
//! let facts = Facts { user: Some("will"), source: Some("airflow-3"), ..Facts::new(&[]) };
//!
//! // sql: what the statement itself shows.
//! assert_eq!(kind("INSERT INTO t SELECT 1"), StatementKind::Insert);
//! let kill = "CALL system.runtime.kill_query('20241030_150409_00000_zhg55')";
//! assert_eq!(kill_query(kill, None, None), Some(id));
//!
//! // rules and compile: who goes where; the first match wins.
//! let group = GroupName::parse("etl").ok_or("no group name")?;
//! let when = Condition::Is(Field::Source, vec!["airflow*".into(), "dbt*".into()]);
//! let rule = Rule { name: "airflow".into(), when, group: group.clone() };
//! let rules = RuleSet::compile(vec![rule]).map_err(|errors| format!("{errors:?}"))?;
//!
//! // fleet: what there is to choose from.
//! let name = BackendName::parse("trino-a").ok_or("no backend name")?;
//! let load = Load::default();
//! let ready = Member { name, weight: 1, availability: Availability::Ready, load: load.clone() };
//! let etl = Group { name: group, select: Select::LeastLoaded, on_empty: OnEmpty::Refuse, members: vec![ready] };
//! let fleet = Fleet { groups: vec![etl], default_group: None };
//!
//! // decide and place: one value for labels, spans, logs and answers.
//! let (now, seed) = (1_730_300_649_000, 42);
//! let decision = decide(&rules, &fleet, &facts, now, seed);
//! assert_eq!(
//!     decision.explain(&rules, &fleet).to_string(),
//!     "rule `airflow` for group `etl`: backend `trino-a` of 1 ready"
//! );
//!
//! // What was decided is then taken; a load that moved meanwhile asks for another choice.
//! let Outcome::Forward(placed) = decision.outcome else { return Err("refused".into()) };
//! let guard = load.try_take(placed.seen).ok_or("somebody was faster")?;
//! assert_eq!(load.get(), 1);
//! drop(guard);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

pub mod ids;

pub mod facts;

pub mod sql;

mod matcher;

pub mod rules;

pub mod compile;

pub mod fleet;

pub mod place;

pub mod queue;

pub mod release;

pub mod decide;

pub use self::{
    compile::{RuleError, RuleSet},
    decide::{ClaimedBy, Decision, Explanation, Outcome, Refusal, Why, decide},
    facts::{Facts, Headers},
    fleet::{Availability, Fleet, Group, Load, LoadGuard, Member, OnEmpty, Select},
    ids::{BackendName, CoordinatorId, GroupName, QueryId, query_id_of},
    place::{Placed, choose},
    queue::Queue,
    release::Ramp,
    rules::{Condition, Field, Rule},
    sql::{StatementKind, kill_message, kill_query, kind, kind_of, mask},
};
