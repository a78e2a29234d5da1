//! Statement text as tokens, the way Trino's grammar (`SqlBase.g4`) cuts it, but without ever failing.
//!
//! Comments and white space are skipped; a quote that is never closed runs to the end and says so. It allocates
//! nothing and looks at every byte at most twice.

use std::borrow::Cow;

/// One token, borrowed from the statement.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Token<'a> {
    /// A keyword or a bare identifier, as written.
    Word(&'a str),
    /// The inside of a quoted identifier, doubled quotes still doubled.
    Quoted(&'a str),
    /// The inside of a string literal, doubled quotes still doubled.
    Text(&'a str),
    /// A string or an identifier whose quote is never closed.
    Unclosed(&'a str),
    /// Digits and what sticks to them.
    Number(&'a str),
    /// `=>`, between the name and the value of an argument.
    Arrow,
    /// Any other character.
    Sign(char),
}

impl Token<'_> {
    /// Whether it is the keyword `word`, in any case.
    pub(super) fn is(self, word: &str) -> bool {
        matches!(self, Self::Word(text) if text.eq_ignore_ascii_case(word))
    }
}

/// The tokens of a statement.
#[derive(Clone, Debug)]
pub(super) struct Lexer<'a> {
    rest: &'a str,
}

impl<'a> Lexer<'a> {
    /// Begins at the first token.
    pub(super) fn new(sql: &'a str) -> Self {
        Self { rest: sql }
    }

    /// What has not been read.
    pub(super) fn rest(&self) -> &'a str {
        self.rest
    }

    /// Passes over white space and comments, and says whether there were any.
    pub(super) fn blanks(&mut self) -> bool {
        let before = self.rest.len();
        self.skip_blanks();
        self.rest.len() < before
    }

    /// Passes over what stands between two marks, of which `from` begins with the first; to the end if there is no
    /// second one.
    pub(super) fn pass_behind(&mut self, mark: &str, from: &'a str) {
        let inside = from.get(mark.len()..).unwrap_or_default();
        self.rest = inside.split_once(mark).map_or("", |(_, after)| after);
    }

    fn skip_blanks(&mut self) {
        loop {
            self.rest = self.rest.trim_start();
            self.rest = if let Some(comment) = self.rest.strip_prefix("--") {
                comment.split_once(['\n', '\r']).map_or("", |(_, after)| after)
            } else if let Some(comment) = self.rest.strip_prefix("/*") {
                comment.split_once("*/").map_or("", |(_, after)| after)
            } else {
                return;
            };
        }
    }

    /// Takes characters as long as they belong.
    fn run(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !belongs(c)).unwrap_or(self.rest.len());
        let (run, after) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = after;
        run
    }

    /// Takes what stands between quotes; `inside` begins after the opening one.
    fn quoted(&mut self, inside: &'a str, quote: char) -> Token<'a> {
        let Some((text, after)) = closing(inside, quote).and_then(|end| {
            Some((inside.get(..end)?, inside.get(end + 1..)?)) // all quotes are one byte long
        }) else {
            self.rest = "";
            return Token::Unclosed(inside);
        };
        self.rest = after;
        if quote == '\'' { Token::Text(text) } else { Token::Quoted(text) }
    }
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.skip_blanks();
        let mut characters = self.rest.chars();
        let first = characters.next()?;
        let after = characters.as_str();
        Some(match first {
            '\'' | '"' | '`' => self.quoted(after, first),
            '0'..='9' => Token::Number(self.run(|c| is_word(c) || c == '.')),
            _ if is_word(first) => Token::Word(self.run(is_word)),
            '=' if after.starts_with('>') => {
                self.rest = after.get(1..).unwrap_or_default();
                Token::Arrow
            }
            _ => {
                self.rest = after;
                Token::Sign(first)
            }
        })
    }
}

/// The inside of a literal as it is meant: `it''s` is `it's`.
pub(super) fn literal(inside: &str) -> Cow<'_, str> {
    undoubled(inside, "''", "'")
}

/// The inside of a quoted identifier as it is meant.
pub(super) fn identifier(inside: &str) -> Cow<'_, str> {
    undoubled(inside, "\"\"", "\"")
}

fn undoubled<'a>(inside: &'a str, two: &str, one: &str) -> Cow<'a, str> {
    if inside.contains(two) { inside.replace(two, one).into() } else { inside.into() }
}

/// Trino's identifiers are ASCII; letters of other scripts are let through as part of a word.
fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// Where a quote stands that is not one of a doubled pair.
fn closing(inside: &str, quote: char) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + inside.get(from..)?.find(quote)?;
        if !inside.get(at + 1..)?.starts_with(quote) {
            return Some(at);
        }
        from = at + 2;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Token::*, *};

    fn tokens(sql: &str) -> Vec<Token<'_>> {
        Lexer::new(sql).collect()
    }

    #[test]
    fn words_numbers_quotes_and_signs() {
        let sql = "SELECT 1.5e3, \"a \"\"b\"\"\", 'it''s' FROM t_1 WHERE x=>y;";
        assert_eq!(
            tokens(sql),
            [
                Word("SELECT"),
                Number("1.5e3"),
                Sign(','),
                Quoted("a \"\"b\"\""),
                Sign(','),
                Text("it''s"),
                Word("FROM"),
                Word("t_1"),
                Word("WHERE"),
                Word("x"),
                Arrow,
                Word("y"),
                Sign(';'),
            ]
        );
    }

    #[test]
    fn comments_are_blanks() {
        assert_eq!(
            tokens("-- one\r-- two\n/* three -- ' */ a /**/ - b / c -- the end"),
            [Word("a"), Sign('-'), Word("b"), Sign('/'), Word("c")]
        );
        assert_eq!(tokens("/* never closed"), []);
        assert_eq!(tokens("/*/ a */ b"), [Word("b")]);
    }

    #[test]
    fn comment_marks_inside_quotes_are_text() {
        assert_eq!(tokens("'-- /*' \"/*\" x"), [Text("-- /*"), Quoted("/*"), Word("x")]);
    }

    #[test]
    fn a_quote_that_is_never_closed_says_so() {
        assert_eq!(tokens("a 'b"), [Word("a"), Unclosed("b")]);
        assert_eq!(tokens("'b''"), [Unclosed("b''")]);
        assert_eq!(tokens("''"), [Text("")]);
        assert_eq!(tokens("''''"), [Text("''")]);
    }

    #[test]
    fn doubled_quotes_are_undoubled() {
        assert_eq!(literal("it''s"), "it's");
        assert_eq!(identifier("a\"\"b"), "a\"b");
        assert_eq!(literal("''''"), "''");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn tokens_come_in_order_and_end(sql in "(['\"`]|--|/\\*|\\*/|[=>.;(]|\\s|[a-z0-9_]|.){0,60}") {
            let mut from = 0;
            for token in Lexer::new(&sql) {
                if let Word(text) | Quoted(text) | Text(text) | Unclosed(text) | Number(text) = token {
                    let at = text.as_ptr() as usize - sql.as_ptr() as usize;
                    prop_assert!(at >= from && at + text.len() <= sql.len());
                    from = at + text.len();
                }
            }
        }
    }
}
