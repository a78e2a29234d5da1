//! The pure core of Sluice: facts in, decision out.
#![forbid(unsafe_code)]

pub mod compile;
pub mod decide;
pub mod facts;
pub mod fleet;
pub mod ids;
mod matcher;
pub mod place;
pub mod rules;
pub mod sql;

pub use self::{
    compile::{RuleError, RuleSet},
    decide::{ClaimedBy, Decision, Explanation, Outcome, Refusal, Why, decide},
    facts::{Facts, Headers},
    fleet::{Availability, Fleet, Group, Load, LoadGuard, Member, OnEmpty, Select},
    ids::{BackendName, CoordinatorId, GroupName, QueryId, query_id_of},
    place::{Placed, choose},
    rules::{Condition, Field, Rule},
    sql::{StatementKind, kill_query, kind, kind_of},
};
