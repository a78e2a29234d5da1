//! Patterns of rules: exact texts, and globs where they hold `*`, `?` or `[`.

use globset::GlobBuilder;

/// The longest pattern, in bytes; a glob costs memory and time with its length.
const LONGEST: usize = 1024;

/// What is wrong with a pattern, if anything; does not quote it.
pub(super) fn problem(pattern: &str) -> Option<String> {
    if pattern.is_empty() {
        return Some("an empty pattern matches nothing".to_owned());
    }
    if pattern.len() > LONGEST {
        return Some(format!("a pattern longer than {LONGEST} bytes is not taken"));
    }
    if !pattern.contains(['*', '?', '[']) {
        return None;
    }
    match GlobBuilder::new(pattern).build() {
        Ok(_) => None,
        Err(error) => Some(format!("this glob does not read: {}", error.kind())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_and_exact_texts() {
        for fine in ["airflow*", "dbt-?", "[a-c]x", "plain", "a]b", "{a,b}*", "ümlaut*"] {
            assert_eq!(problem(fine), None, "{fine}");
        }
        for wrong in ["", "[a", "x[z-a]", "{a*", "*\\", &"a".repeat(2000)] {
            assert!(problem(wrong).is_some(), "{wrong}");
        }
    }
}
