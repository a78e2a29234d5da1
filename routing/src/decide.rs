//! Facts in, decision out: the group that serves a statement, the member that takes it, and why.
//!
//! Rules are asked first, then the group that the request itself names, then the default. A group without a member
//! to choose hands on to its `onEmpty` group, never silently: the decision says so. The same value feeds metric
//! labels, spans, log lines and answers. Nothing is taken, sent or woken here.

mod why;

pub use self::why::{ClaimedBy, Explanation, Why};
use crate::{
    compile::RuleSet,
    facts::Facts,
    fleet::{Availability, Fleet, Group, Member, OnEmpty},
    place::{Placed, choose},
};

/// What becomes of a statement.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Decision {
    /// The place of the group that serves it, after `onEmpty`; when none can, of the group that it belongs to.
    pub group: Option<usize>,
    /// Whether it goes anywhere.
    pub outcome: Outcome,
    /// How it came to that.
    pub why: Why,
}

/// Whether a statement goes anywhere.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// To that member of the group.
    Forward(Placed),
    /// To the group's waiting room: no member takes statements yet, and one can be woken.
    Wake,
    /// Nowhere.
    Refuse(Refusal),
}

/// Why a statement goes nowhere.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// Nothing claims it and there is no default.
    #[error("no rule claims it, it names no routing group, and there is no default")]
    NoRule,
    /// The group that it names, or that a rule names, does not exist.
    #[error("the routing group does not exist")]
    UnknownGroup,
    /// Its group has no member that takes statements.
    #[error("no backend of the routing group takes statements{}", hints(&[
        (*failed, "one could not be woken"),
        (*held_down, "one is held down"),
        (*starting, "one is starting"),
        (*draining, "one is draining"),
        (*circuit_open, "one failed several times in a row"),
    ]))]
    NoBackend {
        /// Some member could not be woken.
        failed: bool,
        /// Some member is held down by an operator.
        held_down: bool,
        /// Some member is starting.
        starting: bool,
        /// Some member is draining.
        draining: bool,
        /// Some member failed several times in a row.
        circuit_open: bool,
    },
}

/// Decides where a statement goes.
///
/// `_now` (Unix milliseconds) is for rules that know the time of day, of which there are none yet; `seed` should
/// differ from call to call.
pub fn decide(rules: &RuleSet, fleet: &Fleet, facts: &Facts<'_>, _now: u64, seed: u64) -> Decision {
    let (claimed_by, claimed) = claim(rules, fleet, facts);
    let why = Why { claimed_by, fell_over_from: None, candidates: 0 };
    let Some((at, group)) = claimed.and_then(|at| Some((at, fleet.groups.get(at)?))) else {
        let refusal = match claimed_by {
            ClaimedBy::Nobody => Refusal::NoRule,
            _ => Refusal::UnknownGroup,
        };
        return Decision { group: None, outcome: Outcome::Refuse(refusal), why };
    };
    let Some((serving, outcome)) = serve(fleet, at, facts, seed) else {
        return Decision { group: Some(at), outcome: Outcome::Refuse(no_backend(group)), why };
    };
    let fell_over_from = (serving != at).then_some(at);
    let candidates = fleet.groups.get(serving).map_or(0, candidates);
    let why = Why { fell_over_from, candidates, ..why };
    Decision { group: Some(serving), outcome, why }
}

/// Who claims the statement, and for which group, if that exists.
fn claim(rules: &RuleSet, fleet: &Fleet, facts: &Facts<'_>) -> (ClaimedBy, Option<usize>) {
    if let Some((at, rule)) = rules.first_match(facts) {
        return (ClaimedBy::Rule(at), fleet.group_by_name(rule.group.as_str()));
    }
    // A group that does not exist is told to whoever asked for it; the default would hide the mistake.
    if let Some(asked) = facts.asked_group.map(str::trim).filter(|asked| !asked.is_empty()) {
        return (ClaimedBy::Header, fleet.group_by_name(asked));
    }
    match fleet.default_group {
        Some(at) => (ClaimedBy::Default, Some(at)),
        None => (ClaimedBy::Nobody, None),
    }
}

/// Follows `onEmpty` to the first group with a member to choose or to wake; a ring is walked once.
fn serve(fleet: &Fleet, first: usize, facts: &Facts<'_>, seed: u64) -> Option<(usize, Outcome)> {
    let mut at = first;
    for _ in 0..fleet.groups.len() {
        let group = fleet.groups.get(at)?;
        if let Some(placed) = choose(group, facts.user, seed, &[]) {
            return Some((at, Outcome::Forward(placed)));
        }
        if group.members.iter().any(Member::is_wakeable) {
            return Some((at, Outcome::Wake));
        }
        let OnEmpty::Group(next) = group.on_empty else { return None };
        at = next;
    }
    None
}

fn candidates(group: &Group) -> usize {
    group.members.iter().filter(|member| member.is_selectable()).count()
}

fn no_backend(group: &Group) -> Refusal {
    let any = |what| group.members.iter().any(|member| member.availability == what);
    Refusal::NoBackend {
        failed: any(Availability::Failed),
        held_down: any(Availability::HeldDown),
        starting: any(Availability::Starting),
        draining: any(Availability::Draining),
        circuit_open: any(Availability::CircuitOpen),
    }
}

/// ` (one is starting, one is draining)`, or nothing.
fn hints(hints: &[(bool, &str)]) -> String {
    let said: Vec<_> = hints.iter().filter(|(holds, _)| *holds).map(|(_, words)| *words).collect();
    if said.is_empty() { String::new() } else { format!(" ({})", said.join(", ")) }
}

#[cfg(test)]
mod tests;
