//! Where stories go: a bounded ring for operators, and the audit.
//!
//! The ring is short and holds masked text only. The audit's queue is `telemetry::audit`'s; this module knows what a
//! record looks like (observability.md 5), that is all.

use std::{
    collections::VecDeque,
    net::IpAddr,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use serde::Serialize;
use sha2::{Digest, Sha256};
use sluice_routing::{QueryId, StatementKind, mask};
use tokio::time::Instant;

use crate::{
    config::model::QueryText,
    metrics::{AuditDropped, AuditStatus, Metrics, QueryStatus, Step},
    queries::story::{Audited, Place, millis},
    telemetry::{
        audit::{Audit, Line, Tally},
        context::{RequestId, TraceContext},
    },
};

/// Ended queries that operators can look at: some hundreds of KiB, and the last minutes of a busy gateway.
const REMEMBERED: usize = 1000;

/// Of a longer statement the record carries the beginning: a full queue of the longest ones would fill the memory.
const LONGEST_TEXT: usize = 64 * 1024;

/// The end of a query as it is shown.
#[derive(Debug)]
pub struct Told {
    /// When it ended.
    pub at: jiff::Timestamp,
    /// The same on the clock that durations are measured with.
    pub ended: Instant,
    /// From its acceptance to its end.
    pub took: Duration,
    /// How it ended.
    pub status: QueryStatus,
    /// What its statement did.
    pub kind: StatementKind,
    /// The id that its client knew.
    pub id: Option<QueryId>,
    /// Where it was routed.
    pub place: Option<Place>,
    /// The backend that had it last.
    pub backend: Option<Arc<str>>,
    /// Who asked.
    pub user: Option<Arc<str>>,
    /// The context of its POST.
    pub trace: TraceContext,
    /// The id of its POST.
    pub request_id: RequestId,
    /// The client.
    pub client: IpAddr,
    /// Its session.
    pub session: Arc<str>,
    /// `X-Trino-Source`.
    pub source: Option<Arc<str>>,
    /// `X-Trino-Catalog`.
    pub catalog: Option<Arc<str>>,
    /// `X-Trino-Schema`.
    pub schema: Option<Arc<str>>,
    /// The rule that claimed it.
    pub rule: Option<Arc<str>>,
    /// What its POST was answered with.
    pub http_status: Option<u16>,
    /// The coordinator's last word.
    pub trino_state: Option<&'static str>,
    /// Trino's name of the error.
    pub error_name: Option<Arc<str>>,
    /// Trino's class of the error.
    pub error_type: Option<&'static str>,
    /// For people.
    pub reason: Option<Arc<str>>,
    /// How long it was held for want of a backend.
    pub resume_wait_ms: u64,
    /// How long it stood in Trino's queue, as far as its pages said.
    pub queued_ms: u64,
    /// Rows that were handed out; `None` where they are not counted.
    pub rows: Option<u64>,
    /// Bytes of pages that were handed out; `None` where they are not counted.
    pub bytes: Option<u64>,
    /// The beginning of the statement, masked.
    pub shown: Option<Arc<str>>,
}

impl Told {
    /// What the log and the audit call it.
    pub fn event(&self) -> &'static str {
        match self.status {
            QueryStatus::Ok => "query_completed",
            QueryStatus::Error => "query_failed",
            QueryStatus::Canceled => "query_canceled",
            QueryStatus::Abandoned => "query_abandoned",
            QueryStatus::Rejected => "query_rejected",
        }
    }
}

/// The ring, and the way to the audit.
#[derive(Debug, Default)]
pub struct Chronicle {
    ring: Mutex<VecDeque<Arc<Told>>>,
    audit: OnceLock<Auditing>,
}

#[derive(Debug)]
struct Auditing {
    audit: Audit,
    text: QueryText,
    instance: Arc<str>,
    metrics: Arc<Metrics>,
}

impl Chronicle {
    /// From now on each story is a record of that audit.
    pub fn audit_to(
        &self,
        audit: Audit,
        text: QueryText,
        instance: Arc<str>,
        metrics: Arc<Metrics>,
    ) {
        let _ = self.audit.set(Auditing { audit, text, instance, metrics });
    }

    /// Whether there is an audit; then rows and bytes of each query are counted.
    pub fn audits(&self) -> bool {
        self.audit.get().is_some()
    }

    /// The audit file is opened anew: the old one was moved.
    pub fn reopen(&self) {
        if let Some(auditing) = self.audit.get() {
            auditing.audit.reopen();
        }
    }

    /// What the audit wants of a statement: nothing where there is none.
    pub(super) fn audited(&self, sql: &Bytes) -> Audited {
        let Some(auditing) = self.audit.get().filter(|_| !sql.is_empty()) else {
            return Audited::default();
        };
        let text = match auditing.text {
            QueryText::None => None,
            // Copied, since a slice would keep a whole read buffer.
            QueryText::Redacted | QueryText::Full => Some(Bytes::copy_from_slice(
                sql.get(..LONGEST_TEXT.min(sql.len())).unwrap_or_default(),
            )),
        };
        Audited { hash: Some(Sha256::digest(sql).into()), text }
    }

