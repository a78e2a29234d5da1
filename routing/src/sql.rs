//! What a statement is, from its first words, without parsing SQL.
//!
//! No parser knows Trino's dialect, so a tolerant lexer reads tokens (`lexer`), the first of them tell the kind
//! (`kind`), and a `CALL` of `kill_query` gives up the id it kills (`kill`). All three are linear, never fail and
//! look at the first 64 KiB only; "other" is a legal answer. Catalogs and tables are not read yet.

mod kill;
mod kind;
mod lexer;
mod mask;

pub use self::{
    kill::{kill_message, kill_query},
    kind::{StatementKind, kind, kind_of},
    mask::mask,
};

/// The bytes of a statement that are looked at: its kind shows at the beginning, and a long list must cost nothing.
const LOOKED_AT: usize = 64 * 1024;

/// The beginning of a statement, cut between two characters.
fn beginning(sql: &str) -> &str {
    sql.get(..sql.floor_char_boundary(LOOKED_AT)).unwrap_or(sql)
}
