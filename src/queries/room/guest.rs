//! A statement as it comes to a waiting room, what it weighs there, and why it may not come in.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue};

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

    /// Cuts it loose from the connection that it came on: what was parsed are slices of whole read buffers, and
    /// each would keep all of its buffer for as long as the statement waits.
    pub(super) fn cut_loose(mut self) -> Self {
        self.about.traceparent = self.about.traceparent.as_ref().map(copy_of);
        if let Some(statement) = Arc::get_mut(&mut self.statement) {
            statement.body = Bytes::copy_from_slice(&statement.body);
            statement.headers = copied(&statement.headers);
        }
        self
    }
}

fn copy_of(value: &HeaderValue) -> HeaderValue {
    HeaderValue::from_bytes(value.as_bytes()).unwrap_or_else(|_| value.clone())
}

/// The same headers, their values in one piece of memory.
fn copied(headers: &HeaderMap) -> HeaderMap {
    let mut values = BytesMut::with_capacity(headers.values().map(HeaderValue::len).sum());
    headers.values().for_each(|value| values.extend_from_slice(value.as_bytes()));
    let mut values = values.freeze();
    let mut copies = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let bytes = values.split_to(value.len());
        let mut copy = HeaderValue::from_maybe_shared(bytes).unwrap_or_else(|_| value.clone());
        copy.set_sensitive(value.is_sensitive());
        copies.append(name.clone(), copy);
    }
    copies
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copied_headers_are_the_same_headers() {
        let mut headers = HeaderMap::new();
        headers.append("x-trino-user", HeaderValue::from_static("alice"));
        headers.append("x-trino-session", HeaderValue::from_static("a=1"));
        headers.append("x-trino-session", HeaderValue::from_static("b=2"));
        let mut secret = HeaderValue::from_bytes(b"Basic \xe4=").unwrap();
        secret.set_sensitive(true);
        headers.append("authorization", secret);
        headers.append("x-empty", HeaderValue::from_static(""));
        let copies = copied(&headers);
        assert_eq!(copies, headers);
        assert!(copies["authorization"].is_sensitive() && !copies["x-trino-user"].is_sensitive());
        let at = |value: &HeaderValue| value.as_bytes().as_ptr().addr();
        assert!(
            headers
                .values()
                .zip(copies.values())
                .all(|(one, other)| { one.is_empty() || at(one) != at(other) })
        );
    }
}
