//! The query that a `CALL system.runtime.kill_query(…)` is about.
//!
//! Only a literal that the call itself names counts: not an id in its message, in a comment, or in the text of
//! another statement. Whether the caller may kill is Trino's to say.

use super::{
    beginning,
    lexer::{Lexer, Token, literal},
};
use crate::ids::QueryId;

/// Gives the id that the statement kills; `catalog` and `schema` are the session's.
pub fn kill_query(sql: &str, catalog: Option<&str>, schema: Option<&str>) -> Option<QueryId> {
    let mut tokens = Lexer::new(beginning(sql));
    let first = tokens.next()?;
    if first.is("CALL") {
        return called(tokens, catalog, schema);
    }
    // Clients that bind parameters send every statement as EXECUTE IMMEDIATE '…'.
    if first.is("EXECUTE") && tokens.next()?.is("IMMEDIATE") {
        let Some(Token::Text(text)) = tokens.next() else { return None };
        let inner = literal(text);
        let mut tokens = Lexer::new(&inner);
        return tokens.next()?.is("CALL").then(|| called(tokens, catalog, schema)).flatten();
    }
    None
}

/// Gives the message of a call that `kill_query` has recognised, if it is a literal.
pub fn kill_message(sql: &str) -> Option<String> {
    let mut tokens = Lexer::new(beginning(sql));
    if tokens.next()?.is("EXECUTE") {
        tokens.next()?;
        let Token::Text(text) = tokens.next()? else { return None };
        let inner = literal(text);
        let mut tokens = Lexer::new(&inner);
        return tokens.next()?.is("CALL").then(|| message(tokens)).flatten();
    }
    message(tokens)
}

/// Reads the arguments after the call's name: the second one, or the one named `message`.
fn message(mut tokens: Lexer<'_>) -> Option<String> {
    while tokens.next()? != Token::Sign('(') {}
    let mut place = 0_usize;
    loop {
        let mut ahead = tokens.clone();
        let name = match ahead.next()? {
            Token::Word(name) | Token::Quoted(name) => Some(name),
            _ => None,
        };
        let name = name.filter(|_| ahead.next() == Some(Token::Arrow));
        if name.is_some() {
            tokens = ahead;
        }
        if name.map_or(place == 1, |name| name.eq_ignore_ascii_case("message")) {
            return match tokens.next()? {
                Token::Text(text) => Some(literal(text).into_owned()),
                _ => None,
            };
        }
        skip_value(&mut tokens)?;
        place += 1;
    }
}

/// After `CALL`.
fn called(mut tokens: Lexer<'_>, catalog: Option<&str>, schema: Option<&str>) -> Option<QueryId> {
    names_kill_query(&mut tokens, catalog, schema).then(|| argument(tokens)).flatten()
}

/// Reads the procedure's name and the parenthesis after it; tells whether it is `system.runtime.kill_query`.
fn names_kill_query(tokens: &mut Lexer<'_>, catalog: Option<&str>, schema: Option<&str>) -> bool {
    // The session's catalog and schema stand in for what the name leaves out.
    let mut parts = [catalog, schema, None];
    let mut given = 0_usize;
    loop {
        let Some(Token::Word(part) | Token::Quoted(part)) = tokens.next() else { return false };
        given += 1;
        parts = match (given, parts) {
            (1, [catalog, schema, _]) => [catalog, schema, Some(part)],
            (2, [catalog, _, first]) => [catalog, first, Some(part)],
            (3, [_, first, second]) => [first, second, Some(part)],
            _ => return false,
        };
        match tokens.next() {
            Some(Token::Sign('.')) => {}
            Some(Token::Sign('(')) => break,
            _ => return false,
        }
    }
    let wanted = ["system", "runtime", "kill_query"];
    parts
        .iter()
        .zip(wanted)
        .all(|(part, wanted)| part.is_some_and(|part| part.eq_ignore_ascii_case(wanted)))
}

/// Reads the arguments: the first one, or the one named `query_id`.
fn argument(mut tokens: Lexer<'_>) -> Option<QueryId> {
    loop {
        let first = tokens.next()?;
        if let Token::Text(id) = first {
            return alone(&mut tokens, id);
        }
        let (Token::Word(name) | Token::Quoted(name)) = first else { return None };
        if tokens.next()? != Token::Arrow {
            return None;
        }
        if name.eq_ignore_ascii_case("query_id") {
            let Token::Text(id) = tokens.next()? else { return None };
            return alone(&mut tokens, id);
        }
        skip_value(&mut tokens)?;
    }
}

/// An id that is the whole argument: a comma or the call's end follows.
fn alone(tokens: &mut Lexer<'_>, id: &str) -> Option<QueryId> {
    let ends = matches!(tokens.next()?, Token::Sign(',' | ')'));
    ends.then(|| QueryId::parse(id)).flatten()
}

/// Passes one value and the comma after it; `None` if the call ends there.
fn skip_value(tokens: &mut Lexer<'_>) -> Option<()> {
    let mut depth = 0_usize;
    loop {
        match tokens.next()? {
            Token::Sign('(') => depth += 1,
            Token::Sign(')') => depth = depth.checked_sub(1)?,
            Token::Sign(',') if depth == 0 => return Some(()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
