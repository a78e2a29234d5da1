//! Rules as they are written: a name, a condition, a group.
//!
//! Plain data, without any check: `compile` makes them ready to be asked, and says what is wrong with them.

use std::fmt;

use crate::ids::GroupName;

/// A fact that a rule looks at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Field {
    /// `X-Trino-Source`.
    Source,
    /// Who asks.
    User,
    /// The host that the client asked, in any case.
    Host,
    /// Any one of the client tags.
    ClientTags,
    /// `X-Trino-Catalog`.
    Catalog,
    /// `X-Trino-Schema`.
    Schema,
    /// Any one line of the header of that name, in any case.
    Header(String),
}

/// What must hold for a rule to claim a statement.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Condition {
    /// The field is there and one of the patterns matches it.
    Is(Field, Vec<String>),
    /// All of these hold.
    All(Vec<Condition>),
    /// At least one of these holds.
    Any(Vec<Condition>),
    /// This does not hold.
    Not(Box<Condition>),
}

/// Who goes where; of several rules the first whose condition holds wins.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rule {
    /// Unique; a value of the label `rule`.
    pub name: String,
    /// The condition.
    pub when: Condition,
    /// Where matching statements go.
    pub group: GroupName,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source => f.write_str("source"),
            Self::User => f.write_str("user"),
            Self::Host => f.write_str("host"),
            Self::ClientTags => f.write_str("clientTags"),
            Self::Catalog => f.write_str("catalog"),
            Self::Schema => f.write_str("schema"),
            Self::Header(name) => write!(f, "header {name}"),
        }
    }
}
