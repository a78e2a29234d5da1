//! The biography of a query: what is known from its POST, what was learned on its way, and its end, told once.
//!
//! Every ending comes through [`About::tell`], whoever brought it: the last page, a cancel, silence, a refusal by a
//! coordinator or by the gateway itself. It counts, logs, and hands the story to the [`Chronicle`]. What is known of
//! the POST lives in an [`Origin`] that goes with the telling, so that a remembered query stays small. Nothing here
//! holds a row or a credential, and the statement's text leaves only masked, unless the audit is told otherwise.

use std::{
    fmt,
    net::IpAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use sluice_routing::{QueryId, StatementKind, mask};

use crate::{
    metrics::{QueryError, QueryEvent, QueryStatus},
    queries::{Chronicle, chronicle::Told, query::About, span, unfinished::Unfinished},
    telemetry::context::{RequestId, TraceContext},
};

/// What nginx calls a request whose client left before its answer ended.
pub const CLIENT_LEFT: u16 = 499;

/// So much of a statement is shown to operators, masked.
const SHOWN: usize = 1024;

/// Names that clients choose are cut here, in bytes: a thousand stories of strangers must not fill the memory.
const LONGEST_NAME: usize = 256;

/// The beginning of a name that a client chose.
pub fn cut(name: &str) -> &str {
    name.get(..name.floor_char_boundary(LONGEST_NAME)).unwrap_or_default()
}

/// What is known of a query from its POST until it has been told.
pub struct Origin {
    /// The context of its POST.
    pub trace: TraceContext,
    /// The id of its POST.
    pub request_id: RequestId,
    /// The client, behind trusted proxies.
    pub client: IpAddr,
    /// `X-Session-Id`, else a hash of user, source and client.
    pub session: Arc<str>,
    /// `X-Trino-Source`.
    pub source: Option<Arc<str>>,
    /// `X-Trino-Catalog`.
    pub catalog: Option<Arc<str>>,
    /// `X-Trino-Schema`.
    pub schema: Option<Arc<str>>,
    /// `X-Trino-Trace-Token`.
    pub trace_token: Option<Arc<str>>,
    /// The beginning of the statement, its literals masked.
    pub shown: Option<Arc<str>>,
    /// What the audit wants of the statement.
    pub audited: Audited,
    place: OnceLock<Place>,
    rule: OnceLock<Arc<str>>,
    counts_rows: bool,
    rows: AtomicU64,
    rows_unknown: AtomicBool,
    bytes: AtomicU64,
    /// Milliseconds, one more than were waited; 0: it never waited.
    waited: AtomicU64,
    /// Milliseconds after its acceptance, and one, when a page last said that it queues; 0: none did.
    queued: AtomicU64,
    told: AtomicBool,
    unfinished: Unfinished,
    chronicle: Arc<Chronicle>,
}

/// What the audit record says of a statement.
#[derive(Clone, Debug, Default)]
pub struct Audited {
    /// SHA-256 of the bytes as received.
    pub hash: Option<[u8; 32]>,
    /// The text, or its beginning.
    pub text: Option<Bytes>,
}

/// Where a statement was routed.
#[derive(Clone, Debug)]
pub struct Place {
    /// The group.
    pub group: Arc<str>,
    /// Its label `namespace`.
    pub namespace: Arc<str>,
    /// Its label `xtrinode`.
    pub xtrinode: Arc<str>,
}

/// What the headers of a POST say.
#[derive(Debug, Default)]
pub struct Said<'a> {
    /// Who asks.
    pub user: Option<&'a str>,
    /// `X-Session-Id`.
    pub session: Option<&'a str>,
    /// `X-Trino-Source`.
    pub source: Option<&'a str>,
    /// `X-Trino-Catalog`.
    pub catalog: Option<&'a str>,
    /// `X-Trino-Schema`.
    pub schema: Option<&'a str>,
    /// `X-Trino-Trace-Token`.
    pub trace_token: Option<&'a str>,
}

