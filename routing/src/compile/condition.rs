//! One condition, compiled: patterns to matchers, header names and hosts folded to lower case.
//!
//! A fact that is absent matches no pattern, not even `*`; `Not` turns that round.

use std::borrow::Cow;

use crate::{
    facts::Facts,
    matcher::Matcher,
    rules::{Condition, Field},
};

/// Conditions within conditions; both compiling and asking recurse, and nobody reads deeper ones.
const DEPTH_MAX: usize = 32;

/// A compiled condition.
#[derive(Clone, Debug)]
pub(super) enum Test {
    Is(Field, Matcher),
    All(Vec<Test>),
    Any(Vec<Test>),
    Not(Box<Test>),
}

impl Test {
    /// Compiles the condition; fails with every problem in it.
    pub(super) fn compile(condition: &Condition) -> Result<Self, Vec<String>> {
        Self::compile_at(condition, 1)
    }

    fn compile_at(condition: &Condition, depth: usize) -> Result<Self, Vec<String>> {
        if depth > DEPTH_MAX {
            return Err(vec![format!("conditions nest deeper than {DEPTH_MAX}")]);
        }
        match condition {
            Condition::Is(field, patterns) => is(field, patterns),
            Condition::Not(inner) => {
                Self::compile_at(inner, depth + 1).map(Box::new).map(Self::Not)
            }
            Condition::All(inner) if inner.is_empty() => {
                Err(vec!["`all` is empty, so it would hold for every statement".to_owned()])
            }
            Condition::Any(inner) if inner.is_empty() => {
                Err(vec!["`any` is empty, so it would hold for no statement".to_owned()])
            }
            Condition::All(inner) => each(inner, depth).map(Self::All),
            Condition::Any(inner) => each(inner, depth).map(Self::Any),
        }
    }

    /// Whether it holds for these facts.
    pub(super) fn holds(&self, facts: &Facts<'_>) -> bool {
        match self {
            Self::Is(field, matcher) => field_matches(field, matcher, facts),
            Self::All(inner) => inner.iter().all(|test| test.holds(facts)),
            Self::Any(inner) => inner.iter().any(|test| test.holds(facts)),
            Self::Not(inner) => !inner.holds(facts),
        }
    }
}

fn each(conditions: &[Condition], depth: usize) -> Result<Vec<Test>, Vec<String>> {
    let (mut tests, mut problems) = (Vec::with_capacity(conditions.len()), Vec::new());
    for condition in conditions {
        match Test::compile_at(condition, depth + 1) {
            Ok(test) => tests.push(test),
            Err(more) => problems.extend(more),
        }
    }
    if problems.is_empty() { Ok(tests) } else { Err(problems) }
}

fn is(field: &Field, patterns: &[String]) -> Result<Test, Vec<String>> {
    let mut problems = Vec::new();
    let folded = match field {
        Field::Header(name) => {
            if !is_header_name(name) {
                problems.push(format!("`{name}` is no header name"));
            }
            Field::Header(name.to_ascii_lowercase())
        }
        other => other.clone(),
    };
    let patterns: Vec<_> = patterns.iter().map(|pattern| folded_for(field, pattern)).collect();
    match Matcher::compile(patterns.iter().map(AsRef::as_ref)) {
        Ok(matcher) if problems.is_empty() => Ok(Test::Is(folded, matcher)),
        Ok(_) => Err(problems),
        Err(more) => {
            problems.extend(more.into_iter().map(|problem| format!("{field}: {problem}")));
            Err(problems)
        }
    }
}

fn field_matches(field: &Field, matcher: &Matcher, facts: &Facts<'_>) -> bool {
    let value = match field {
        Field::Source => facts.source,
        Field::User => facts.user,
        Field::Catalog => facts.catalog,
        Field::Schema => facts.schema,
        Field::Host => {
            return facts.host.is_some_and(|host| matcher.matches(&folded_for(field, host)));
        }
        Field::ClientTags => return facts.client_tags.iter().any(|tag| matcher.matches(tag)),
        Field::Header(name) => return facts.headers.any(name, &mut |value| matcher.matches(value)),
    };
    value.is_some_and(|value| matcher.matches(value))
}

