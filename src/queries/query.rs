//! One query: which backend serves it, what was last heard of it, and whether it still counts.
//!
//! A query counts as long as it holds its lease. It is ended exactly once, by whoever takes the lease out
//! (rule L3), and stays findable afterwards. The statement itself is kept only while it may be sent again.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU8, AtomicU16, AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::HeaderMap;
use sluice_routing::{BackendName, GroupName, QueryId, StatementKind};
use tokio::time::Instant;

use crate::{
    metrics::{GroupMetrics, QueryEvent, QueryStatus},
    moment,
    queries::{
        Kept, Lease,
        ledger::RESUMING,
        stake::{Sight, Stake},
        story::{End, Untold},
    },
    telemetry::{context::KeptTrace, traces::query::QuerySpan},
    trino::head::{PageError, State},
};

/// A query that a coordinator gave an id to.
#[derive(Debug)]
pub struct Query {
    /// Trino's id.
    pub id: QueryId,
    /// The backend that serves it; it never moves.
    pub backend: BackendName,
    /// The group it was sent to.
    pub group: GroupName,
    /// What it is counted and reported with.
    pub about: About,
    stake: Mutex<Stake>,
    statement: ArcSwapOption<Statement>,
    latest: AtomicU64,
    /// Microseconds after its POST was accepted, when it was last asked for.
    seen: AtomicU64,
    streaming: AtomicU16,
    polls: AtomicU16,
    marks: AtomicU8,
    relay: OnceLock<Box<Relay>>,
}

/// What is known of a query that took the place of another one, or gave its own away: few did.
#[derive(Debug, Default)]
struct Relay {
    successor: OnceLock<QueryId>,
    entrance: OnceLock<Box<str>>,
}

/// Its answers carry spooled segments.
const SPOOLED: u8 = 1;
/// A page has said that it runs.
const RUNNING: u8 = 1 << 1;
/// A page with rows has passed, or may have.
const ROWS: u8 = 1 << 2;

/// What is known of a query from its POST.
#[derive(Clone, Debug)]
pub struct About {
    /// The counters of its group.
    pub metrics: Arc<GroupMetrics>,
    /// What its statement does.
    pub kind: StatementKind,
    /// When its POST was accepted.
    pub accepted: Instant,
    /// Who asked, for the log.
    pub user: Option<Arc<str>>,
    /// The trace that its POST belonged to; polls without one of their own continue it.
    pub trace: Option<KeptTrace>,
    /// What a collector is told of it; absent unless its trace is exported.
    pub span: Option<Arc<QuerySpan>>,
    /// What else is known of it, until its end is told.
    pub origin: Untold,
}

/// A statement as the client sent it, kept while it may be sent again (promise 7).
#[derive(Debug)]
pub struct Statement {
    /// The SQL.
    pub body: Bytes,
    /// The client's headers, hop-by-hop ones taken out.
    pub headers: HeaderMap,
    /// Its room among all kept statements; one without is never sent again.
    pub kept: Option<Arc<Kept>>,
    /// Whether it belongs to a transaction, and so never moves.
    pub in_transaction: bool,
    /// Who asked, for `userHash`.
    pub user: Option<String>,
}

/// How a query came to its end.
#[derive(Clone, Debug)]
pub enum Ending {
    /// A page without `nextUri`, with its error if it had one.
    Page(Option<PageError>),
    /// A DELETE that was answered with 2xx.
    Canceled,
    /// 404 or 410 to the latest `nextUri`.
    Gone,
    /// Nobody asked for it any more.
    Abandoned,
    /// The process that it ran in has ended.
    Lost,
}

impl About {
    /// Names the trace of a query that has ended after so long.
    pub(super) fn exemplar(&self, took: Duration) {
        if let Some(trace) = self.trace {
            self.metrics.query_exemplar(self.kind, took, &trace.context());
        }
    }

    /// The id of that trace.
    pub fn trace_id(&self) -> Option<String> {
        Some(self.trace?.context().trace_id().to_owned())
    }
}

impl Query {
    /// A query whose first page is passing by.
    pub fn new(
        id: QueryId,
        backend: BackendName,
        group: GroupName,
        about: About,
        lease: Option<Lease>,
    ) -> Self {
        Self {
            id,
            backend,
            group,
            stake: Mutex::new(Stake::of(lease)),
            statement: ArcSwapOption::empty(),
            latest: AtomicU64::new(0),
            seen: AtomicU64::new(micros(about.accepted.elapsed())),
            about,
            streaming: AtomicU16::new(0),
            polls: AtomicU16::new(0),
            marks: AtomicU8::new(0),
            relay: OnceLock::new(),
        }
    }

    /// A query that another replica counts: what is seen of it here is kept for that one ([`Query::sight`]).
    pub fn elsewhere(id: QueryId, backend: BackendName, group: GroupName, about: About) -> Self {
        let query = Self::new(id, backend, group, about, None);
        query.mark(ROWS);
        Self { stake: Mutex::new(Stake::elsewhere()), ..query }
    }

