//! How a decision came about, as data for labels and as a sentence for people.
//!
//! A decision holds places only, so that making one allocates nothing; the sentence looks their names up.

use std::fmt;

use super::{Decision, Outcome};
use crate::{compile::RuleSet, fleet::Fleet};

/// How a decision came about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Why {
    /// Who claimed the statement.
    pub claimed_by: ClaimedBy,
    /// The place of the group that it was claimed for, when another serves it since that one is empty.
    pub fell_over_from: Option<usize>,
    /// The members of the serving group that could have been chosen.
    pub candidates: usize,
}

/// Who claimed a statement for its group.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ClaimedBy {
    /// The rule at that place.
    Rule(usize),
    /// The request itself, by its header.
    Header,
    /// The default.
    Default,
    /// Nobody.
    Nobody,
}

/// A decision as a sentence, with the names of what it speaks of.
#[derive(Clone, Copy, Debug)]
pub struct Explanation<'a> {
    decision: &'a Decision,
    rules: &'a RuleSet,
    fleet: &'a Fleet,
}

impl ClaimedBy {
    /// The value of the label `rule`: a rule's name, `header`, `default` or `nobody`.
    pub fn label(self, rules: &RuleSet) -> &str {
        match self {
            Self::Rule(at) => rules.get(at).map_or("nobody", |rule| rule.name.as_str()),
            Self::Header => "header",
            Self::Default => "default",
            Self::Nobody => "nobody",
        }
    }
}

impl Decision {
    /// The decision as a sentence; `rules` and `fleet` must be those that it was made with.
    pub fn explain<'a>(&'a self, rules: &'a RuleSet, fleet: &'a Fleet) -> Explanation<'a> {
        Explanation { decision: self, rules, fleet }
    }
}

impl Explanation<'_> {
    fn group(&self, at: Option<usize>) -> &str {
        at.and_then(|at| self.fleet.groups.get(at)).map_or("none", |group| group.name.as_str())
    }

    fn member(&self, at: usize) -> &str {
        let group = self.decision.group.and_then(|at| self.fleet.groups.get(at));
        group.and_then(|group| group.members.get(at)).map_or("none", |member| member.name.as_str())
    }
}

impl fmt::Display for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Decision { group, outcome, why } = self.decision;
        match why.claimed_by {
            ClaimedBy::Rule(_) => write!(f, "rule `{}`", why.claimed_by.label(self.rules))?,
            other => write!(f, "{other}")?,
        }
        if let Some(group) = why.fell_over_from.or(*group) {
            write!(f, " for group `{}`", self.group(Some(group)))?;
        }
        if why.fell_over_from.is_some() {
            write!(f, ", which is empty, so group `{}`", self.group(*group))?;
        }
        match outcome {
            Outcome::Forward(placed) => {
                write!(f, ": backend `{}` of {} ready", self.member(placed.member), why.candidates)
            }
            Outcome::Wake => f.write_str(": waits until one of its backends is awake"),
            Outcome::Refuse(refusal) => write!(f, ": {refusal}"),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "claimed by {}", self.claimed_by)?;
        if let Some(group) = self.fell_over_from {
            write!(f, ", group {} is empty", group + 1)?;
        }
        write!(f, ", {} ready", self.candidates)
    }
}

impl fmt::Display for ClaimedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule(at) => write!(f, "rule {}", at + 1),
            Self::Header => f.write_str("the request's header"),
            Self::Default => f.write_str("the default"),
            Self::Nobody => f.write_str("nobody"),
        }
    }
}
