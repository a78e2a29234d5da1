//! The kind of a statement, as metrics and rules name it.
//!
//! The first keywords decide; only `CREATE TABLE` is read further, up to the `AS` that makes it a CTAS. What no
//! name fits (`UPDATE`, `ALTER`, `CREATE TABLE (…)`, text that is no SQL) is `other`.

use super::{
    beginning,
    lexer::{Lexer, Token, identifier, literal},
};

/// What a statement does, in the words of the label `statement_type`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum StatementKind {
    /// `SELECT`, `WITH`, `VALUES`, `TABLE`, or a parenthesis.
    Query,
    /// `CREATE TABLE … AS`.
    Ctas,
    /// `INSERT`.
    Insert,
    /// `MERGE`.
    Merge,
    /// `DELETE`.
    Delete,
    /// `DROP`, but of a role.
    Drop,
    /// `CREATE VIEW`, materialised ones included.
    CreateView,
    /// `CREATE SCHEMA`.
    CreateSchema,
    /// `SHOW CATALOGS`.
    ShowCatalogs,
    /// `SHOW SCHEMAS`.
    ShowSchemas,
    /// `SHOW TABLES`.
    ShowTables,
    /// Who may do what: `GRANT`, `REVOKE`, `DENY`, roles, `SET SESSION AUTHORIZATION`.
    Policy,
    /// Session, transactions, explanations and everything else that reads no table: `SET`, `USE`, `EXPLAIN`, `CALL`.
    Utility,
    /// None of these, or not known.
    Other,
}

impl StatementKind {
    /// All kinds, for metrics that show every series from the start.
    pub const ALL: [Self; 14] = [
        Self::Query,
        Self::Ctas,
        Self::Insert,
        Self::Merge,
        Self::Delete,
        Self::Drop,
        Self::CreateView,
        Self::CreateSchema,
        Self::ShowCatalogs,
        Self::ShowSchemas,
        Self::ShowTables,
        Self::Policy,
        Self::Utility,
        Self::Other,
    ];

    /// The word in metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Ctas => "ctas",
            Self::Insert => "insert",
            Self::Merge => "merge",
            Self::Delete => "delete",
            Self::Drop => "drop",
            Self::CreateView => "create_view",
            Self::CreateSchema => "create_schema",
            Self::ShowCatalogs => "show_catalogs",
            Self::ShowSchemas => "show_schemas",
            Self::ShowTables => "show_tables",
            Self::Policy => "policy",
            Self::Utility => "utility",
            Self::Other => "other",
        }
    }
}

/// Tells the kind of a statement; an `EXECUTE` of a prepared one stays `other`.
pub fn kind(sql: &str) -> StatementKind {
    kind_of(sql, |_| None)
}

/// Tells the kind of a statement; `EXECUTE name` is what `prepared` gives for that name, `EXECUTE IMMEDIATE` its text.
pub fn kind_of(sql: &str, prepared: impl Fn(&str) -> Option<String>) -> StatementKind {
    let mut tokens = Lexer::new(beginning(sql));
    if !tokens.next().is_some_and(|first| first.is("EXECUTE")) {
        return direct(sql);
    }
    // Trino runs no EXECUTE from within another, so one step is all there is.
    match (tokens.next(), tokens.next()) {
        (Some(first), Some(Token::Text(text) | Token::Unclosed(text))) if first.is("IMMEDIATE") => {
            direct(&literal(text))
        }
        (Some(Token::Word(name)), _) => {
            prepared(name).map_or(StatementKind::Other, |sql| direct(&sql))
        }
        (Some(Token::Quoted(name)), _) => {
            prepared(&identifier(name)).map_or(StatementKind::Other, |sql| direct(&sql))
        }
        _ => StatementKind::Other,
    }
}