    /// Notes the path of the `nextUri` that is being handed out.
    pub fn next_is(&self, path: &str) {
        self.latest.store(fingerprint(path), Ordering::Relaxed);
    }

    /// Notes the state on a page that goes on.
    pub fn progressed(&self, state: State) {
        self.stake().set_state(state);
        if matches!(state, State::Queued | State::WaitingForResources)
            && let Some(origin) = self.about.origin.get()
        {
            origin.queues(self.about.accepted);
        }
        if state == State::Running && !self.mark(RUNNING) && !self.stake().is_elsewhere() {
            self.about.metrics.query_event(QueryEvent::Running);
        }
    }

    /// A page with rows passes; the first one is timed.
    pub fn has_rows(&self) {
        if !self.has(ROWS) && !self.mark(ROWS) {
            self.about.metrics.first_row(self.about.accepted.elapsed());
        }
    }

    /// Of a query that others accepted nobody knows how long its first row took.
    pub fn had_rows(&self) {
        self.mark(ROWS);
    }

    /// Whether `path` is the latest `nextUri` that was handed out (rule L3: any other 404 is neutral).
    pub fn is_latest(&self, path: &str) -> bool {
        self.latest.load(Ordering::Relaxed) == fingerprint(path)
    }

    fn has(&self, mark: u8) -> bool {
        self.marks.load(Ordering::Relaxed) & mark != 0
    }

    /// Sets a mark; whether it was set before.
    fn mark(&self, mark: u8) -> bool {
        self.marks.fetch_or(mark, Ordering::Relaxed) & mark != 0
    }

    /// A successful poll or heartbeat came by.
    pub fn touch(&self) {
        self.seen.store(micros(moment::since(self.about.accepted)), Ordering::Relaxed);
    }

    /// How long nobody has asked for it; zero while a page streams.
    pub fn silence(&self, now: Instant) -> Duration {
        if self.streaming.load(Ordering::Relaxed) > 0 {
            return Duration::ZERO;
        }
        let seen = Duration::from_micros(self.seen.load(Ordering::Relaxed));
        now.saturating_duration_since(self.about.accepted + seen)
    }

