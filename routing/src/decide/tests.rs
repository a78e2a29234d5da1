//! Decisions for requests of every sort.

use super::*;
use crate::{
    fleet::{Load, Member, Select},
    ids::{BackendName, GroupName},
    rules::{Condition, Field, Rule},
};

const ADHOC: usize = 0;
const ETL: usize = 1;

fn group(name: &str, members: &[Availability]) -> Group {
    let members = members.iter().enumerate().map(|(at, &availability)| Member {
        name: BackendName::parse(&format!("{name}-{at}")).unwrap(),
        weight: 1,
        availability,
        load: Load::default(),
    });
    Group {
        name: GroupName::parse(name).unwrap(),
        select: Select::LeastLoaded,
        on_empty: OnEmpty::Refuse,
        members: members.collect(),
    }
}

fn fleet() -> Fleet {
    use Availability::Ready;
    Fleet {
        groups: vec![group("adhoc", &[Ready]), group("etl", &[Ready, Ready])],
        default_group: Some(ADHOC),
    }
}

fn rules() -> RuleSet {
    let rule = |name: &str, source: &str, group: &str| Rule {
        name: name.to_owned(),
        when: Condition::Is(Field::Source, vec![source.to_owned()]),
        group: GroupName::parse(group).unwrap(),
    };
    RuleSet::compile(vec![rule("airflow", "airflow*", "etl"), rule("stray", "stray", "none")])
        .unwrap()
}

/// Facts of a statement with this source and this routing group in its header; `-` is absent.
fn facts<'a>(source: &'a str, asked: &'a str) -> Facts<'a> {
    let given = |text: &'a str| (text != "-").then_some(text);
    Facts { source: given(source), asked_group: given(asked), ..Facts::new(&[]) }
}

fn decided(fleet: &Fleet, source: &str, asked: &str) -> Decision {
    decide(&rules(), fleet, &facts(source, asked), 0, 1)
}

fn explained(fleet: &Fleet, source: &str, asked: &str) -> String {
    decided(fleet, source, asked).explain(&rules(), fleet).to_string()
}

#[test]
fn rules_then_the_header_then_the_default() {
    let fleet = fleet();
    for (source, asked, claimed_by, group) in [
        ("airflow-1", "-", ClaimedBy::Rule(0), ETL),
        ("airflow-1", "adhoc", ClaimedBy::Rule(0), ETL),
        ("airflow-1", "none", ClaimedBy::Rule(0), ETL),
        ("-", "etl", ClaimedBy::Header, ETL),
        ("cli", " etl ", ClaimedBy::Header, ETL),
        ("cli", "-", ClaimedBy::Default, ADHOC),
        ("-", "", ClaimedBy::Default, ADHOC),
    ] {
        let decision = decided(&fleet, source, asked);
        assert_eq!(
            (decision.why.claimed_by, decision.group),
            (claimed_by, Some(group)),
            "{source} {asked}"
        );
        assert!(matches!(decision.outcome, Outcome::Forward(_)));
        assert_eq!(decision.why.candidates, group + 1);
        assert_eq!(decision.why.fell_over_from, None);
    }
}

#[test]
fn an_unknown_group_is_never_the_default() {
    for (source, asked, claimed_by) in [
        ("-", "none", ClaimedBy::Header),
        ("-", "ETL", ClaimedBy::Header),
        ("stray", "etl", ClaimedBy::Rule(1)),
    ] {
        let decision = decided(&fleet(), source, asked);
        assert_eq!(decision.outcome, Outcome::Refuse(Refusal::UnknownGroup));
        assert_eq!((decision.group, decision.why.claimed_by), (None, claimed_by));
    }
}

#[test]
fn without_a_default_what_nothing_claims_is_refused() {
    let fleet = Fleet { default_group: None, ..fleet() };
    let decision = decided(&fleet, "-", "-");
    assert_eq!(decision.outcome, Outcome::Refuse(Refusal::NoRule));
    assert_eq!((decision.group, decision.why.claimed_by), (None, ClaimedBy::Nobody));
}

#[test]
fn an_empty_group_refuses_and_says_what_its_members_do() {
    use Availability::{
        CircuitOpen, Draining, Failed, HeldDown, Inactive, Ready, Starting, Unreachable,
    };
    for (members, [failed, held_down, starting, draining, circuit_open]) in [
        (&[][..], [false; 5]),
        (&[Unreachable, Inactive], [false; 5]),
        (&[Starting, Unreachable], [false, false, true, false, false]),
        (&[Draining, CircuitOpen], [false, false, false, true, true]),
        (&[Failed, HeldDown], [true, true, false, false, false]),
    ] {
        let fleet = Fleet {
            groups: vec![group("adhoc", members), group("etl", &[Ready])],
            default_group: Some(ADHOC),
        };
        let decision = decided(&fleet, "-", "-");
        assert_eq!(
            decision.outcome,
            Outcome::Refuse(Refusal::NoBackend {
                failed,
                held_down,
                starting,
                draining,
                circuit_open
            })
        );
        assert_eq!((decision.group, decision.why.candidates), (Some(ADHOC), 0));
    }
}

