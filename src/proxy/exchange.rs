//! One HTTP request with its answer: what is known of it, and the account that is closed when it ends.
//!
//! The account is a guard. It is owned by the answer's body, so that a request counts once, with the status that
//! the client got, when the last byte went, the answer broke or the client left (499), and never earlier.

use std::{
    net::IpAddr,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use http::Method;
use http_body::{Body as _, Frame, SizeHint};
use sluice_routing::{BackendName, QueryId};
use tokio::time::Instant;

use crate::{
    metrics::{
        Answered, Direction, Encoding, GroupMetrics, Metrics, Open, Operation, Step, Unavailable,
    },
    moment,
    proxy::{deadlines::Stage, handed::Handed, pipe::Pipe, spans::Spans},
    queries::story::CLIENT_LEFT,
    snapshot::Snapshot,
    telemetry::context::{KeptTrace, RequestId, TraceContext},
    trino::client_base::ClientBase,
};

pub(crate) mod learned;

use learned::Learned;

/// A line about a request, with its context.
macro_rules! line {
    ($level:ident, $exchange:expr, target: $target:literal, $($rest:tt)+) => {
        tracing::$level!(
            target: $target, trace_id = $exchange.trace.trace_id(), span_id = $exchange.trace.span_id(),
            trace_flags = $exchange.trace.trace_flags(), traceparent = $exchange.trace.traceparent(),
            request_id = $exchange.request_id.as_str(), $($rest)+
        )
    };
}
pub(crate) use line;

/// No overhead is that long.
const UNANSWERED: u64 = u64::MAX;

/// Everything that is known of a request before its path is looked at.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// Where things stood when it came.
    pub(crate) snapshot: Arc<Snapshot>,
    /// The URL that the client has of the gateway.
    pub(crate) base: ClientBase,
    /// The backend whose marker was in the path.
    pub(crate) marker: Option<BackendName>,
    /// The query that the path names.
    pub(crate) asked: Option<QueryId>,
    /// The client itself, behind trusted proxies.
    pub(crate) client: IpAddr,
    /// Kept or made; goes to the backend and back to the client.
    pub(crate) request_id: RequestId,
    /// The trace it belongs to.
    pub(crate) trace: TraceContext,
    /// Whether the backend is told of that trace by us, since the client told nothing.
    pub(crate) adds_trace: bool,
    /// Whether the client named a trace.
    pub(crate) came_with_trace: bool,
    /// Whether it is that of the query that the path names.
    pub(crate) continues: bool,
    /// What a collector is told of it, if anything.
    pub(crate) spans: Spans,
    /// Whether its client reads from the socket what is written to it, without TLS.
    pub(crate) is_bare: bool,
    /// Whether it would read a refusal as JSON.
    pub(crate) wants_json: bool,
    /// Whom it was about, for its line in the log.
    pub(crate) learned: Learned,
    /// Closed when the answer ends.
    pub(crate) account: Account,
}

/// What a request is counted with.
#[derive(Debug)]
pub(crate) struct Account {
    metrics: Arc<Metrics>,
    method: Method,
    operation: OnceLock<Operation>,
    group: OnceLock<Arc<GroupMetrics>>,
    reason: OnceLock<Unavailable>,
    started: Instant,
    upstream_micros: AtomicU64,
    bytes_out: AtomicU64,
    /// How its answer's bytes are written, where all of them are a result's.
    segment: OnceLock<Encoding>,
    held_micros: AtomicU64,
    /// What of the time to the answer's head was the gateway's own; [`UNANSWERED`] until there is one.
    overhead_micros: AtomicU64,
    status: AtomicU16,
    ended: AtomicBool,
    gone: AtomicBool,
    #[expect(
        dead_code,
        reason = "a guard: the request is in flight as long as its account is open"
    )]
    in_flight: Open,
}

impl Account {
    /// Opens the account of a request that has just come.
    pub(crate) fn open(metrics: Arc<Metrics>, method: &Method) -> Self {
        Self {
            in_flight: metrics.request_in_flight(method),
            metrics,
            method: method.clone(),
            operation: OnceLock::new(),
            group: OnceLock::new(),
            reason: OnceLock::new(),
            started: moment::now(),
            upstream_micros: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            segment: OnceLock::new(),
            held_micros: AtomicU64::new(0),
            overhead_micros: AtomicU64::new(UNANSWERED),
            status: AtomicU16::new(CLIENT_LEFT),
            ended: AtomicBool::new(false),
            gone: AtomicBool::new(false),
        }
    }

