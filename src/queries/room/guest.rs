//! A statement as it comes to a waiting room, what it weighs there, and why it may not come in.

use std::sync::Arc;

use crate::{
    metrics::Unavailable,
    queries::{
        Lease,
        query::{About, Statement},
    },
};

/// A statement that is to wait.
#[derive(Debug)]
pub struct Guest {
    /// What it is counted and reported with.
    pub about: About,
    /// What is to be sent when its turn comes.
    pub statement: Arc<Statement>,
    /// Its place in the count.
    pub lease: Lease,
}

/// A statement that may not wait.
#[derive(Debug)]
pub struct Refused {
    /// Why.
    pub full: Full,
    /// It goes back as it came.
    pub guest: Guest,
}

/// Why a waiting room takes nobody in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Full {
    /// `coldStart.maxWaiting`.
    Count,
    /// `coldStart.maxWaitingPerUser`.
    PerUser,
    /// `coldStart.maxWaitingBytes`.
    Bytes,
    /// The gateway stops.
    Stopping,
    /// The operating system gave no randomness for the statement's secret, or no date for its id.
    NoSecret,
}

impl Full {
    /// The reason of the 503.
    pub const fn reason(self) -> Unavailable {
        match self {
            Self::Stopping => Unavailable::Stopping,
            Self::Count | Self::PerUser | Self::Bytes | Self::NoSecret => Unavailable::QueueFull,
        }
    }

    /// For people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Count => "too many statements wait (coldStart.maxWaiting)",
            Self::PerUser => "too many statements of this user wait (coldStart.maxWaitingPerUser)",
            Self::Bytes => {
                "the statements that wait take too much memory (coldStart.maxWaitingBytes)"
            }
            Self::Stopping => "the gateway is stopping",
            Self::NoSecret => "the operating system gives no randomness",
        }
    }
}

impl Guest {
    /// SQL and headers.
    pub(super) fn bytes(&self) -> u64 {
        let headers = self.statement.headers.iter();
        let headers: usize = headers.map(|(name, value)| name.as_str().len() + value.len()).sum();
        u64::try_from(self.statement.body.len().saturating_add(headers)).unwrap_or(u64::MAX)
    }
}
