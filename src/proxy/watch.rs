//! What a page that passes by means for its query: found, under way, ended.
//!
//! It is told what has been read so far, again and again, and acts on each fact once. The first word on a query
//! is written into the table before the chunk that carries it goes to the client.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use sluice_routing::{GroupName, QueryId};
use tokio::time::Instant;

use crate::{
    backends::passive,
    metrics::{Encoding, ErrorKind, QueryEvent, Step, UpstreamError},
    proxy::{
        Shared,
        exchange::{Exchange, line},
        upstream::Broken,
    },
    queries::{
        Ending, Lease, Pass, Query,
        query::{About, Statement, Streaming},
        story::{Came, End, Origin, Place, Said, Untold},
    },
    snapshot::{Backend, Snapshot},
    trino::{
        head::{Head, Verdict},
        headers::{DATA_ENCODING, either},
    },
};

/// Follows one page.
#[derive(Debug)]
pub(crate) struct Watch {
    shared: Arc<Shared>,
    exchange: Arc<Exchange>,
    backend: Arc<Backend>,
    subject: Subject,
    /// Whether the query takes the place of another one.
    is_successor: bool,
    /// The permit of a statement that waited, until its way into the query is known.
    pass: Option<Pass>,
    /// The query whose record must be written before its client hears of it.
    unwritten: Option<Arc<Query>>,
    encoding: Encoding,
    next_noted: bool,
    state_noted: bool,
    ended: bool,
    uncounted: Counted,
}

/// What came of a page and is not put down yet.
#[derive(Debug, Default)]
struct Counted {
    bytes: usize,
    rows: u64,
    lost: bool,
}

/// Whose page it is.
#[derive(Debug)]
pub(crate) enum Subject {
    /// The answer to a POST: the query appears with its id.
    New(Box<Newcomer>),
    /// A page of a query in the table.
    Known(
        Arc<Query>,
        #[expect(dead_code, reason = "a guard: the query is not silent while its page streams")]
        Streaming,
    ),
    /// A page of a query that no table knows (rule L13).
    Stranger,
    /// Nothing more to learn.
    Settled,
}

/// A query whose id has not been read yet.
#[derive(Debug)]
pub(crate) struct Newcomer {
    pub(crate) about: About,
    pub(crate) group: GroupName,
    /// Absent where the statement was no demand (`kill_query`, no user).
    pub(crate) lease: Option<Lease>,
    /// Kept while it may be sent again.
    pub(crate) statement: Option<Arc<Statement>>,
    /// The query in whose place it comes.
    pub(crate) instead_of: Option<Arc<Query>>,
    /// The permit of a statement that waited; dropped without an id, the statement waits again.
    pub(crate) pass: Option<Pass>,
}

impl Watch {
    /// Begins to follow a page of `backend`.
    pub(crate) fn new(
        shared: Arc<Shared>,
        exchange: Arc<Exchange>,
        backend: Arc<Backend>,
        subject: Subject,
    ) -> Self {
        Self {
            shared,
            exchange,
            backend,
            subject,
            is_successor: false,
            pass: None,
            unwritten: None,
            encoding: Encoding::Json,
            next_noted: false,
            state_noted: false,
            ended: false,
            uncounted: Counted::default(),
        }
    }

    /// More of the page has come, with so many rows; said before [`Watch::read`] hears what that means.
    pub(crate) fn counted(&mut self, bytes: usize, rows: u64, lost: bool) {
        self.uncounted.bytes = self.uncounted.bytes.saturating_add(bytes);
        self.uncounted.rows = self.uncounted.rows.saturating_add(rows);
        self.uncounted.lost |= lost;
    }

    /// Puts what was counted down to the query, once it is known.
    fn put_down(&mut self) {
        let Subject::Known(query, _) = &self.subject else { return };
        let Counted { bytes, rows, lost } = std::mem::take(&mut self.uncounted);
        if bytes > 0 {
            if !lost {
                self.exchange.spans.counted(rows);
            }
            query.counted(u64::try_from(bytes).unwrap_or(u64::MAX), rows, lost);
        }
    }

    /// Notes how the page's rows are written; its headers say so.
    pub(crate) fn encoded(mut self, headers: &HeaderMap) -> Self {
        let named = either(headers, &DATA_ENCODING);
        self.encoding = Encoding::parse(named.map(HeaderValue::as_bytes));
        self
    }

    /// So many bytes came and went, and changing URIs took so long.
    pub(crate) fn passed(&self, came: u64, went: u64, rewriting: Duration) {
        self.exchange.account.result_bytes(self.encoding, came, went);
        if !rewriting.is_zero() {
            self.shared.metrics.step(Step::Rewrite, rewriting);
        }
    }