    /// When the request came.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// Says what kind of request it is; the first word counts.
    pub(crate) fn operation(&self, operation: Operation) {
        let _ = self.operation.set(operation);
    }

    /// Says which group it is for; the first word counts.
    pub(crate) fn group(&self, group: &Arc<GroupMetrics>) {
        let _ = self.group.set(Arc::clone(group));
    }

    /// Says why it is answered with 503.
    pub(crate) fn unavailable(&self, reason: Unavailable) {
        let _ = self.reason.set(reason);
    }

    /// Adds time spent waiting for a backend.
    pub(crate) fn waited(&self, took: Duration) {
        self.upstream_micros.fetch_add(micros(took), Ordering::Relaxed);
    }

    /// Adds time that a statement waited for its turn.
    pub(crate) fn held(&self, took: Duration) {
        self.held_micros.fetch_add(micros(took), Ordering::Relaxed);
    }

    /// Says that all bytes of its answer are a result's, passed on as they come.
    pub(crate) fn carries(&self, encoding: Encoding) {
        let _ = self.segment.set(encoding);
    }

    /// Bytes of a result have come for it, and gone to its client.
    pub(crate) fn result_bytes(&self, encoding: Encoding, came: u64, went: u64) {
        let count = |group: &GroupMetrics| {
            group.result_bytes(Direction::In, encoding, came);
            group.result_bytes(Direction::Out, encoding, went);
        };
        match self.group.get() {
            Some(group) => count(group),
            None => count(&self.metrics.unknown()),
        }
    }

    /// Says that the client has left, whatever is answered.
    pub(crate) fn client_left(&self) {
        self.gone.store(true, Ordering::Relaxed);
    }

    /// The head of the answer goes out now.
    fn answered(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
        let held = self.waited_for_resume();
        if !held.is_zero() {
            self.metrics.step(Step::ResumeWait, held);
        }
        let others = self.upstream().saturating_add(held);
        let overhead = moment::now().saturating_duration_since(self.started).saturating_sub(others);
        self.overhead_micros.store(micros(overhead), Ordering::Relaxed);
        self.metrics.overhead(self.label(), overhead);
    }

    /// Time that backends took.
    fn upstream(&self) -> Duration {
        Duration::from_micros(self.upstream_micros.load(Ordering::Relaxed))
    }

    /// Time spent held.
    fn waited_for_resume(&self) -> Duration {
        Duration::from_micros(self.held_micros.load(Ordering::Relaxed))
    }

    /// Bytes of the answer's body that went to the client.
    pub(crate) fn bytes_out(&self) -> u64 {
        self.bytes_out.load(Ordering::Relaxed)
    }

    /// The group that it is for, once that is known.
    pub(crate) fn group_name(&self) -> Option<&str> {
        self.group.get().map(|group| group.name())
    }

    /// How it asks.
    pub(crate) fn method(&self) -> &Method {
        &self.method
    }

    /// What it is called in metrics.
    pub(crate) fn label(&self) -> Operation {
        self.operation.get().copied().unwrap_or(Operation::Other)
    }
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

impl Account {
    /// Counts the request; what it counted is told.
    fn close(&self, trace: &TraceContext) -> (u16, Duration) {
        let answered = self.ended.load(Ordering::Relaxed) && !self.gone.load(Ordering::Relaxed);
        let status = if answered { self.status.load(Ordering::Relaxed) } else { CLIENT_LEFT };
        let took = moment::since(self.started);
        let answered = match self.reason.get() {
            Some(reason) if status == 503 => Answered::Unavailable(*reason),
            _ => Answered::Status(status),
        };
        let count = |group: &GroupMetrics| {
            group.request(answered, took);
            group.request_exemplar(took, trace);
        };
        match self.group.get() {
            Some(group) => count(group),
            None => count(&self.metrics.unknown()),
        }
        if let Some(encoding) = self.segment.get() {
            self.result_bytes(*encoding, self.bytes_out(), self.bytes_out());
        }
        self.metrics.http_request(self.label(), &self.method, status, took);
        (status, took)
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let (status, took) = self.account.close(&self.trace);
        self.tell(status, took);
        self.spans.end(self, status);
    }
}

impl Exchange {
    /// How long an ended query is remembered.
    pub(crate) fn remember_for(&self) -> Duration {
        self.snapshot.config.queries.remember_for.get()
    }

