//! What one replica tells another in its inbox: what it saw of a query that the other counts, and what it took over.
//!
//! A word is taken out of its inbox after it was heard, so one may come twice and none is lost but with a store that forgets:
//! then what has ended is told again (`said`), and whoever renews his records sees whose they are.

use serde::{Deserialize, Serialize};
use sluice_routing::QueryId;

use super::report::Incarnation;
use crate::{
    queries::Ending,
    trino::head::{ErrorType, PageError},
};

/// One word.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) enum Word {
    /// Its client asked for it here, and its coordinator called it so.
    Seen(Name, Option<Box<str>>),
    /// It has ended here.
    Ended(Name, Told),
    /// That replica counts it from now on.
    Taken(Name, Incarnation),
    /// The statement that waits is not wanted any more: its client's wish, or that of whoever says so in these words.
    Unwanted(Name, Option<Box<str>>),
}

/// A query id as it is written.
pub(super) type Name = Box<str>;

/// How a query ended.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) enum Told {
    Finished,
    Failed { name: String, kind: Box<str>, code: i64 },
    Canceled,
    Gone,
}

impl Word {
    /// Whether nothing that comes later says the same.
    pub(super) fn is_last(&self) -> bool {
        matches!(self, Self::Ended(..) | Self::Unwanted(..))
    }

    /// The query that it is about.
    pub(super) fn id(&self) -> Option<QueryId> {
        match self {
            Self::Seen(name, _)
            | Self::Ended(name, _)
            | Self::Taken(name, _)
            | Self::Unwanted(name, _) => QueryId::parse(name),
        }
    }
}

impl From<&Ending> for Told {
    fn from(ending: &Ending) -> Self {
        match ending {
            Ending::Page(None) => Self::Finished,
            Ending::Page(Some(error)) => Self::Failed {
                name: error.name.clone(),
                kind: error.kind.as_str().into(),
                code: error.code,
            },
            Ending::Canceled => Self::Canceled,
            Ending::Gone | Ending::Abandoned | Ending::Lost => Self::Gone,
        }
    }
}

impl From<Told> for Ending {
    fn from(told: Told) -> Self {
        match told {
            Told::Finished => Self::Page(None),
            Told::Failed { name, kind, code } => {
                Self::Page(Some(PageError { name, kind: ErrorType::of(&kind), code }))
            }
            Told::Canceled => Self::Canceled,
            Told::Gone => Self::Gone,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_are_told_as_they_were() {
        let error = PageError {
            name: "SYNTAX_ERROR".to_owned(),
            kind: ErrorType::of("USER_ERROR"),
            code: 1,
        };
        for ending in
            [Ending::Page(None), Ending::Page(Some(error)), Ending::Canceled, Ending::Gone]
        {
            let word = Word::Ended("20261101_101500_00000_abcde".into(), Told::from(&ending));
            let written = serde_json::to_vec(&vec![word.clone()]).unwrap();
            let read: Vec<Word> = serde_json::from_slice(&written).unwrap();
            assert_eq!(read, [word]);
            let Word::Ended(_, told) = read.into_iter().next().unwrap() else { panic!("a word") };
            assert_eq!(format!("{:?}", Ending::from(told)), format!("{ending:?}"));
        }
    }
}