    /// Takes in what is known of the page by now.
    pub(crate) fn read(&mut self, head: &Head) {
        if matches!(self.subject, Subject::New(_) | Subject::Stranger) {
            self.appear(head);
        }
        self.put_down();
        let Subject::Known(query, _) = &self.subject else { return };
        if let Some(span) = query.about.span.as_ref().filter(|_| head.has_data) {
            span.note("first_row");
        }
        if let Some(state) = head.state.filter(|_| !self.state_noted && head.next_uri.is_some()) {
            self.state_noted = true;
            query.progressed(state);
        }
        if head.has_data {
            query.has_rows();
        }
        if let Some(next) = head.next_uri.as_deref().filter(|_| !self.next_noted) {
            self.next_noted = true;
            query.next_is(statement_path(next));
            if self.is_successor {
                query.enter_by(statement_path(next));
            }
        }
        if let Some(pass) = self.pass.take_if(|_| self.next_noted || head.verdict == Verdict::Final)
        {
            self.shared.waited(pass, query);
        }
        if head.verdict == Verdict::Final && !self.ended {
            self.ended = true;
            query.end(&Ending::Page(head.error.clone()));
        }
    }

    /// The whole page has passed; its query was asked for until now.
    pub(crate) fn complete(&mut self) {
        self.without_id("its coordinator gave it no id");
        self.subject = Subject::Settled;
    }

    /// The answer to a POST is over, and no query came of it; a statement that has waited waits again.
    fn without_id(&self, words: &str) {
        if let Subject::New(newcomer) = &self.subject
            && newcomer.pass.is_none()
        {
            let end = End::rejected(200, Some(words)).by(self.backend.name.as_ref());
            newcomer.about.tell(&end, newcomer.lease.is_some());
        }
    }

    /// The backend broke off in the middle of the page.
    pub(crate) fn broken(&mut self, past_next_uri: bool, error: &Broken) {
        self.backend.live.metrics.failed(UpstreamError::Body);
        self.shared.metrics.error(ErrorKind::UpstreamBody, self.exchange.account.label());
        line!(
            warn, self.exchange, target: "sluice::proxy", event = "upstream_error", routing_group = self.backend.group.as_ref(),
            backend = self.backend.name.as_ref(), error_type = UpstreamError::Body.as_str(), %error,
            "backend broke off in the middle of an answer"
        );
        self.without_id("its coordinator broke off before an id");
        self.left(past_next_uri);
    }

    /// The client left, or the page broke, before its end.
    pub(crate) fn left(&mut self, past_next_uri: bool) {
        let subject = std::mem::replace(&mut self.subject, Subject::Settled);
        let Subject::Known(query, _) = subject else { return };
        if let Some(pass) = self.pass.take() {
            // Nobody can follow it: the statement waits again, and counts on.
            pass.failed(query.take_lease());
            return;
        }
        if past_next_uri && !self.next_noted {
            // No nextUri in the head: the query is over, whoever got how much of the page.
            query.end(&Ending::Page(None));
        }
    }

    fn appear(&mut self, head: &Head) {
        let Some(id) = head.id else { return };
        if self.backend.coordinator != Some(id.suffix()) {
            passive::learned(&self.backend, id.suffix());
        }
        let query = match std::mem::replace(&mut self.subject, Subject::Settled) {
            Subject::New(newcomer) => self.enter(id, *newcomer),
            // Only a page that goes on adopts; wait for its nextUri.
            Subject::Stranger if self.shared.replicas.is_shared() => self.meet(id),
            Subject::Stranger if head.next_uri.is_some() => self.adopt(id),
            other => {
                self.subject = other;
                return;
            }
        };
        self.exchange.learned.query(&query);
        let streaming = query.streams();
        self.subject = Subject::Known(query, streaming);
    }

    fn enter(&mut self, id: QueryId, newcomer: Newcomer) -> Arc<Query> {
        let Newcomer { about, group, lease, statement, instead_of, pass } = newcomer;
        if lease.is_some() {
            about.metrics.query_event(QueryEvent::Routed);
        }
        if let Some(origin) = about.origin.get() {
            origin.settled();
        }
        about.span.iter().for_each(|span| span.note("routed"));
        self.exchange.spans.names(id);
        let query = Query::new(id, self.backend.name.clone(), group, about, lease);
        if let Some(statement) = statement {
            query.keep_statement(statement);
        }
        let query = self.shared.table.insert(query);
        self.open(&query);
        if let Some(old) = instead_of {
            self.is_successor = true;
            old.succeed_by(id);
        }
        if let Some(pass) = pass {
            self.is_successor = true;
            self.pass = Some(pass);
        }
        query
    }

    /// Tells the other replicas whose it is; where only that leads to its backend, before its client knows its id.
    fn open(&mut self, query: &Arc<Query>) {
        if !self.shared.replicas.is_shared() {
            return;
        }
        if is_found_by_id(&self.exchange.snapshot, &self.backend) {
            self.shared.replicas.opened(query, self.exchange.remember_for());
        } else {
            self.unwritten = Some(Arc::clone(query));
        }
    }