    /// The trace that polls without one of their own continue; none where no backend was told of any.
    pub(crate) fn trace_of_query(&self) -> Option<KeptTrace> {
        (self.adds_trace || self.came_with_trace).then(|| self.trace.kept())
    }

    /// Gives the answer a body that closes the account at its end.
    pub(crate) fn close_with(
        self: Arc<Self>,
        answer: http::Response<Handed>,
        stage: Arc<Stage>,
    ) -> http::Response<Accounted> {
        self.account.answered(answer.status().as_u16());
        answer.map(|body| {
            let accounted = Accounted { body, exchange: Some(self), stage, bytes: 0 };
            accounted.note_end();
            accounted
        })
    }
}

/// The body of an answer, which knows which exchange it ends.
#[derive(Debug)]
pub(crate) struct Accounted {
    body: Handed,
    /// None where what came was no request.
    exchange: Option<Arc<Exchange>>,
    stage: Arc<Stage>,
    /// That went through here.
    bytes: u64,
}

impl Accounted {
    /// That of an answer to what is nobody's exchange.
    pub(crate) fn alone(body: Body, stage: Arc<Stage>) -> Self {
        Self { body: Handed::Other(body), exchange: None, stage, bytes: 0 }
    }

    /// Whether what comes next may go through a pipe.
    pub(crate) fn may_pass(&self) -> bool {
        self.body.may_pass()
    }

    /// Whether nothing more of it is to be read before so much has left.
    pub(crate) fn is_plenty_behind(&self, held: usize) -> bool {
        self.body.is_plenty_behind(held)
    }

    /// Its client takes it more slowly than it comes.
    pub(crate) fn held_up(&mut self) {
        self.body.held_up();
    }

    /// Puts what comes next into an empty pipe; what is in it counts even if the answer breaks behind it.
    pub(crate) fn poll_pass(
        &mut self,
        cx: &mut Context<'_>,
        pipe: &mut Pipe,
    ) -> Poll<Result<(), axum::Error>> {
        let Poll::Ready(outcome) = self.body.poll_pass(cx, pipe) else {
            self.stage.waits();
            return Poll::Pending;
        };
        self.gave(pipe.holds());
        if outcome.is_err() {
            self.broke();
        }
        Poll::Ready(outcome)
    }

    fn gave(&mut self, bytes: usize) {
        self.stage.gave();
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        self.note_end();
    }

    /// A broken answer counts with the status that its head had: that is what the client saw.
    fn broke(&self) {
        self.stage.broken();
        self.ended();
    }

    /// hyper does not ask a body again that says it has ended.
    fn note_end(&self) {
        if self.body.is_end_stream() {
            self.ended();
        }
    }

    fn ended(&self) {
        if let Some(exchange) = &self.exchange {
            exchange.account.ended.store(true, Ordering::Relaxed);
        }
    }
}

impl http_body::Body for Accounted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Poll::Ready(mut frame) = Pin::new(&mut self.body).poll_frame(cx) else {
            self.stage.waits();
            return Poll::Pending;
        };
        // Trino has no trailers, and what HTTP/1.1 would not carry shall not come by HTTP/2.
        if frame.as_ref().is_some_and(|frame| frame.as_ref().is_ok_and(Frame::is_trailers)) {
            frame = None;
        }
        match &frame {
            Some(Ok(frame)) => self.gave(frame.data_ref().map_or(0, Bytes::len)),
            Some(Err(_)) => self.broke(),
            None => self.ended(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Accounted {
    fn drop(&mut self) {
        if let Some(exchange) = &self.exchange {
            exchange.account.bytes_out.store(self.bytes, Ordering::Relaxed);
        }
        self.stage.idle();
    }
}