/// Host names are the same in any case; every other value keeps its own.
fn folded_for<'a>(field: &Field, text: &'a str) -> Cow<'a, str> {
    if *field == Field::Host && text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        text.to_ascii_lowercase().into()
    } else {
        text.into()
    }
}

/// A `token` of RFC 9110, 5.6.2.
fn is_header_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(field: Field, pattern: &str) -> Condition {
        Condition::Is(field, vec![pattern.to_owned()])
    }

    fn holds(condition: &Condition, facts: &Facts<'_>) -> bool {
        Test::compile(condition).unwrap().holds(facts)
    }

    #[test]
    fn each_field_reads_its_fact() {
        let headers = [("x-team", "ads"), ("X-Team", "etl"), ("x-other", "Etl")];
        let facts = Facts {
            user: Some("will"),
            source: Some("airflow"),
            host: Some("ETL.Trino.example.com"),
            client_tags: vec!["email=test@example.com", "label=special"],
            catalog: Some("tpch"),
            schema: Some("sf1"),
            ..Facts::new(&headers)
        };
        for (field, pattern, expected) in [
            (Field::User, "will", true),
            (Field::User, "Will", false),
            (Field::Source, "air*", true),
            (Field::Host, "etl.trino.example.com", true),
            (Field::Host, "Etl.*", true),
            (Field::Host, "trino.example.com", false),
            (Field::ClientTags, "label=special", true),
            (Field::ClientTags, "label", false),
            (Field::Catalog, "tpch", true),
            (Field::Schema, "sf?", true),
            (Field::Header("X-TEAM".to_owned()), "etl", true),
            (Field::Header("x-team".to_owned()), "Etl", false),
            (Field::Header("x-none".to_owned()), "*", false),
        ] {
            assert_eq!(holds(&is(field.clone(), pattern), &facts), expected, "{field} {pattern}");
        }
    }

    #[test]
    fn an_absent_fact_matches_nothing() {
        let facts = Facts::new(&[]);
        for field in [
            Field::User,
            Field::Source,
            Field::Host,
            Field::ClientTags,
            Field::Catalog,
            Field::Schema,
        ] {
            assert!(!holds(&is(field.clone(), "*"), &facts), "{field}");
            assert!(holds(&Condition::Not(Box::new(is(field, "*"))), &facts));
        }
    }

    #[test]
    fn all_any_and_not_combine() {
        let facts = Facts { user: Some("u"), source: Some("s"), ..Facts::new(&[]) };
        let (yes, no) = (is(Field::User, "u"), is(Field::Source, "x"));
        for (condition, expected) in [
            (Condition::All(vec![yes.clone(), yes.clone()]), true),
            (Condition::All(vec![yes.clone(), no.clone()]), false),
            (Condition::Any(vec![no.clone(), yes.clone()]), true),
            (Condition::Any(vec![no.clone(), no.clone()]), false),
            (Condition::Not(Box::new(Condition::Any(vec![no.clone(), no]))), true),
            (Condition::Not(Box::new(yes)), false),
        ] {
            assert_eq!(holds(&condition, &facts), expected, "{condition:?}");
        }
    }

    #[test]
    fn peers_6_3_source_and_tags() {
        let etl = is(Field::Source, "airflow");
        let special = Condition::All(vec![etl.clone(), is(Field::ClientTags, "label=special")]);
        let tags = vec!["email=test@example.com", "label=special"];
        let no_tags = Facts { source: Some("airflow"), ..Facts::new(&[]) };
        let both = Facts { source: Some("airflow"), client_tags: tags.clone(), ..Facts::new(&[]) };
        let only_tags = Facts { client_tags: tags, ..Facts::new(&[]) };
        assert!(holds(&etl, &no_tags) && !holds(&special, &no_tags));
        assert!(holds(&special, &both));
        assert!(!holds(&etl, &only_tags) && !holds(&special, &only_tags));
    }

    #[test]
    fn deep_nesting_is_refused_in_words() {
        let nested = |depth| {
            (1..depth).fold(is(Field::User, "u"), |inner, _| Condition::Not(Box::new(inner)))
        };
        assert!(Test::compile(&nested(DEPTH_MAX)).is_ok());
        assert_eq!(
            Test::compile(&nested(DEPTH_MAX + 1)).unwrap_err(),
            ["conditions nest deeper than 32"]
        );
    }
}