    /// Writes what must be written before anything of the page goes to its client.
    pub(crate) async fn written(&mut self) {
        if let Some(query) = self.unwritten.take() {
            self.shared.replicas.opens(&query, self.exchange.remember_for()).await;
        }
    }

    /// Rule L13: without a store, an id made before this process' first minute ended is taken to be ours.
    fn adopt(&self, id: QueryId) -> Arc<Query> {
        let mut about = stranger(&self.shared, &self.backend);
        let ours = id.minted_at().is_none_or(|made| made < self.shared.adopts_until);
        let lease = ours.then(|| self.shared.ledger.open(&self.backend.group));
        if let Some(lease) = &lease {
            lease.place(self.backend.live.load.take());
            about.origin = Untold::of(self.origin_of_stranger());
        }
        let query =
            Query::new(id, self.backend.name.clone(), self.backend.group.clone(), about, lease);
        query.had_rows();
        self.shared.table.insert(query)
    }

    /// Rule L13: with a store, the store says whose it is, and this page waits for no such word.
    fn meet(&self, id: QueryId) -> Arc<Query> {
        let origin = Untold::of(self.origin_of_stranger());
        let about = About { origin, ..stranger(&self.shared, &self.backend) };
        self.shared.meet(id, &self.backend, about)
    }
}

/// What is known of a query whose POST was somebody else's.
pub(crate) fn stranger(shared: &Shared, backend: &Backend) -> About {
    About {
        metrics: shared.metrics.group(backend.group.as_ref()),
        kind: sluice_routing::StatementKind::Other,
        accepted: Instant::now(),
        user: None,
        trace: None,
        span: None,
        origin: Untold::default(),
    }
}

impl Shared {
    /// A query that another replica may count is asked for here.
    pub(crate) fn meet(&self, id: QueryId, backend: &Backend, about: About) -> Arc<Query> {
        let query = Query::elsewhere(id, backend.name.clone(), backend.group.clone(), about);
        let query = self.table.insert(query);
        self.replicas.met(&query);
        query
    }

    /// The same, and it is not remembered here.
    pub(crate) fn pass_by(&self, id: QueryId, backend: &Backend, about: About) -> Arc<Query> {
        let (name, group) = (backend.name.clone(), backend.group.clone());
        let query = Arc::new(Query::elsewhere(id, name, group, about));
        self.replicas.met(&query);
        query
    }
}

/// The first Trino that shows the id of its coordinator, by which every replica knows whose query an id is.
const SHOWS_ITS_ID_SINCE: u32 = 477;

/// Whether any replica finds the backend of a query by the query's id alone, as requests without a marker need it.
fn is_found_by_id(snapshot: &Snapshot, backend: &Backend) -> bool {
    let version = backend.version.as_deref().unwrap_or_default();
    let digits = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
    let number = version.get(..digits).and_then(|number| number.parse::<u32>().ok());
    !snapshot.has_several_backends() || number.is_some_and(|number| number >= SHOWS_ITS_ID_SINCE)
}

impl Watch {
    /// Of its POST nothing is known: its story begins with this request.
    fn origin_of_stranger(&self) -> Arc<Origin> {
        let came = Came {
            trace: self.exchange.trace,
            request_id: self.exchange.request_id.clone(),
            client: self.exchange.client,
            count_rows: self.exchange.snapshot.config.queries.count_rows,
        };
        let chronicle = Arc::clone(&self.shared.chronicle);
        let origin = Origin::new(chronicle, came, &Said::default(), &Bytes::new());
        let group = self.exchange.snapshot.group(&self.backend.group);
        origin.placed(|| Place {
            group: self.backend.group.as_str().into(),
            namespace: group.map_or_else(|| "".into(), |group| Arc::clone(&group.namespace)),
            xtrinode: group.map_or_else(|| "".into(), |group| Arc::clone(&group.xtrinode)),
        });
        Arc::new(origin)
    }
}

impl Shared {
    /// The statement waits no more: its own id leads to the query from now on.
    fn waited(&self, pass: Pass, query: &Query) {
        let waiting = &pass.waiting;
        query.about.metrics.query_event(QueryEvent::Resumed);
        // Before it is known that it became a query: who asks for it from then on must find the way.
        if waiting.has_page() {
            self.table.alias(waiting.id, waiting.slug.as_str(), query.id);
            let life = self.current.load().config.queries.remember_for.get();
            self.replicas.became(waiting, query, life);
        }
        if !pass.became(query.id) {
            // Cancelled on its way. Trino drops what nobody follows, so there is nothing to tell it.
            query.end(&Ending::Canceled);
        }
    }
}

/// The path by which a `nextUri` will be asked for, without origin, prefix and marker.
pub(crate) fn statement_path(uri: &str) -> &str {
    let starts = memchr::memchr_iter(b'/', uri.as_bytes()).filter_map(|start| uri.get(start..));
    starts.into_iter().find(|path| path.starts_with("/v1/statement/")).unwrap_or(uri)
}
