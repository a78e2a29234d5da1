//! `${ENV:NAME}` in text values: the process' environment, for secrets and for what differs between machines.
//!
//! Keys are not expanded, nor is what came out of a variable. Anything else that begins with `${` is a mistake.

use crate::config::{
    problem::Problem,
    tree::{Node, Text, Trail, Value},
};

/// Finds a variable by name.
pub(crate) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

const ALLOWED: &str = "`${ENV:NAME}`, NAME of letters, digits and `_`; \
                       a value that itself holds `${` has to come out of a variable";

/// Fills in every variable; a value whose variable is missing becomes [`Value::Broken`].
pub(crate) fn expand(root: &mut Node, environment: Environment<'_>, found: &mut Vec<Problem>) {
    walk(root, &Trail::default(), environment, found);
}

fn walk(node: &mut Node, trail: &Trail, environment: Environment<'_>, found: &mut Vec<Problem>) {
    let filled = match &mut node.value {
        Value::Map(entries) => {
            for entry in entries {
                walk(&mut entry.node, &trail.key(&entry.key), environment, found);
            }
            return;
        }
        Value::List(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                walk(item, &trail.index(index), environment, found);
            }
            return;
        }
        Value::Text(text) if text.value.contains("${") => fill_in(&text.value, environment),
        _ => return,
    };
    node.value = match filled {
        Ok(value) => match &node.value {
            Value::Text(text) => Value::Text(Text { value, written: Some(text.value.clone()) }),
            other => other.clone(),
        },
        Err((what, allowed)) => {
            found.push(Problem::at(node, trail.to_string(), what, allowed));
            Value::Broken
        }
    };
}

/// The text with its variables, or what is wrong and what is allowed.
fn fill_in(text: &str, environment: Environment<'_>) -> Result<String, (String, String)> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("${") {
        filled.push_str(before);
        let (inside, after) = behind
            .split_once('}')
            .ok_or_else(|| ("`${` without its `}`".to_owned(), ALLOWED.to_owned()))?;
        filled.push_str(&variable(inside, environment)?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// What stands between the braces; it is not quoted, since it may be a piece of a secret.
fn variable(inside: &str, environment: Environment<'_>) -> Result<String, (String, String)> {
    let name = inside
        .strip_prefix("ENV:")
        .filter(|name| is_name(name))
        .ok_or_else(|| ("this `${…}` is no variable".to_owned(), ALLOWED.to_owned()))?;
    environment(name).ok_or_else(|| {
        let what = format!("the environment variable `{name}` is not set, or not UTF-8");
        (what, "a variable that is set".to_owned())
    })
}

fn is_name(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> Result<String, String> {
        let environment = |name: &str| match name {
            "HOST" => Some("trino-a".to_owned()),
            "NESTED" => Some("${ENV:HOST}".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        fill_in(text, &environment).map_err(|(what, _)| what)
    }

    #[test]
    fn variables_are_filled_in_anywhere_in_a_value_and_once_only() {
        assert_eq!(filled("http://${ENV:HOST}:8080").unwrap(), "http://trino-a:8080");
        assert_eq!(filled("${ENV:HOST}${ENV:EMPTY}-${ENV:HOST}").unwrap(), "trino-a-trino-a");
        assert_eq!(filled("${ENV:NESTED}").unwrap(), "${ENV:HOST}");
        assert_eq!(filled("$HOST $ {} plain").unwrap(), "$HOST $ {} plain");
    }

    #[test]
    fn what_is_no_variable_is_refused_in_words() {
        for (text, words) in [
            ("${ENV:HOST", "without its `}`"),
            ("${HOST}", "is no variable"),
            ("${env:HOST}", "is no variable"),
            ("${ENV:}", "is no variable"),
            ("${ENV:9X}", "is no variable"),
            ("${ENV:A B}", "is no variable"),
            ("${}", "is no variable"),
            ("${ENV:MISSING}", "`MISSING` is not set"),
        ] {
            assert!(filled(text).unwrap_err().contains(words), "{text}");
        }
    }
}