/// Which request a query came with.
#[derive(Clone, Debug)]
pub struct Came {
    /// Its context.
    pub trace: TraceContext,
    /// Its id.
    pub request_id: RequestId,
    /// The client.
    pub client: IpAddr,
    /// Whether rows are counted although there may be no audit.
    pub count_rows: bool,
}

impl Origin {
    /// Of a statement, from its headers and its text.
    pub fn new(chronicle: Arc<Chronicle>, came: Came, said: &Said<'_>, sql: &Bytes) -> Self {
        let owned =
            |text: Option<&str>| text.filter(|text| !text.is_empty()).map(|text| cut(text).into());
        let beginning = sql.get(..SHOWN.min(sql.len())).unwrap_or_default();
        let shown = mask(&String::from_utf8_lossy(beginning));
        Self {
            session: session(said, came.client),
            trace: came.trace,
            request_id: came.request_id,
            client: came.client,
            source: owned(said.source),
            catalog: owned(said.catalog),
            schema: owned(said.schema),
            trace_token: owned(said.trace_token),
            shown: (!shown.is_empty()).then(|| shown.into()),
            audited: chronicle.audited(sql),
            place: OnceLock::new(),
            rule: OnceLock::new(),
            counts_rows: came.count_rows || chronicle.audits(),
            rows: AtomicU64::new(0),
            rows_unknown: AtomicBool::new(false),
            bytes: AtomicU64::new(0),
            waited: AtomicU64::new(0),
            queued: AtomicU64::new(0),
            told: AtomicBool::new(false),
            unfinished: Unfinished::default(),
            chronicle,
        }
    }

    /// It was routed there; the first word counts.
    pub fn placed(&self, place: impl FnOnce() -> Place) {
        let _ = self.place.get_or_init(place);
    }

    /// That rule claimed it; the first word counts.
    pub fn claimed(&self, rule: &str) {
        let _ = self.rule.get_or_init(|| rule.into());
    }

    /// Where it was routed, once that is known.
    pub fn place(&self) -> Option<&Place> {
        self.place.get()
    }

    /// It has waited so long for a backend.
    pub fn waited(&self, held: Duration) {
        self.waited.store(millis(held).saturating_add(1), Relaxed);
    }

    /// A page says that it still queues.
    pub fn queues(&self, accepted: tokio::time::Instant) {
        self.queued.store(millis(accepted.elapsed()).saturating_add(1), Relaxed);
    }

    /// So many bytes of pages went to the client.
    pub fn bytes(&self, more: u64) {
        self.bytes.fetch_add(more, Relaxed);
    }

    /// So many rows went to the client.
    pub fn rows(&self, more: u64) {
        self.rows.fetch_add(more, Relaxed);
    }

    /// A page could not be read, so nobody knows how many rows there were.
    pub fn rows_unknown(&self) {
        self.rows_unknown.store(true, Relaxed);
    }

    /// Rows so far; `None` where they are not counted.
    pub fn rows_so_far(&self) -> Option<u64> {
        let known = self.counts_rows && !self.rows_unknown.load(Relaxed);
        known.then(|| self.rows.load(Relaxed))
    }

    /// Milliseconds that it waited for a backend.
    pub fn resume_wait_ms(&self) -> u64 {
        self.waited.load(Relaxed).saturating_sub(1)
    }

    fn queued_ms(&self) -> u64 {
        let until = self.queued.load(Relaxed).saturating_sub(1);
        until.saturating_sub(self.resume_wait_ms())
    }
}

impl Origin {
    /// It is a statement that counts, and no query yet: should nobody tell its end, it is told when the last who
    /// knows of the statement lets go of it.
    pub fn accepted(&self, about: &About) {
        self.unfinished.is(about);
    }

