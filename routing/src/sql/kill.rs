//! The query that a `CALL system.runtime.kill_query(…)` is about, and what its client is told.
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
    let id = read(sql, catalog, schema, |tokens| argument(tokens, 0))?;
    QueryId::parse(&id)
}

/// Gives what the statement wants the killed query's client to be told: a literal, or nothing.
pub fn kill_message(sql: &str, catalog: Option<&str>, schema: Option<&str>) -> Option<String> {
    read(sql, catalog, schema, |tokens| argument(tokens, 1))
}

/// Reads the arguments of a statement that is a `kill_query`.
fn read<T>(
    sql: &str,
    catalog: Option<&str>,
    schema: Option<&str>,
    arguments: impl FnOnce(Lexer<'_>) -> Option<T>,
) -> Option<T> {
    let mut tokens = Lexer::new(beginning(sql));
    let first = tokens.next()?;
    if first.is("CALL") {
        return names_kill_query(&mut tokens, catalog, schema).then(|| arguments(tokens)).flatten();
    }
    // Clients that bind parameters send every statement as EXECUTE IMMEDIATE '…'.
    if first.is("EXECUTE") && tokens.next()?.is("IMMEDIATE") {
        let Some(Token::Text(text)) = tokens.next() else { return None };
        let inner = literal(text);
        let mut tokens = Lexer::new(&inner);
        let is_kill = tokens.next()?.is("CALL") && names_kill_query(&mut tokens, catalog, schema);
        return is_kill.then(|| arguments(tokens)).flatten();
    }
    None
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

/// The parameters of the procedure, in their order.
const PARAMETERS: [&str; 2] = ["query_id", "message"];

/// Reads the literal that stands for a parameter, by its place or by its name.
fn argument(mut tokens: Lexer<'_>, wanted: usize) -> Option<String> {
    let name = PARAMETERS.get(wanted)?;
    for place in 0.. {
        let mut behind = tokens.clone();
        let is_named = match (behind.next()?, behind.next()?) {
            (Token::Word(said) | Token::Quoted(said), Token::Arrow) => {
                tokens = behind;
                Some(said.eq_ignore_ascii_case(name))
            }
            _ => None,
        };
        if is_named.unwrap_or(place == wanted) {
            let Token::Text(text) = tokens.next()? else { return None };
            let ends = matches!(tokens.next()?, Token::Sign(',' | ')'));
            return ends.then(|| literal(text).into_owned());
        }
        skip_value(&mut tokens)?;
    }
    None
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
