//! Rules made ready to be asked by every statement.
//!
//! Compiling reports every bad rule at once, in words; a rule set that exists can only answer. It knows no groups:
//! whether a rule's group exists is checked where the whole configuration is known.

mod condition;

use std::collections::BTreeSet;

use self::condition::Test;
use crate::{facts::Facts, rules::Rule};

/// Values of the label `rule` that stand for "no rule" (see `ClaimedBy`).
const TAKEN_NAMES: [&str; 3] = ["header", "default", "nobody"];

/// Rules in their order, compiled.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    rules: Vec<Compiled>,
}

#[derive(Clone, Debug)]
struct Compiled {
    rule: Rule,
    test: Test,
}

/// What is wrong with one rule.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("rule {}: {problem}", rule + 1)]
pub struct RuleError {
    /// The rule's place in the list, from 0.
    pub rule: usize,
    /// What is wrong, in words.
    pub problem: String,
}

impl RuleSet {
    /// Compiles the rules; fails with every problem of every rule.
    pub fn compile(rules: Vec<Rule>) -> Result<Self, Vec<RuleError>> {
        let mut errors = name_errors(&rules);
        let mut compiled = Vec::with_capacity(rules.len());
        for (at, rule) in rules.into_iter().enumerate() {
            match Test::compile(&rule.when) {
                Ok(test) => compiled.push(Compiled { rule, test }),
                Err(problems) => {
                    errors.extend(
                        problems.into_iter().map(|problem| RuleError { rule: at, problem }),
                    );
                }
            }
        }
        errors.sort_by_key(|error| error.rule);
        if errors.is_empty() { Ok(Self { rules: compiled }) } else { Err(errors) }
    }

    /// The first rule that claims the statement, with its place in the list.
    pub fn first_match(&self, facts: &Facts<'_>) -> Option<(usize, &Rule)> {
        let found = self.rules.iter().enumerate().find(|(_, compiled)| compiled.test.holds(facts));
        found.map(|(at, compiled)| (at, &compiled.rule))
    }

    /// The rule at that place.
    pub fn get(&self, rule: usize) -> Option<&Rule> {
        self.rules.get(rule).map(|compiled| &compiled.rule)
    }

    /// The names of the rules, in their order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.rules.iter().map(|compiled| compiled.rule.name.as_str())
    }
}

fn name_errors(rules: &[Rule]) -> Vec<RuleError> {
    let mut seen = BTreeSet::new();
    let mut errors = Vec::new();
    for (at, Rule { name, .. }) in rules.iter().enumerate() {
        let problem = if name.trim().is_empty() {
            "it has no name".to_owned()
        } else if TAKEN_NAMES.contains(&name.as_str()) {
            format!("the name `{name}` stands for statements that no rule claims; take another")
        } else if !seen.insert(name.as_str()) {
            format!("the name `{name}` is taken by a rule before it")
        } else {
            continue;
        };
        errors.push(RuleError { rule: at, problem });
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ids::GroupName,
        rules::{Condition, Field},
    };

    fn rule(name: &str, when: Condition) -> Rule {
        Rule { name: name.to_owned(), when, group: GroupName::parse("etl").unwrap() }
    }

    fn source(patterns: &[&str]) -> Condition {
        Condition::Is(Field::Source, patterns.iter().map(|&pattern| pattern.to_owned()).collect())
    }

    #[test]
    fn the_first_match_wins() {
        let rules = RuleSet::compile(vec![
            rule("never", Condition::Not(Box::new(source(&["a*", "b"])))),
            rule("a", source(&["airflow*"])),
            rule("again", source(&["a*"])),
        ])
        .unwrap();
        let facts = Facts { source: Some("airflow-1"), ..Facts::new(&[]) };
        assert_eq!(
            rules.first_match(&facts).map(|(at, rule)| (at, rule.name.as_str())),
            Some((1, "a"))
        );
        let facts = Facts { source: Some("alpha"), ..Facts::new(&[]) };
        assert_eq!(rules.first_match(&facts).map(|(at, _)| at), Some(2));
        let facts = Facts { source: Some("b"), ..Facts::new(&[]) };
        assert!(rules.first_match(&facts).is_none());
        assert_eq!(rules.names().collect::<Vec<_>>(), ["never", "a", "again"]);
        assert_eq!(rules.get(2).map(|rule| rule.name.as_str()), Some("again"));
    }

    #[test]
    fn no_rules_claim_nothing() {
        assert!(RuleSet::compile(Vec::new()).unwrap().first_match(&Facts::new(&[])).is_none());
    }

    #[test]
    fn every_bad_rule_is_reported_at_once_in_words() {
        let errors = RuleSet::compile(vec![
            rule("", source(&["a"])),
            rule("default", source(&["a"])),
            rule("good", source(&["a"])),
            rule("good", source(&["[a", "{*"])),
            rule("empty", Condition::All(Vec::new())),
            rule("header", Condition::Is(Field::Header("X Team".to_owned()), Vec::new())),
        ])
        .unwrap_err();
        let words: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            words,
            [
                "rule 1: it has no name",
                "rule 2: the name `default` stands for statements that no rule claims; take another",
                "rule 4: the name `good` is taken by a rule before it",
                "rule 4: source: `[a` is no glob: unclosed character class; missing ']'",
                "rule 4: source: `{*` is no glob: unclosed alternate group; missing '}' (maybe escape '{' with '[{]'?)",
                "rule 5: `all` is empty, so it would hold for every statement",
                "rule 6: the name `header` stands for statements that no rule claims; take another",
                "rule 6: `X Team` is no header name",
                "rule 6: header X Team: an empty list of patterns matches nothing",
            ]
        );
    }
}