    /// It is a query from now on, and told as one.
    pub fn settled(&self) {
        self.unfinished.is_not();
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        if !self.told.load(Relaxed)
            && let Some(about) = self.unfinished.is_not()
        {
            let left = "its client left before the first answer";
            let end =
                End { status: QueryStatus::Canceled, ..End::rejected(CLIENT_LEFT, Some(left)) };
            about.tell_from(Some(self), &end, true);
        }
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Origin").field("request_id", &self.request_id).finish_non_exhaustive()
    }
}

/// An origin for as long as its query has not been told.
#[derive(Debug, Default)]
pub struct Untold(ArcSwapOption<Origin>);

impl Untold {
    /// The story of that origin is still to be told.
    pub fn of(origin: Arc<Origin>) -> Self {
        Self(ArcSwapOption::new(Some(origin)))
    }

    /// The origin, unless it has been told.
    pub fn get(&self) -> Option<Arc<Origin>> {
        self.0.load_full()
    }

    /// Forgets it: the story ends here, or goes on in another record.
    pub fn take(&self) -> Option<Arc<Origin>> {
        self.0.swap(None)
    }
}

impl Clone for Untold {
    fn clone(&self) -> Self {
        Self(ArcSwapOption::new(self.get()))
    }
}

/// How a query, or a statement that never became one, ended.
#[derive(Clone, Debug)]
pub struct End<'a> {
    /// The id that its client knows, if any.
    pub id: Option<QueryId>,
    /// The backend that had it last.
    pub backend: Option<&'a str>,
    /// How.
    pub status: QueryStatus,
    /// What its client was answered with, where that is known.
    pub http_status: Option<u16>,
    /// The coordinator's last word.
    pub trino_state: Option<&'static str>,
    /// Trino's name and class of the error.
    pub error: Option<(&'a str, &'static str)>,
    /// For people.
    pub reason: Option<&'a str>,
}

impl<'a> End<'a> {
    /// A statement that was refused, with that status.
    pub fn rejected(http_status: u16, reason: Option<&'a str>) -> Self {
        Self {
            id: None,
            backend: None,
            status: QueryStatus::Rejected,
            http_status: Some(http_status),
            trino_state: None,
            error: None,
            reason,
        }
    }

    /// The same by that backend.
    pub fn by(self, backend: &'a str) -> Self {
        Self { backend: Some(backend), ..self }
    }
}

impl About {
    /// Tells the end to metrics, log, audit and operators; of several who tell the same query the first is heard.
    /// `counts`: whether it was demand.
    pub fn tell(&self, end: &End<'_>, counts: bool) {
        let origin = self.origin.take();
        if origin.as_ref().is_some_and(|origin| origin.told.swap(true, Relaxed)) {
            return;
        }
        self.tell_from(origin.as_deref(), end, counts);
    }

    pub(super) fn tell_from(&self, origin: Option<&Origin>, end: &End<'_>, counts: bool) {
        span::end(self, end, origin);
        let took = self.accepted.elapsed();
        if counts {
            self.count(end, took);
        }
        if let Some(origin) = origin {
            let told = self.told(origin, end, took);
            log(origin, &told);
            origin.chronicle.keep(told, &origin.audited);
        }
    }

    fn count(&self, end: &End<'_>, took: Duration) {
        if let Some((_, class)) = end.error {
            self.metrics.query_error(QueryError::parse(class));
        }
        self.metrics.query_ended(end.status, self.kind, took);
        self.exemplar(took);
        if end.status != QueryStatus::Rejected {
            self.metrics.query_event(QueryEvent::Completed);
        }
    }

