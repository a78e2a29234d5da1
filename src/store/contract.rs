//! What every kind of store does, word for word; one conformance test holds all of them to it.
//!
//! Deadlines, the breaker and the meaning of bytes are not its business ([`SharedStore`](super::SharedStore)).

use std::{fmt::Debug, future::Future, pin::Pin, time::Duration};

use bytes::Bytes;
use thiserror::Error;

use crate::store::{Key, Kind};

/// The answer of a store, when it comes.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, Fault>> + Send + 'a>>;

/// Why the store did not do what was asked.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum Fault {
    /// It did not answer, or not in time; whether it did what was asked is unknown.
    #[error("the store does not answer")]
    Unavailable,
    /// It answered that it will not, in a word of its own such as `OOM`; nothing was done.
    #[error("the store refuses: {0}")]
    Refused(String),
    /// Something that we did not write stands under our key.
    #[error("the store holds something that is not ours")]
    Foreign,
}

/// One write. Nobody asks what stood there before.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Change {
    /// The whole value, whatever stood there; gone after `life`.
    Put {
        /// Its name.
        key: Key,
        /// What it is.
        value: Bytes,
        /// How long it stays unless it is written again.
        life: Duration,
    },
    /// Items at the end of an inbox; the inbox with all its items is gone `life` after the last of them came.
    Push {
        /// The inbox.
        key: Key,
        /// In order.
        items: Vec<Bytes>,
        /// How long the inbox stays.
        life: Duration,
    },
    /// Nothing stands there any more.
    Remove {
        /// Its name.
        key: Key,
    },
}

impl Change {
    /// The whole value under that name.
    pub fn put(key: Key, value: impl Into<Bytes>, life: Duration) -> Self {
        Self::Put { key, value: value.into(), life }
    }

    /// One more item in that inbox.
    pub fn push(key: Key, item: impl Into<Bytes>, life: Duration) -> Self {
        Self::Push { key, items: vec![item.into()], life }
    }

    /// No value under that name.
    pub fn remove(key: Key) -> Self {
        Self::Remove { key }
    }

    /// What it changes.
    pub fn key(&self) -> &Key {
        match self {
            Self::Put { key, .. } | Self::Push { key, .. } | Self::Remove { key } => key,
        }
    }
}

/// Who may.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Claim {
    /// Who asked, until its life is over or it is released.
    Won,
    /// Somebody else, who said this of itself.
    Held(Bytes),
}

/// Bytes under keys that expire. Each call is atomic by itself, but for `apply`, whose changes are atomic one by one.
///
/// Whatever stands under our keys without being ours is overwritten by writes and absent for reads.
pub trait Store: Debug + Send + Sync {
    /// Makes these changes, those of one key in their order. On a fault some may have been made.
    fn apply(&self, changes: Vec<Change>) -> Pending<'_, ()>;

    /// The values that stand there, in the order of the keys.
    fn get_many<'a>(&'a self, keys: &'a [Key]) -> Pending<'a, Vec<Option<Bytes>>>;

    /// The first that asks wins until `life` is over; the same holder wins again and so renews.
    fn claim<'a>(&'a self, key: &'a Key, holder: Bytes, life: Duration) -> Pending<'a, Claim>;

    /// Ends a claim; `false` if it is not this holder's (any more).
    fn release<'a>(&'a self, key: &'a Key, holder: Bytes) -> Pending<'a, bool>;

    /// Writes `value` if exactly `expected` stands there (`None`: nothing does); says whether it did.
    fn replace<'a>(
        &'a self,
        key: &'a Key,
        expected: Option<Bytes>,
        value: Bytes,
        life: Duration,
    ) -> Pending<'a, bool>;

    /// Takes those items out of an inbox that its one reader has had, and reads the oldest of the others, at most so many.
    /// They stay until the reader says that it has had them, since an answer may be lost.
    fn drain<'a>(&'a self, key: &'a Key, had: Vec<Bytes>, most: usize) -> Pending<'a, Vec<Bytes>>;

    /// The members of a kind that is listed, in no order; none of any other kind.
    fn list(&self, kind: Kind) -> Pending<'_, Vec<(Key, Bytes)>>;

    /// Answers if it can do work.
    fn ping(&self) -> Pending<'_, ()>;
}