    pub(super) fn keep(&self, told: Told, audited: &Audited) {
        let told = Arc::new(told);
        if let Some(auditing) = self.audit.get() {
            let began = Instant::now();
            auditing.audit.record(Box::new(Record {
                told: Arc::clone(&told),
                audited: audited.clone(),
                text: auditing.text,
                instance: Arc::clone(&auditing.instance),
            }));
            auditing.metrics.step(Step::Audit, began.elapsed());
        }
        if let Ok(mut ring) = self.ring.lock() {
            ring.truncate(REMEMBERED - 1);
            ring.push_front(told);
        }
    }

    /// The latest ends, newest first.
    pub fn latest(&self) -> Vec<Arc<Told>> {
        self.ring.lock().map(|ring| ring.iter().map(Arc::clone).collect()).unwrap_or_default()
    }

    /// The end of that query, if it is among the latest.
    pub fn of(&self, id: QueryId) -> Option<Arc<Told>> {
        let ring = self.ring.lock().ok()?;
        ring.iter().find(|told| told.id == Some(id)).map(Arc::clone)
    }
}

/// Counts what becomes of records.
#[derive(Debug)]
pub struct AuditCounts {
    metrics: Arc<Metrics>,
    depth: prometheus::Gauge,
}

impl AuditCounts {
    /// In the metrics of the process.
    pub fn of(metrics: &Arc<Metrics>) -> Self {
        Self { metrics: Arc::clone(metrics), depth: metrics.audit_depth() }
    }
}

impl Tally for AuditCounts {
    fn written(&self, records: u64) {
        self.metrics.audit(AuditStatus::Written, records);
    }

    fn failed(&self, records: u64) {
        self.metrics.audit(AuditStatus::Failed, records);
        self.metrics.audit_dropped(AuditDropped::WriteError, records);
    }

    fn dropped(&self, records: u64) {
        self.metrics.audit_dropped(AuditDropped::QueueFull, records);
    }

    #[expect(clippy::cast_precision_loss, reason = "a queue holds no 2^53 records")]
    fn waiting(&self, records: u64) {
        self.depth.set(records as f64);
    }
}

/// A story on its way to the audit; it becomes text on the audit's own thread.
#[derive(Debug)]
struct Record {
    told: Arc<Told>,
    audited: Audited,
    text: QueryText,
    instance: Arc<str>,
}

/// The keys, in their order; each is always there.
#[derive(Serialize)]
struct Keys<'a> {
    timestamp: String,
    username: Option<&'a str>,
    session_id: &'a str,
    query_text: Option<String>,
    query_hash: Option<String>,
    statement_type: &'static str,
    client_ip: IpAddr,
    duration_ms: u64,
    rows_returned: Option<u64>,
    status: &'static str,
    event: &'static str,
    query_id: Option<&'a str>,
    trace_id: &'a str,
    span_id: &'a str,
    request_id: &'a str,
    routing_group: Option<&'a str>,
    backend: Option<&'a str>,
    rule: Option<&'a str>,
    source: Option<&'a str>,
    catalog: Option<&'a str>,
    schema: Option<&'a str>,
    http_status: Option<u16>,
    trino_state: Option<&'static str>,
    error_name: Option<&'a str>,
    error_type: Option<&'static str>,
    resume_waited_ms: u64,
    queued_ms: u64,
    bytes_returned: Option<u64>,
    gateway_instance: &'a str,
    seq: u64,
}

impl Record {
    fn query_text(&self) -> Option<String> {
        let text = String::from_utf8_lossy(self.audited.text.as_ref()?);
        match self.text {
            QueryText::None => None,
            QueryText::Full => Some(text.into_owned()),
            QueryText::Redacted => Some(mask(&text)),
        }
    }

    fn query_hash(&self) -> Option<String> {
        let hash = self.audited.hash?;
        Some(hash.iter().fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}")))
    }
}

impl Line for Record {
    fn write(&self, seq: u64, out: &mut Vec<u8>) {
        let told = &*self.told;
        let keys = Keys {
            timestamp: format!("{:.3}", told.at),
            username: told.user.as_deref(),
            session_id: &told.session,
            query_text: self.query_text(),
            query_hash: self.query_hash(),
            statement_type: told.kind.as_str(),
            client_ip: told.client,
            duration_ms: millis(told.took),
            rows_returned: told.rows,
            status: told.status.as_str(),
            event: told.event(),
            query_id: told.id.as_ref().map(QueryId::as_str),
            trace_id: told.trace.trace_id(),
            span_id: told.trace.span_id(),
            request_id: told.request_id.as_str(),
            routing_group: told.place.as_ref().map(|place| &*place.group),
            backend: told.backend.as_deref(),
            rule: told.rule.as_deref(),
            source: told.source.as_deref(),
            catalog: told.catalog.as_deref(),
            schema: told.schema.as_deref(),
            http_status: told.http_status,
            trino_state: told.trino_state,
            error_name: told.error_name.as_deref(),
            error_type: told.error_type,
            resume_waited_ms: told.resume_wait_ms,
            queued_ms: told.queued_ms,
            bytes_returned: told.bytes,
            gateway_instance: &self.instance,
            seq,
        };
        // Strings and numbers only: nothing that JSON cannot say.
        if serde_json::to_writer(&mut *out, &keys).is_ok() {
            out.push(b'\n');
        }
    }
}
