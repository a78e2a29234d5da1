//! One life of a coordinator: its ids, its queries, its transactions. A restart makes a new one.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

use super::failure::Failure;
use super::options::{Login, Options};
use super::query::{End, Query};
use super::spooling::Segments;
use super::{login, slug};

/// What lives as long as the process of a coordinator.
#[derive(Debug)]
pub(super) struct Coordinator {
    pub(super) options: Arc<Options>,
    /// The listener's address, `127.0.0.1:8080`.
    pub(super) own: String,
    /// The suffix of its query ids.
    pub(super) id: String,
    pub(super) node_id: String,
    pub(super) started: Instant,
    pub(super) segments: Segments,
    pub(super) logins: login::Logins,
    /// Permits of `max_running`.
    pub(super) running: Arc<Semaphore>,
    /// Permits of `max_queued`.
    pub(super) waiting: Arc<Semaphore>,
    /// Told when a query ends, so that a queued one can take its place.
    pub(super) freed: Notify,
    is_starting: AtomicBool,
    number: AtomicU64,
    queries: Mutex<Queries>,
    transactions: Mutex<HashSet<String>>,
    /// How often a statement's fault at its POST has been played.
    faults: Mutex<HashMap<String, u32>>,
}

#[derive(Debug, Default)]
struct Queries {
    by_id: HashMap<String, Arc<Query>>,
    order: VecDeque<String>,
}

/// Queries kept; the oldest go first, ended or not. More than any test has, little enough for a long benchmark.
const MOST_QUERIES: usize = 20_000;
/// The characters of a coordinator id, as in Trino's `QueryIdGenerator`.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

impl Coordinator {
    pub(super) fn new(options: Arc<Options>, own: String, id: Option<String>) -> Self {
        let running = Arc::new(Semaphore::new(options.max_running));
        let waiting = Arc::new(Semaphore::new(options.max_queued));
        Self {
            own,
            id: id.unwrap_or_else(random_id),
            node_id: slug::uuid(),
            started: Instant::now(),
            segments: Segments::default(),
            logins: login::Logins::default(),
            running,
            waiting,
            freed: Notify::new(),
            is_starting: AtomicBool::new(false),
            number: AtomicU64::new(0),
            queries: Mutex::default(),
            transactions: Mutex::default(),
            faults: Mutex::default(),
            options,
        }
    }

    pub(super) fn is_starting(&self) -> bool {
        self.is_starting.load(Ordering::Acquire)
            || self.started.elapsed() < self.options.starting_for
    }

    pub(super) fn set_starting(&self, is_starting: bool) {
        self.is_starting.store(is_starting, Ordering::Release);
    }

    /// The next query id, `20241030_150409_00000_zhg55`.
    pub(super) fn next_id(&self) -> String {
        let number = self.number.fetch_add(1, Ordering::Relaxed) % 100_000;
        let now = jiff::Timestamp::now().strftime("%Y%m%d_%H%M%S");
        format!("{now}_{number:05}_{}", self.id)
    }

    pub(super) fn add(&self, query: Query) -> Arc<Query> {
        let query = Arc::new(query);
        let mut queries = locked(&self.queries);
        queries.by_id.insert(query.id.clone(), Arc::clone(&query));
        queries.order.push_back(query.id.clone());
        if queries.order.len() > MOST_QUERIES
            && let Some(oldest) = queries.order.pop_front()
        {
            queries.by_id.remove(&oldest);
        }
        query
    }

    pub(super) fn query(&self, id: &str) -> Option<Arc<Query>> {
        locked(&self.queries).by_id.get(id).map(Arc::clone)
    }

    /// A query that somebody has polled: before that, only the statement resource knows it.
    pub(super) fn submitted(&self, id: &str) -> Option<Arc<Query>> {
        self.query(id).filter(|query| query.life().submitted.is_some())
    }

    /// All queries, the oldest first.
    pub(super) fn queries(&self) -> Vec<Arc<Query>> {
        let queries = locked(&self.queries);
        queries.order.iter().filter_map(|id| queries.by_id.get(id)).map(Arc::clone).collect()
    }

    /// Ends a query with an error, unless it has ended.
    pub(super) fn fail(&self, query: &Query, failure: Failure) -> bool {
        let ended = query.end(End::Failed(failure));
        self.freed.notify_waiters();
        ended
    }

    /// Fails every query that nobody has polled for too long.
    pub(super) fn give_up_abandoned(&self) {
        for query in self.queries() {
            let silence = query.life().last_sign.elapsed();
            if silence > self.options.abandon_after {
                let message = format!(
                    "Query {} was abandoned by the client, as it may have exited or stopped checking for query results. Query results have not been accessed since then",
                    query.id
                );
                self.fail(&query, Failure::new("ABANDONED_QUERY", message));
            }
        }
    }

    /// Opens a transaction.
    pub(super) fn begin(&self) -> String {
        let id = slug::uuid();
        locked(&self.transactions).insert(id.clone());
        id
    }

    pub(super) fn has_transaction(&self, id: &str) -> bool {
        locked(&self.transactions).contains(id)
    }

    /// Closes a transaction; whether there was one.
    pub(super) fn close(&self, id: &str) -> bool {
        locked(&self.transactions).remove(id)
    }

    pub(super) fn transactions(&self) -> usize {
        locked(&self.transactions).len()
    }

    /// Whether a statement's fault at the POST is played once more.
    pub(super) fn plays_fault(&self, statement: &str, times: u32) -> bool {
        let mut faults = locked(&self.faults);
        let played = faults.entry(statement.to_owned()).or_default();
        *played = played.saturating_add(1);
        *played <= times
    }

    /// Whether requests must say more than a user's name.
    pub(super) fn wants_login(&self) -> bool {
        self.options.login != Login::Nobody
    }
}

/// Five random characters.
fn random_id() -> String {
    slug::random()
        .iter()
        .take(5)
        .filter_map(|byte| ALPHABET.get(usize::from(byte % 32)))
        .map(|byte| char::from(*byte))
        .collect()
}

/// A lock that a panic elsewhere does not take away.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