    /// The last word of its coordinator on it; `ENDED` when it counts no more.
    pub fn state(&self) -> &'static str {
        self.stake().state().unwrap_or("ENDED")
    }

    /// Whether it still counts.
    pub fn is_in_flight(&self) -> bool {
        self.stake().is_here()
    }

    /// What was seen of it here, if another replica counts it.
    pub fn sight(&self) -> Option<Sight> {
        self.stake().sight().cloned()
    }

    /// It counts here from now on; the lease comes back if it has ended, or counts here already.
    pub fn adopt(&self, lease: Lease) -> Option<Lease> {
        self.stake().adopt(lease)
    }

    /// Another replica counts it from now on; says whether it counted here until now.
    pub fn let_go(&self) -> bool {
        let lease = self.stake().let_go();
        // It is for the other one to tell how it ended.
        self.about.origin.take();
        lease.is_some()
    }

    /// Ends it; only the first call finds the lease and counts. Says whether this was the call.
    pub fn end(&self, ending: &Ending) -> bool {
        self.forget_statement();
        if self.stake().ends_elsewhere(ending) {
            self.about.origin.take();
            self.touch();
            return false;
        }
        let lease = self.stake().take();
        let counts = lease.is_some();
        let state = lease.as_ref().map(Lease::state).filter(|state| *state != RESUMING);
        if let (Some(lease), Ending::Page(None)) = (&lease, ending) {
            lease.ran();
        }
        drop(lease);
        if counts {
            self.touch();
        }
        let (status, error) = outcome(ending);
        let end = End {
            id: Some(self.id),
            backend: Some(self.backend.as_ref()),
            status,
            http_status: Some(200),
            trino_state: match ending {
                Ending::Page(None) => Some("FINISHED"),
                Ending::Page(Some(_)) => Some("FAILED"),
                _ => state,
            },
            error: error.map(|error| (error.name.as_str(), error.kind.as_str())),
            reason: None,
        };
        // What was no demand (a CALL of kill_query) is told too, and counts nowhere.
        if counts || self.about.origin.get().is_some() {
            self.about.tell(&end, counts);
        }
        counts
    }

    /// Keeps the statement as long as it may be sent again.
    pub fn keep_statement(&self, statement: Arc<Statement>) {
        if statement.kept.is_some() {
            self.statement.store(Some(statement));
        }
    }

    /// The statement, if it may still be sent again.
    pub fn statement(&self) -> Option<Arc<Statement>> {
        self.statement.load_full()
    }

    /// Takes the statement out to send it again; only one caller gets it, and none that belongs to a transaction.
    pub fn take_statement(&self) -> Option<Arc<Statement>> {
        self.statement.load_full().filter(|statement| !statement.in_transaction)?;
        self.statement.swap(None)
    }

    /// A request for its `nextUri` is about to be sent: from now on its coordinator may run it.
    pub fn poll_begins(&self) {
        // Of very many it is enough that there are some.
        let one_more = |polls: u16| Some(polls.saturating_add(1));
        let _ = self.polls.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more);
    }

    /// No byte of that request was sent after all.
    pub fn poll_not_sent(&self) {
        self.polls.fetch_sub(1, Ordering::SeqCst);
    }

    /// Whether a request for its `nextUri` may have reached its coordinator.
    pub fn may_have_been_polled(&self) -> bool {
        self.polls.load(Ordering::SeqCst) > 0
    }

    /// From the first executing page on nothing is sent again.
    pub fn forget_statement(&self) {
        // Asked at each page, and true of the first one only.
        if self.statement.load().is_some() {
            self.statement.store(None);
        }
    }

    /// Hands the lease to the query that takes this one's place, and points there from now on.
    pub fn succeed_by(&self, next: QueryId) {
        let _ = self.relay.get_or_init(Box::default).successor.set(next);
    }

    /// Takes the lease out without ending the query: it goes on under another id.
    pub fn take_lease(&self) -> Option<Lease> {
        self.about.origin.take();
        self.stake().take()
    }

    fn stake(&self) -> MutexGuard<'_, Stake> {
        self.stake.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The id that this query goes on under, if it was sent again.
    pub fn successor(&self) -> Option<QueryId> {
        self.relay.get()?.successor.get().copied()
    }

    /// Keeps the path of its first `nextUri`: requests for the query whose place it took are sent there, since a
    /// slug belongs to one query.
    pub fn enter_by(&self, path: &str) {
        let _ = self.relay.get_or_init(Box::default).entrance.set(path.into());
    }

    /// The path of its first `nextUri`, if it took the place of another query.
    pub fn entrance(&self) -> Option<&str> {
        self.relay.get()?.entrance.get().map(|path| &**path)
    }

    /// So much of its pages went out; `lost`: nobody knows how many rows there were.
    pub fn counted(&self, bytes: u64, rows: u64, lost: bool) {
        self.about.metrics.rows(rows);
        let Some(origin) = self.about.origin.get() else { return };
        origin.bytes(bytes);
        origin.rows(rows);
        if lost {
            origin.rows_unknown();
        }
    }

    /// Whether its answers carry spooled segments.
    pub fn is_spooled(&self) -> bool {
        self.has(SPOOLED)
    }

    /// An answer carried `X-Trino-Query-Data-Encoding`.
    pub fn mark_spooled(&self) {
        self.mark(SPOOLED);
    }

    /// A page of it streams as long as the guard lives.
    pub fn streams(self: &Arc<Self>) -> Streaming {
        self.streaming.fetch_add(1, Ordering::Relaxed);
        Streaming(Arc::clone(self))
    }
}

/// A page on its way to the client: its query is not silent.
#[derive(Debug)]
pub struct Streaming(Arc<Query>);

impl Drop for Streaming {
    fn drop(&mut self) {
        self.0.touch();
        self.0.streaming.fetch_sub(1, Ordering::Relaxed);
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn outcome(ending: &Ending) -> (QueryStatus, Option<&PageError>) {
    match ending {
        Ending::Page(None) => (QueryStatus::Ok, None),
        // Trino reports a cancelled query as an error of that name (StandardErrorCode.USER_CANCELED).
        Ending::Page(Some(error)) if error.name == "USER_CANCELED" => (QueryStatus::Canceled, None),
        Ending::Page(Some(error)) => (QueryStatus::Error, Some(error)),
        Ending::Canceled => (QueryStatus::Canceled, None),
        Ending::Gone | Ending::Abandoned | Ending::Lost => (QueryStatus::Abandoned, None),
    }
}

/// A path is compared by its hash, so that no slug is kept.
pub(crate) fn fingerprint(path: &str) -> u64 {
    static SEED: OnceLock<ahash::RandomState> = OnceLock::new();
    SEED.get_or_init(ahash::RandomState::new).hash_one(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the allocator takes for so many bytes: a word more, in steps of two.
    fn taken(bytes: usize) -> usize {
        (bytes + 8).next_multiple_of(16).max(32)
    }

    /// Ended queries are remembered for a quarter of an hour, and there may be a million of them.
    #[test]
    fn a_remembered_query_is_small() {
        let counts = 16;
        let record = taken(counts + size_of::<Query>());
        let user = taken(counts + "somebody".len());
        // A pointer and a byte of the map's own for each place, of which up to nine sixteenths are free.
        let place = (size_of::<usize>() + 1) * 16 / 7;
        let all = record + user + place;
        assert!(all <= 300, "{all} bytes: record {record}, user {user}, place {place}");
    }
}
