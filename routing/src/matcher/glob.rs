//! One glob. What it begins and ends with is compared first, and for `etl-*` that is all: most rules say no to most
//! statements, and asking a regex costs a hundred times as much as seeing that the first letters differ.

use globset::{GlobBuilder, GlobMatcher};

/// The longest glob in bytes, and its most braces: `compile_matcher` panics where its regex grows past 10 MiB or
/// nests deeper than 250 (seen with 300 braces), and no header that is routed by comes near either.
const GLOB_MAX: usize = 1024;
pub(super) const BRACES_MAX: usize = 32;

/// Letters that may stand for something else than themselves; what lies before the first of them and behind the last does not.
const SPECIAL: &str = "*?[]{},!\\";

/// A glob, compiled.
#[derive(Clone, Debug)]
pub(super) struct Glob {
    /// Every text that matches begins so, and ends so behind that.
    begins: Box<str>,
    ends: Box<str>,
    /// What else must hold; `None`: nothing, the glob is one star between the two.
    whole: Option<GlobMatcher>,
}

impl Glob {
    /// Compiles a pattern; fails in words.
    pub(super) fn compile(pattern: &str) -> Result<Self, String> {
        let matcher = matcher(pattern)?;
        let is_special = |letter: char| SPECIAL.contains(letter);
        let found = (pattern.find(is_special), pattern.rfind(is_special));
        let (Some(first), Some(last), false) = (found.0, found.1, is_odd(pattern)) else {
            return Ok(Self { begins: "".into(), ends: "".into(), whole: Some(matcher) });
        };
        // All special letters are of one byte.
        let part = |from: usize, to: usize| pattern.get(from..to).unwrap_or_default();
        let is_star = part(first, last + 1) == "*";
        Ok(Self {
            begins: part(0, first).into(),
            ends: part(last + 1, pattern.len()).into(),
            whole: (!is_star).then_some(matcher),
        })
    }

    /// Whether it matches the whole text.
    pub(super) fn matches(&self, text: &str) -> bool {
        let rest = text.strip_prefix(self.begins.as_ref());
        rest.is_some_and(|rest| rest.ends_with(self.ends.as_ref()))
            && self.whole.as_ref().is_none_or(|glob| glob.is_match(text))
    }
}

/// Whether letters may stand for something else than themselves: behind a backslash, and `/` beside two stars.
fn is_odd(pattern: &str) -> bool {
    pattern.contains('\\') || pattern.contains("**")
}

fn matcher(pattern: &str) -> Result<GlobMatcher, String> {
    if pattern.len() > GLOB_MAX {
        return Err(format!(
            "a glob of {} bytes is too long, {GLOB_MAX} are allowed",
            pattern.len()
        ));
    }
    if pattern.matches('{').count() > BRACES_MAX {
        return Err(format!("`{pattern}` has too many braces, {BRACES_MAX} pairs are allowed"));
    }
    // Both options differ by platform or by default elsewhere, so they are said.
    let glob = GlobBuilder::new(pattern).literal_separator(false).backslash_escape(true).build();
    glob.map(|glob| glob.compile_matcher())
        .map_err(|problem| format!("`{pattern}` is no glob: {}", problem.kind()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_begins_and_ends_it_is_all_there_is_to_one_star() {
        for (pattern, begins, ends, is_all) in [
            ("etl-*", "etl-", "", true),
            ("*.example.com", "", ".example.com", true),
            ("*", "", "", true),
            ("a*z", "a", "z", true),
            ("a**z", "", "", false),
            ("v?-x", "v", "-x", false),
            ("{a,b}*", "", "", false),
            ("x[a-c]y", "x", "y", false),
            ("a\\*b*c", "", "", false),
        ] {
            let glob = Glob::compile(pattern).unwrap();
            let found = (glob.begins.as_ref(), glob.ends.as_ref(), glob.whole.is_none());
            assert_eq!(found, (begins, ends, is_all), "{pattern}");
        }
        assert!(!Glob::compile("ab*ba").unwrap().matches("aba"), "they do not overlap");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// The first comparisons never say anything else than the library does.
        #[test]
        fn it_says_what_the_library_says(pattern in "[ab*/?\\[\\]{}!,\\\\-]{1,8}", text in "[ab*/?,!\\]-]{0,6}") {
            if let Ok(glob) = Glob::compile(&pattern) {
                prop_assert_eq!(glob.matches(&text), matcher(&pattern).unwrap().is_match(&text));
            }
        }
    }
}
