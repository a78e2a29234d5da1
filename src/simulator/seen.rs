//! What a simulator was asked: the requests, for tests to inspect, and counts of them.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::{HeaderMap, Method, Uri};

use super::coordinator::locked;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    /// GET, POST, …
    pub method: Method,
    /// The path with its query string.
    pub path: String,
    /// All headers, in their order of arrival within a name.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// Counts the connections of this simulator from 1.
    pub connection: u64,
}

impl Seen {
    /// The first value of a header, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// How much a simulator has done since it was made; restarts do not reset it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections accepted.
    pub connections: u64,
    /// Connections open now.
    pub open: u64,
    /// Requests of every kind.
    pub requests: u64,
    /// `POST /v1/statement`.
    pub statements: u64,
    /// GETs of a nextUri.
    pub polls: u64,
    /// DELETEs of a nextUri.
    pub cancels: u64,
    /// HEADs of a nextUri.
    pub heartbeats: u64,
    /// GETs of `/v1/info`.
    pub probes: u64,
    /// Queries of this life that have not ended, polled or not.
    pub living: u64,
    /// Transactions of this life that are open.
    pub transactions: u64,
    /// Spooled segments of this life that nobody has acknowledged.
    pub segments: u64,
}

/// Keeps requests and counts.
#[derive(Debug, Default)]
pub(super) struct Record {
    kept: Mutex<VecDeque<Seen>>,
    pub(super) connections: AtomicU64,
    pub(super) open: AtomicU64,
    requests: AtomicU64,
    statements: AtomicU64,
    polls: AtomicU64,
    cancels: AtomicU64,
    heartbeats: AtomicU64,
    probes: AtomicU64,
}

impl Record {
    pub(super) fn count(&self, method: &Method, uri: &Uri) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let path = uri.path();
        let counter = match (method, path) {
            (&Method::POST, "/v1/statement") => &self.statements,
            (&Method::GET, "/v1/info") => &self.probes,
            _ if !path.starts_with("/v1/statement/") => return,
            (&Method::GET, _) => &self.polls,
            (&Method::DELETE, _) => &self.cancels,
            (&Method::HEAD, _) => &self.heartbeats,
            _ => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn keep(&self, seen: Seen, most: usize) {
        let mut kept = locked(&self.kept);
        kept.push_back(seen);
        while kept.len() > most {
            kept.pop_front();
        }
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        locked(&self.kept).iter().cloned().collect()
    }

    pub(super) fn forget(&self) {
        locked(&self.kept).clear();
    }

    pub(super) fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            connections: read(&self.connections),
            open: read(&self.open),
            requests: read(&self.requests),
            statements: read(&self.statements),
            polls: read(&self.polls),
            cancels: read(&self.cancels),
            heartbeats: read(&self.heartbeats),
            probes: read(&self.probes),
            ..Counts::default()
        }
    }
}
