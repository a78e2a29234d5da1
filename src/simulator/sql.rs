//! The little of SQL that the simulator understands: words, comments, and what a `kill_query` is called with.

/// The words of a statement without comments.
#[derive(Debug)]
pub(super) struct Words<'a> {
    raw: Vec<&'a str>,
    upper: Vec<String>,
}

/// No statement needs more words to be recognised.
const MOST_WORDS: usize = 64;

impl<'a> Words<'a> {
    pub(super) fn of(statement: &'a str) -> Self {
        let raw: Vec<&str> = statement
            .split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | ',' | ';' | '='))
            .filter(|word| !word.is_empty())
            .take(MOST_WORDS)
            .collect();
        let upper = raw.iter().map(|word| word.to_ascii_uppercase()).collect();
        Self { raw, upper }
    }

    /// The first word in upper case; empty if there is none.
    pub(super) fn first(&self) -> &str {
        self.nth(0)
    }

    pub(super) fn nth(&self, index: usize) -> &str {
        self.upper.get(index).map_or("", String::as_str)
    }

    /// A word as it was written, without double quotes.
    pub(super) fn raw(&self, index: usize) -> &'a str {
        self.raw.get(index).map_or("", |word| word.trim_matches('"'))
    }

    pub(super) fn contains(&self, word: &str) -> bool {
        self.upper.iter().any(|known| known == word)
    }
}

/// The statement without its comments and without blanks around it; literals stay as they are.
pub(super) fn without_comments(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['\'', '"', '-', '/']) {
        let (before, from) = rest.split_at(at);
        kept.push_str(before);
        rest = if from.starts_with("--") {
            kept.push(' ');
            from.split_once('\n').map_or("", |(_, rest)| rest)
        } else if from.starts_with("/*") {
            kept.push(' ');
            from.split_once("*/").map_or("", |(_, rest)| rest)
        } else {
            let (token, rest) = from.split_at(token_length(from));
            kept.push_str(token);
            rest
        };
    }
    kept.push_str(rest);
    kept.trim().trim_end_matches(';').trim_end().to_owned()
}

/// The length of the literal, or of the lone character, at the start.
fn token_length(from: &str) -> usize {
    let Some(quote) = from.chars().next().filter(|c| matches!(c, '\'' | '"')) else { return 1 };
    from.get(1..).and_then(|inner| inner.find(quote)).map_or(from.len(), |end| end + 2)
}

/// What follows the first such word, outside of literals or not: the simulator's users write it plainly.
pub(super) fn after_word<'a>(statement: &'a str, word: &str) -> &'a str {
    let upper = statement.to_ascii_uppercase();
    let found = upper.match_indices(word).find(|(at, _)| {
        let blank = |c: Option<char>| c.is_none_or(char::is_whitespace);
        blank(upper.get(..*at).and_then(|before| before.chars().next_back()))
            && blank(upper.get(at + word.len()..).and_then(|after| after.chars().next()))
    });
    found.and_then(|(at, _)| statement.get(at + word.len()..)).unwrap_or_default().trim()
}

/// Whether a CALL kills a query.
pub(super) fn is_kill_query(statement: &str) -> bool {
    statement.to_ascii_lowercase().contains("kill_query")
}

/// What a `kill_query` is called with: the id, and the message if there is one. NULL is no text.
pub(super) fn kill_arguments(call: &str) -> Vec<(String, Option<String>)> {
    let list = call.split_once('(').map_or("", |(_, list)| list);
    let list = list.rsplit_once(')').map_or(list, |(list, _)| list);
    let named = |(place, argument): (usize, &str)| {
        let (name, value) = match argument.split_once("=>") {
            Some((name, value)) => (name.trim().to_ascii_lowercase(), value),
            None => {
                (["query_id", "message"].get(place).copied().unwrap_or_default().into(), argument)
            }
        };
        let value = value.trim().strip_prefix('\'').and_then(|value| value.strip_suffix('\''));
        (name, value.map(|value| value.replace("''", "'")))
    };
    arguments(list).into_iter().enumerate().map(named).collect()
}

/// Splits at the commas that stand in no literal; a list without words is empty.
fn arguments(list: &str) -> Vec<&str> {
    let mut is_quoted = false;
    let at_comma = |character| {
        is_quoted ^= character == '\'';
        character == ',' && !is_quoted
    };
    list.split(at_comma).filter(|argument| !argument.trim().is_empty()).collect()
}

/// N of `sim.rows(N)`.
pub(super) fn sim_rows(statement: &str) -> Option<u64> {
    let lower = statement.to_ascii_lowercase();
    let (_, rest) = lower.split_once("sim.rows(")?;
    rest.split_once(')')?.0.trim().replace('_', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_go_and_literals_stay() {
        assert_eq!(
            without_comments("/* a */ SELECT '--/*' -- b\n, \"c--\" ;"),
            "SELECT '--/*'  , \"c--\""
        );
        assert_eq!(without_comments("SELECT 6/2 - 1 /* open"), "SELECT 6/2 - 1");
        assert_eq!(without_comments("'open"), "'open");
    }

    #[test]
    fn a_kill_is_taken_apart() {
        let call = "CALL system.runtime.kill_query(query_id => 'x', message => NULL)";
        assert!(is_kill_query(call));
        for (call, expected) in [
            ("kill_query('i')", vec![("query_id", Some("i"))]),
            (
                "kill_query ( 'i' , 'a, ''b''' )",
                vec![("query_id", Some("i")), ("message", Some("a, 'b'"))],
            ),
            (
                "kill_query(Message => 'm', query_id=>'i')",
                vec![("message", Some("m")), ("query_id", Some("i"))],
            ),
            ("kill_query('i', NULL)", vec![("query_id", Some("i")), ("message", None)]),
            ("kill_query()", vec![]),
        ] {
            let found = kill_arguments(call);
            let found: Vec<_> =
                found.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
            assert_eq!(found, expected, "{call}");
        }
    }

    #[test]
    fn the_text_after_a_word_is_found() {
        assert_eq!(after_word("EXECUTE p USING 1, 'a'", "USING"), "1, 'a'");
        assert_eq!(after_word("EXECUTE using_p", "USING"), "");
    }
}