/// First words that tell the kind alone.
const FIRST_WORDS: [(&str, StatementKind); 22] = [
    ("SELECT", StatementKind::Query),
    ("WITH", StatementKind::Query),
    ("VALUES", StatementKind::Query),
    ("TABLE", StatementKind::Query),
    ("INSERT", StatementKind::Insert),
    ("MERGE", StatementKind::Merge),
    ("DELETE", StatementKind::Delete),
    ("GRANT", StatementKind::Policy),
    ("REVOKE", StatementKind::Policy),
    ("DENY", StatementKind::Policy),
    ("EXPLAIN", StatementKind::Utility),
    ("DESCRIBE", StatementKind::Utility),
    ("DESC", StatementKind::Utility),
    ("USE", StatementKind::Utility),
    ("PREPARE", StatementKind::Utility),
    ("DEALLOCATE", StatementKind::Utility),
    ("CALL", StatementKind::Utility),
    ("ANALYZE", StatementKind::Utility),
    ("COMMENT", StatementKind::Utility),
    ("START", StatementKind::Utility),
    ("COMMIT", StatementKind::Utility),
    ("ROLLBACK", StatementKind::Utility),
];

/// The kind of a statement that is no `EXECUTE`.
fn direct(sql: &str) -> StatementKind {
    let mut tokens = Lexer::new(beginning(sql));
    let first = match tokens.next() {
        Some(word @ Token::Word(_)) => word,
        Some(Token::Sign('(')) => return StatementKind::Query,
        _ => return StatementKind::Other,
    };
    if let Some((_, kind)) = FIRST_WORDS.iter().find(|(word, _)| first.is(word)) {
        *kind
    } else if first.is("CREATE") {
        created(tokens)
    } else if first.is("DROP") {
        dropped(tokens)
    } else if first.is("SHOW") {
        shown(tokens)
    } else if first.is("SET") || first.is("RESET") {
        set(tokens)
    } else {
        StatementKind::Other
    }
}

fn next_is(tokens: &mut Lexer<'_>, word: &str) -> bool {
    tokens.next().is_some_and(|token| token.is(word))
}

/// After `CREATE`.
fn created(tokens: Lexer<'_>) -> StatementKind {
    let mut tokens = tokens
        .skip_while(|token| ["OR", "REPLACE", "MATERIALIZED"].iter().any(|word| token.is(word)));
    match tokens.next() {
        Some(what) if what.is("TABLE") && selects(tokens) => StatementKind::Ctas,
        Some(what) if what.is("VIEW") => StatementKind::CreateView,
        Some(what) if what.is("SCHEMA") => StatementKind::CreateSchema,
        Some(what) if what.is("ROLE") => StatementKind::Policy,
        _ => StatementKind::Other,
    }
}

/// Whether an `AS` follows outside parentheses: columns and properties stand within them.
fn selects<'a>(tokens: impl Iterator<Item = Token<'a>>) -> bool {
    let mut depth = 0_usize;
    for token in tokens {
        match token {
            Token::Sign('(') => depth += 1,
            Token::Sign(')') => depth = depth.saturating_sub(1),
            _ if depth == 0 && token.is("AS") => return true,
            _ => {}
        }
    }
    false
}

/// After `DROP`.
fn dropped(mut tokens: Lexer<'_>) -> StatementKind {
    match tokens.next() {
        Some(what) if what.is("ROLE") => StatementKind::Policy,
        Some(_) => StatementKind::Drop,
        None => StatementKind::Other,
    }
}

/// After `SHOW`.
fn shown(mut tokens: Lexer<'_>) -> StatementKind {
    match tokens.next() {
        Some(what) if what.is("CATALOGS") => StatementKind::ShowCatalogs,
        Some(what) if what.is("SCHEMAS") => StatementKind::ShowSchemas,
        Some(what) if what.is("TABLES") => StatementKind::ShowTables,
        Some(_) => StatementKind::Utility,
        None => StatementKind::Other,
    }
}

/// After `SET` or `RESET`: a role and another user are policy, a property is not.
fn set(mut tokens: Lexer<'_>) -> StatementKind {
    match tokens.next() {
        Some(what) if what.is("ROLE") => StatementKind::Policy,
        Some(what) if what.is("SESSION") && next_is(&mut tokens, "AUTHORIZATION") => {
            StatementKind::Policy
        }
        Some(_) => StatementKind::Utility,
        None => StatementKind::Other,
    }
}

#[cfg(test)]
mod tests;
