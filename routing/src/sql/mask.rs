//! A statement without what it says of people: literals, numbers and comments give way to marks.
//!
//! Names stay, so that an operator knows the query again; what stands between quotes or `$$` never does, closed or not.

use super::lexer::{Lexer, Token};

/// The statement on one line, every literal as `'?'`, every number as `?`, comments out.
pub fn mask(sql: &str) -> String {
    let mut lexer = Lexer::new(sql);
    let mut masked = String::with_capacity(sql.len());
    loop {
        let blank = lexer.blanks();
        let before = lexer.rest();
        let Some(token) = lexer.next() else { return masked };
        if blank && !masked.is_empty() {
            masked.push(' ');
        }
        match token {
            Token::Text(_) | Token::Unclosed(_) => masked.push_str("'?'"),
            Token::Number(_) => masked.push('?'),
            // A body of a function in another language.
            Token::Sign('$') if lexer.rest().starts_with('$') => {
                lexer.pass_behind("$$", before);
                masked.push_str("$$?$$");
            }
            Token::Word(_) | Token::Quoted(_) | Token::Arrow | Token::Sign(_) => {
                masked
                    .push_str(before.get(..before.len() - lexer.rest().len()).unwrap_or_default());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn literals_numbers_and_comments_go_and_names_stay() {
        for (sql, masked) in [
            (
                "SELECT  a.\"b c\",\n 'it''s', 1.5e3 FROM t1 WHERE x=>-7",
                "SELECT a.\"b c\", '?', ? FROM t1 WHERE x=>-?",
            ),
            ("-- token abc\nSELECT /* pw */ 1", "SELECT ?"),
            ("SELECT 'never closed", "SELECT '?'"),
            ("SELECT X'65683F', DATE '2020-01-01'", "SELECT X'?', DATE '?'"),
            ("SELECT \"never closed", "SELECT '?'"),
            (
                "CREATE CATALOG x USING y WITH (\"connection-password\" = 'hunter2')",
                "CREATE CATALOG x USING y WITH (\"connection-password\" = '?')",
            ),
            ("a AS $$ secret 'x' $$ b", "a AS $$?$$ b"),
            ("a AS $$ secret", "a AS $$?$$"),
            ("EXECUTE IMMEDIATE 'SELECT ''x'''", "EXECUTE IMMEDIATE '?'"),
            ("", ""),
            ("  -- nothing", ""),
        ] {
            assert_eq!(mask(sql), masked, "{sql}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn nothing_between_quotes_is_left(before in "[a-z =(]{0,9}", after in "(.|'|\")*") {
            let sql = format!("{before}'hunter2{after}");
            prop_assert!(!mask(&sql).contains("hunter2"), "{}", mask(&sql));
        }
    }
}
