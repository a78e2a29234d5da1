//! Text against a list of patterns, of which one must match.
//!
//! A pattern with `*`, `?` or `[` is a glob over the whole text (`*` passes over slashes too, `{a,b}` are
//! alternatives), any other is exact. Case counts; whoever wants otherwise folds both sides first. Exact ones are
//! searched in a sorted list, so that thousands of user names cost little. Matching is linear in the text.

use self::glob::Glob;

mod glob;

/// What makes a pattern a glob; a lone brace is an ordinary character.
const GLOB_MARKS: [char; 3] = ['*', '?', '['];

/// Patterns, compiled.
#[derive(Clone, Debug)]
pub(crate) struct Matcher {
    exact: Vec<Box<str>>,
    globs: Vec<Glob>,
}

impl Matcher {
    /// Compiles the patterns; fails with every one that is wrong, in words.
    pub(crate) fn compile<'a>(
        patterns: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, Vec<String>> {
        let (mut exact, mut globs, mut problems) = (Vec::new(), Vec::new(), Vec::new());
        for pattern in patterns {
            if pattern.is_empty() {
                problems.push("an empty pattern matches nothing".to_owned());
            } else if pattern.contains(GLOB_MARKS) {
                match Glob::compile(pattern) {
                    Ok(glob) => globs.push(glob),
                    Err(problem) => problems.push(problem),
                }
            } else {
                exact.push(Box::from(pattern));
            }
        }
        if exact.is_empty() && globs.is_empty() && problems.is_empty() {
            problems.push("an empty list of patterns matches nothing".to_owned());
        }
        exact.sort_unstable();
        if problems.is_empty() { Ok(Self { exact, globs }) } else { Err(problems) }
    }

    /// Whether one of the patterns matches the whole text.
    pub(crate) fn matches(&self, text: &str) -> bool {
        self.exact.binary_search_by(|exact| exact.as_ref().cmp(text)).is_ok()
            || self.globs.iter().any(|glob| glob.matches(text))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{glob::BRACES_MAX, *};

    fn matches(pattern: &str, text: &str) -> bool {
        Matcher::compile([pattern]).unwrap().matches(text)
    }

    #[test]
    fn exact_and_glob() {
        for (pattern, text, expected) in [
            ("airflow", "airflow", true),
            ("airflow", "Airflow", false),
            ("airflow", "airflow-2", false),
            ("airflow*", "airflow", true),
            ("airflow*", "airflow/dag/1", true),
            ("*", "a/b/c", true),
            ("*", "", true),
            ("*.example.com", "a.b.example.com", true),
            ("*.example.com", "example.com", false),
            ("v?", "v1", true),
            ("v?", "v", false),
            ("[a-c]1", "b1", true),
            ("[!a-c]1", "b1", false),
            ("{a,b}", "{a,b}", true),
            ("{a,b}", "a", false),
            ("{a,b}*", "b1", true),
            ("a\\b", "a\\b", true),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
            ("*/", "a/", true),
            ("*..", "a/..", true),
            ("a*", "A", false),
            ("*é", "café", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn one_of_a_list_is_enough() {
        let matcher = Matcher::compile(["b", "a", "dbt*"]).unwrap();
        for (text, expected) in
            [("a", true), ("b", true), ("dbt-1", true), ("c", false), ("", false)]
        {
            assert_eq!(matcher.matches(text), expected, "{text}");
        }
    }

    #[test]
    fn all_wrong_patterns_are_named() {
        let problems = Matcher::compile(["[a", "ok", "", "{*"]).unwrap_err();
        assert_eq!(problems.len(), 3);
        assert!(
            problems.iter().any(|problem| problem.starts_with("`[a` is no glob: ")),
            "{problems:?}"
        );
        assert_eq!(Matcher::compile([]).unwrap_err().len(), 1);
    }

    #[test]
    fn monstrous_patterns_are_refused_and_do_not_panic() {
        for pattern in [
            "{".repeat(300) + "a" + &"}".repeat(300) + "*",
            "[a-z]".repeat(1_000_000),
            "*".repeat(1_000_000),
        ] {
            assert!(Matcher::compile([pattern.as_str()]).is_err(), "{}", pattern.len());
        }
        assert!(matches(&"[a-z]".repeat(200), &"q".repeat(200)));
        assert!(!matches(&"[!a-z]".repeat(170), ""));
        let tangled = "{x{a,b}c,d".repeat(BRACES_MAX / 2) + &"}".repeat(BRACES_MAX / 2) + "[!z]";
        assert!(matches(&tangled, "xacy"));
        let nested = "{a,b".repeat(BRACES_MAX) + &"}".repeat(BRACES_MAX) + "*";
        assert!(matches(&nested, "ba"));
    }

    #[test]
    fn a_giant_text_is_linear() {
        assert!(!matches("*a*a*a*a*b", &"a".repeat(200_000)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn nothing_panics(pattern in "([*?\\[\\]{}!,\\\\-]|[a-c]|.){0,12}", text in ".{0,12}") {
            if let Ok(matcher) = Matcher::compile([pattern.as_str()]) {
                let _ = matcher.matches(&text);
            }
        }

        #[test]
        fn text_matches_itself(text in "[a-zA-Z0-9_. {}/@-]{1,20}") {
            prop_assert!(matches(&text, &text));
        }
    }
}