#[test]
fn on_empty_hands_on_and_says_so() {
    let mut fleet = fleet();
    fleet.groups[ADHOC].members.clear();
    fleet.groups[ADHOC].on_empty = OnEmpty::Group(ETL);
    let decision = decided(&fleet, "-", "-");
    assert_eq!((decision.group, decision.why.fell_over_from), (Some(ETL), Some(ADHOC)));
    assert_eq!(decision.why.candidates, 2);
    assert!(matches!(decision.outcome, Outcome::Forward(_)));
}

#[test]
fn a_group_that_can_be_woken_is_waited_for() {
    use Availability::{Asleep, Ready, Unreachable};
    let mut fleet = Fleet {
        groups: vec![group("adhoc", &[Unreachable, Asleep]), group("etl", &[Ready])],
        default_group: Some(ADHOC),
    };
    fleet.groups[ADHOC].on_empty = OnEmpty::Group(ETL);
    let decision = decided(&fleet, "-", "-");
    assert_eq!((decision.group, decision.outcome), (Some(ADHOC), Outcome::Wake));
    fleet.groups[ADHOC].members[0].availability = Ready;
    assert!(matches!(decided(&fleet, "-", "-").outcome, Outcome::Forward(_)));
    fleet.groups[ADHOC].members.clear();
    assert_eq!(decided(&fleet, "-", "-").group, Some(ETL));
}

#[test]
fn a_ring_of_empty_groups_ends() {
    let mut fleet = fleet();
    for (at, next) in [(ADHOC, ETL), (ETL, ADHOC)] {
        fleet.groups[at].members.clear();
        fleet.groups[at].on_empty = OnEmpty::Group(next);
    }
    let decision = decided(&fleet, "-", "-");
    assert!(matches!(decision.outcome, Outcome::Refuse(Refusal::NoBackend { .. })));
    assert_eq!((decision.group, decision.why.fell_over_from), (Some(ADHOC), None));
}

#[test]
fn places_that_are_none_are_refused() {
    let mut fleet = fleet();
    fleet.groups[ADHOC].members.clear();
    fleet.groups[ADHOC].on_empty = OnEmpty::Group(9);
    assert!(matches!(
        decided(&fleet, "-", "-").outcome,
        Outcome::Refuse(Refusal::NoBackend { .. })
    ));
    fleet.default_group = Some(9);
    assert_eq!(decided(&fleet, "-", "-").outcome, Outcome::Refuse(Refusal::UnknownGroup));
    assert_eq!(decided(&Fleet::default(), "-", "-").outcome, Outcome::Refuse(Refusal::NoRule));
}

#[test]
fn the_same_arguments_decide_the_same() {
    let (rules, fleet) = (rules(), fleet());
    for seed in 0..20 {
        let facts = facts("airflow", "-");
        assert_eq!(
            decide(&rules, &fleet, &facts, 0, seed),
            decide(&rules, &fleet, &facts, 0, seed)
        );
    }
}

#[test]
fn explanations_read_as_sentences() {
    let mut fleet = fleet();
    fleet.groups[ETL].members.pop();
    assert_eq!(
        explained(&fleet, "airflow", "-"),
        "rule `airflow` for group `etl`: backend `etl-0` of 1 ready"
    );
    assert_eq!(
        explained(&fleet, "-", "etl"),
        "the request's header for group `etl`: backend `etl-0` of 1 ready"
    );
    assert_eq!(
        explained(&fleet, "-", "none"),
        "the request's header: the routing group does not exist"
    );
    assert_eq!(explained(&fleet, "stray", "-"), "rule `stray`: the routing group does not exist");
    fleet.groups[ADHOC].members[0].availability = Availability::Starting;
    assert_eq!(
        explained(&fleet, "-", "-"),
        "the default for group `adhoc`: no backend of the routing group takes statements (one is starting)"
    );
    fleet.groups[ADHOC].on_empty = OnEmpty::Group(ETL);
    assert_eq!(
        explained(&fleet, "-", "-"),
        "the default for group `adhoc`, which is empty, so group `etl`: backend `etl-0` of 1 ready"
    );
    assert_eq!(
        decided(&fleet, "-", "-").why.to_string(),
        "claimed by the default, group 1 is empty, 1 ready"
    );
    fleet.default_group = None;
    assert_eq!(
        explained(&fleet, "-", "-"),
        "nobody: no rule claims it, it names no routing group, and there is no default"
    );
}

#[test]
fn labels_are_configured_names_or_fixed_words() {
    let rules = rules();
    for (claimed_by, label) in [
        (ClaimedBy::Rule(0), "airflow"),
        (ClaimedBy::Rule(9), "nobody"),
        (ClaimedBy::Header, "header"),
        (ClaimedBy::Default, "default"),
        (ClaimedBy::Nobody, "nobody"),
    ] {
        assert_eq!(claimed_by.label(&rules), label);
    }
}
