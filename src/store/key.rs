//! The names of what is kept: a kind out of a closed list, and an id within it.

use std::{fmt, sync::Arc};

/// What a value is about.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Kind {
    /// Which backend and replica a query belongs to, by query id.
    Query,
    /// A statement that waits, by the id that its client was given.
    Waiting,
    /// What a synthetic id stands for since the hand-over.
    Alias,
    /// What a replica says of itself, by its incarnation.
    Report,
    /// What others tell a replica, by its incarnation.
    Inbox,
    /// What an operator said of a backend.
    Mark,
    /// Who may do something that only one may do.
    Lease,
    /// What was learned, such as how long a backend takes to wake.
    Learned,
    /// The backend of something that bears no query id, by a digest of its name.
    Tie,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Query,
        Self::Waiting,
        Self::Alias,
        Self::Report,
        Self::Inbox,
        Self::Mark,
        Self::Lease,
        Self::Learned,
        Self::Tie,
    ];

    /// Its part of a key.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Waiting => "waiting",
            Self::Alias => "alias",
            Self::Report => "report",
            Self::Inbox => "inbox",
            Self::Mark => "mark",
            Self::Lease => "lease",
            Self::Learned => "learned",
            Self::Tie => "tie",
        }
    }

    /// Whether its members can be listed. They are few, and stand in one slot of a cluster; all others are spread.
    pub const fn is_listed(self) -> bool {
        matches!(self, Self::Report | Self::Mark | Self::Learned)
    }

    /// Whether its values carry credentials, and so leave the process only sealed.
    pub const fn is_secret(self) -> bool {
        matches!(self, Self::Waiting | Self::Alias)
    }
}

/// The name of one value.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Key {
    /// What it is about.
    pub kind: Kind,
    /// Which one.
    pub id: Arc<str>,
}

impl Key {
    /// The value `id` of that kind.
    pub fn new(kind: Kind, id: impl Into<Arc<str>>) -> Self {
        Self { kind, id: id.into() }
    }
}

/// For messages; ids of kinds that are secret are no secrets themselves.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.as_str(), self.id)
    }
}