    fn told(&self, origin: &Origin, end: &End<'_>, took: Duration) -> Told {
        Told {
            at: jiff::Timestamp::now(),
            ended: tokio::time::Instant::now(),
            took,
            status: end.status,
            kind: self.kind,
            id: end.id,
            place: origin.place.get().cloned(),
            backend: end.backend.map(Arc::from),
            user: self.user.clone(),
            trace: origin.trace,
            request_id: origin.request_id.clone(),
            client: origin.client,
            session: Arc::clone(&origin.session),
            source: origin.source.clone(),
            catalog: origin.catalog.clone(),
            schema: origin.schema.clone(),
            rule: origin.rule.get().cloned(),
            http_status: end.http_status,
            trino_state: end.trino_state,
            error_name: end.error.map(|(name, _)| name.into()),
            error_type: end.error.map(|(_, class)| class),
            reason: end.reason.map(Arc::from),
            resume_wait_ms: origin.resume_wait_ms(),
            queued_ms: origin.queued_ms(),
            rows: origin.rows_so_far(),
            bytes: origin.chronicle.audits().then(|| origin.bytes.load(Relaxed)),
            shown: origin.shown.clone(),
        }
    }
}

/// One line for each end, in the words of observability.md 4.
fn log(origin: &Origin, told: &Told) {
    let trace = &told.trace;
    let place = told.place.as_ref();
    let id = told.id.as_ref().map(QueryId::as_str);
    macro_rules! line {
        ($level:ident, $words:literal) => {
            tracing::$level!(
                target: "sluice::query", event = told.event(), trace_id = trace.trace_id(), span_id = trace.span_id(),
                trace_flags = trace.trace_flags(), traceparent = trace.traceparent(), request_id = told.request_id.as_str(),
                query_id = id, routing_group = place.map(|place| &*place.group), namespace = said(place.map(|place| &place.namespace)),
                xtrinode = said(place.map(|place| &place.xtrinode)), backend = told.backend.as_deref(), user = told.user.as_deref(),
                source = told.source.as_deref(), client_ip = %told.client, session_id = &*told.session,
                statement_type = told.kind.as_str(), duration_ms = millis(told.took), rows = told.rows, queued_ms = told.queued_ms,
                resume_wait_ms = told.resume_wait_ms, error_name = told.error_name.as_deref(), error_type = told.error_type,
                reason = told.reason.as_deref(), status_code = told.http_status, trace_token = origin.trace_token.as_deref(), $words
            )
        };
    }
    match told.status {
        QueryStatus::Ok => line!(info, "Query executed"),
        QueryStatus::Error => line!(warn, "Query failed"),
        QueryStatus::Canceled => line!(info, "Query canceled"),
        QueryStatus::Abandoned => line!(warn, "Query abandoned"),
        QueryStatus::Rejected => line!(info, "Query rejected"),
    }
}

/// A label that is not empty.
pub(crate) fn said(label: Option<&Arc<str>>) -> Option<&str> {
    label.map(|label| &**label).filter(|label| !label.is_empty())
}

/// The client's own session, else one that stays the same for the same user, source and client on every replica.
fn session(said: &Said<'_>, client: IpAddr) -> Arc<str> {
    if let Some(own) = said.session.filter(|own| RequestId::is_harmless(own.as_bytes())) {
        return own.into();
    }
    let mut hash = Sha256::new();
    for part in [said.user.unwrap_or_default(), said.source.unwrap_or_default()] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.update(client.to_string().as_bytes());
    let digits =
        hash.finalize().iter().take(8).fold(0_u64, |all, byte| all << 8 | u64::from(*byte));
    format!("{digits:016x}").into()
}

/// Whole milliseconds.
pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Announces a statement that counts from now on.
pub fn submitted(origin: &Origin, user: Option<&str>, kind: StatementKind) {
    let (trace, place) = (&origin.trace, origin.place.get());
    tracing::info!(
        target: "sluice::query", event = "query_submitted", trace_id = trace.trace_id(), span_id = trace.span_id(),
        trace_flags = trace.trace_flags(), traceparent = trace.traceparent(), request_id = origin.request_id.as_str(),
        routing_group = place.map(|place| &*place.group), namespace = said(place.map(|place| &place.namespace)),
        xtrinode = said(place.map(|place| &place.xtrinode)), user, source = origin.source.as_deref(), client_ip = %origin.client,
        session_id = &*origin.session, statement_type = kind.as_str(), trace_token = origin.trace_token.as_deref(),
        "Query submitted"
    );
}
