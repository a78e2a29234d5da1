//! Requests about a query that exists: polls, heartbeats, cancels, `/v1/query/{id}` and its verbs.
//!
//! They skip decision and permit: the owner is found, asked, and its answer passed on. A GET or HEAD may be
//! repeated to that same coordinator while it cannot be reached; anything else only if no byte of it was sent.
//! None of them wakes anything, and an id never moves to another backend.
//! What is rarely needed is awaited in a box of its own: the future of every poll would else have room for it.

use std::{mem, sync::Arc, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use http::{
    HeaderMap, Method, Request, StatusCode, header::CONTENT_ENCODING, header::CONTENT_LENGTH,
    uri::PathAndQuery,
};
use http_body_util::Limited;
use sluice_routing::{BackendName, QueryId};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::{
    metrics::{ErrorKind, Lookup, Operation, Retry, Unavailable},
    moment,
    proxy::{
        answers,
        core::Core,
        exchange::{Exchange, line},
        forward::{self, Page, Plan},
        handed::{Answer, Handed, other},
        headers::{clean_request, spent},
        owner::{self, Owner},
        page::{Counts, Lens, PageBody},
        resend, unavailable,
        upstream::{AnswerBody, Failure, Outgoing},
        waiting,
        watch::{Subject, Watch},
        whole::Whole,
    },
    queries::{Ending, Query, bindings::KEPT, is_ours},
    snapshot::Backend,
    trino::headers::{DATA_ENCODING, STARTED_TRANSACTION, TRACEPARENT, either},
};

mod met;
mod seek;

/// How long an owner may be unreachable, or unknown, before its client is told: every known client bears a request
/// of 8 s (trino-protocol.md 4.3).
const PATIENCE: Duration = Duration::from_secs(8);

/// Between two tries; short, since a coordinator that comes back should not be waited for.
const PAUSE: Duration = Duration::from_millis(100);

/// The bodies of `PUT /v1/query/{id}/killed` are a sentence.
const LONGEST_BODY: usize = 64 * 1024;

/// A request about a query, ready to be sent any number of times.
#[derive(Clone, Debug)]
pub(crate) struct Followed {
    pub(crate) id: QueryId,
    /// That of the path, unless the query now goes on elsewhere under another id.
    pub(crate) marker: Option<BackendName>,
    pub(crate) kind: Kind,
    pub(crate) method: Method,
    pub(crate) path: PathAndQuery,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What the path says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// `/v1/statement/queued/…`
    Queued,
    /// `/v1/statement/executing/…`
    Executing,
    /// `/v1/statement/executing/partialCancel/…`
    PartialCancel,
    /// `/v1/query/{id}…`
    Query,
}

/// Answers everything below `/v1/statement/`.
pub(crate) async fn statement(
    core: &Arc<Core>,
    exchange: &Arc<Exchange>,
    request: &mut Request<Body>,
) -> Answer {
    let path = request.uri().path();
    let kind = match path.strip_prefix("/v1/statement/") {
        Some(rest) if rest.starts_with("queued/") || rest.starts_with("scheduled/") => Kind::Queued,
        Some(rest) if rest.starts_with("executing/partialCancel/") => Kind::PartialCancel,
        Some(rest) if rest.starts_with("executing/") => Kind::Executing,
        _ => return other(answers::no_such_path()),
    };
    exchange.account.operation(match (request.method(), kind) {
        (&Method::DELETE, _) => Operation::StatementCancel,
        (&Method::HEAD, _) => Operation::StatementHead,
        (_, Kind::Queued) => Operation::StatementQueued,
        _ => Operation::StatementExecuting,
    });
    if !matches!(*request.method(), Method::GET | Method::HEAD | Method::DELETE) {
        return other(answers::wrong_method());
    }
    if let Some(id) = waits(core, exchange).filter(|_| kind == Kind::Queued) {
        let waiting = waiting::poll::statement(core, exchange, id, mem::take(request));
        match Box::pin(waiting).await {
            waiting::poll::Found::Answer(answer) => return other(answer),
            waiting::poll::Found::Became(became) => *request = became,
        }
    }
    follow(core, exchange, request, kind).await
}

/// The id of ours that a request names, as long as it leads to no real query.
fn waits(core: &Core, exchange: &Exchange) -> Option<QueryId> {
    let id = exchange.asked?;
    (is_ours(id) && core.shared.table.present_id(id) == id).then_some(id)
}

/// Answers `/v1/query/{id}` and its verbs.
pub(crate) async fn query(
    core: &Arc<Core>,
    exchange: &Arc<Exchange>,
    request: &mut Request<Body>,
) -> Answer {
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    exchange.account.operation(if changes { Operation::QueryKill } else { Operation::QueryInfo });
    match waits(core, exchange) {
        Some(id) if !met::became(core, exchange, id).await => {
            other(waiting::poll::query(core, exchange, id, mem::take(request)).await)
        }
        _ => follow(core, exchange, request, Kind::Query).await,
    }
}

async fn follow(
    core: &Arc<Core>,
    exchange: &Arc<Exchange>,
    request: &mut Request<Body>,
    kind: Kind,
) -> Answer {
    let Some(asked) = exchange.asked else {
        core.shared.metrics.route_lookup(Lookup::Miss);
        return other(answers::not_found());
    };
    let id = core.shared.table.present_id(asked);
    let followed = match Followed::read(core, exchange, request, asked, id, kind).await {
        Ok(followed) => followed,
        Err(refusal) => return *refusal,
    };
    let deadline = moment::after(PATIENCE);
    let mut asks_store = core.shared.replicas.is_shared();
    loop {
        let mut owner = followed.owner(core);
        if matches!(owner, Owner::OneOf(_) | Owner::NotYetKnown) && mem::take(&mut asks_store) {
            owner = owner::in_store(&core.shared, &exchange.snapshot, id).await.unwrap_or(owner);
        }
        match owner {
            Owner::Known(backend, query) => {
                match &query {
                    Some(query) => {
                        exchange.learned.query(query);
                        core.shared.metrics.route_lookup(Lookup::Hit);
                    }
                    None => fell_back(core, exchange, id, Some(&backend)),
                }
                let answer = ask(core, exchange, &backend, query, &followed).await;
                spent::give(followed.headers);
                return answer;
            }
            Owner::OneOf(backends) => {
                fell_back(core, exchange, id, None);
                let found = Box::pin(seek::among(core, exchange, backends, &followed));
                if let Ok(Some(answer)) = timeout_at(deadline, found).await {
                    return answer;
                }
            }
            Owner::Nobody => {
                core.shared.metrics.route_lookup(Lookup::Miss);
                return other(answers::not_found());
            }
            Owner::NotYetKnown => {}
        }
        if Instant::now() >= deadline {
            return nobody_to_ask(exchange);
        }
        sleep(PAUSE).await;
        exchange.account.waited(PAUSE);
    }
}

/// The table does not know the query; the marker, its coordinator or a search leads to its owner.
fn fell_back(core: &Core, exchange: &Exchange, id: QueryId, backend: Option<&Backend>) {
    core.shared.metrics.route_lookup(Lookup::Fallback);
    line!(
        warn, exchange, target: "sluice::proxy", event = "route_lookup_fallback", query_id = id.as_str(),
        backend = backend.map(|backend| backend.name.as_ref()), "owner of a query is not in the table"
    );
}

impl Followed {
    async fn read(
        core: &Core,
        exchange: &Exchange,
        request: &mut Request<Body>,
        asked: QueryId,
        id: QueryId,
        kind: Kind,
    ) -> Result<Self, Box<Answer>> {
        let path = request.uri().path_and_query();
        let path = path
            .and_then(|path| {
                if asked == id { Some(path.clone()) } else { renamed(core, path, asked, id, kind) }
            })
            .ok_or_else(|| Box::new(other(answers::not_found())))?;
        let method = request.method().clone();
        // Taken in any case: what nobody reads is to be seen as such by the connection.
        let body = mem::take(request.body_mut());
        let body = if method == Method::GET || method == Method::HEAD {
            drop(body);
            Bytes::new()
        } else {
            Box::pin(short(body)).await?
        };
        let mut headers = mem::take(request.headers_mut());
        clean_request(&mut headers);
        let marker = exchange.marker.clone().filter(|_| asked == id);
        Ok(Self { id, marker, kind, method, path, headers, body })
    }

    fn owner(&self, core: &Core) -> Owner {
        let snapshot = core.shared.current.load();
        owner::find_with(&core.shared, &snapshot, self.marker.as_ref(), self.id)
    }

    fn may_repeat(&self, failure: &Failure) -> bool {
        failure.nothing_sent()
            || (matches!(failure, Failure::Lost(_))
                && matches!(self.method, Method::GET | Method::HEAD))
    }

    /// Whether it may be the request at which a coordinator begins the query.
    fn is_first_poll(&self) -> bool {
        self.kind == Kind::Queued && self.method == Method::GET
    }

    fn is_of_the_chain(&self) -> bool {
        self.kind != Kind::Query
    }

    fn page(&self, query: Option<&Query>) -> Page {
        match self.kind {
            Kind::Queued => Page::Early,
            Kind::Executing if query.is_some_and(Query::is_spooled) => Page::Spooled,
            Kind::Executing => Page::Executing,
            Kind::PartialCancel | Kind::Query => Page::None,
        }
    }
}

/// A body of a sentence.
async fn short(body: Body) -> Result<Bytes, Box<Answer>> {
    match timeout(PATIENCE, Whole::of(Limited::new(body, LONGEST_BODY))).await {
        Ok(Ok(whole)) => Ok(whole),
        _ => {
            let words = "the request's body is too long or incomplete";
            Err(Box::new(other(answers::text(StatusCode::BAD_REQUEST, words))))
        }
    }
}

/// The path for a client that knows the query by the id that it had before it was sent again.
fn renamed(
    core: &Core,
    path: &PathAndQuery,
    asked: QueryId,
    id: QueryId,
    kind: Kind,
) -> Option<PathAndQuery> {
    if kind == Kind::Query {
        return path.as_str().replace(asked.as_str(), id.as_str()).try_into().ok();
    }
    if !core.shared.table.is_given_out(asked, path.path()) {
        return None;
    }
    core.shared.table.get(id)?.entrance()?.try_into().ok()
}

/// Asks the owner, again and again while it cannot be reached, and passes its answer on.
async fn ask(
    core: &Arc<Core>,
    exchange: &Arc<Exchange>,
    backend: &Arc<Backend>,
    query: Option<Arc<Query>>,
    followed: &Followed,
) -> Answer {
    account_for(core, exchange, backend, query.as_deref());
    let deadline = moment::after(PATIENCE);
    loop {
        let failure = match attempt(core, exchange, backend, query.as_deref(), followed).await {
            Ok((plan, answer)) => {
                return deliver(core, exchange, backend, query, followed, plan, answer).await;
            }
            Err(failure) => failure,
        };
        if followed.is_first_poll()
            && failure.nothing_sent()
            && let Some(query) = &query
            && let Some(answer) =
                Box::pin(resend::before_first_poll(core, exchange, backend, query)).await
        {
            return other(answer);
        }
        if !followed.may_repeat(&failure) || Instant::now() + PAUSE >= deadline {
            return other(forward::failed(core, exchange, &backend.group, &failure));
        }
        backend.live.metrics.retried(Retry::Connect);
        sleep(PAUSE).await;
        exchange.account.waited(PAUSE);
    }
}

fn account_for(core: &Core, exchange: &Exchange, backend: &Backend, query: Option<&Query>) {
    match query {
        Some(query) => exchange.account.group(&query.about.metrics),
        None => exchange.account.group(&core.shared.metrics.group(backend.group.as_ref())),
    }
}

async fn attempt(
    core: &Core,
    exchange: &Exchange,
    backend: &Arc<Backend>,
    query: Option<&Query>,
    followed: &Followed,
) -> Result<(Plan, http::Response<AnswerBody>), Failure> {
    let plan = Plan::new(exchange, backend, followed.page(query));
    let polled = query.filter(|_| followed.is_of_the_chain());
    // Said before the first byte goes: whoever leaves in the midst of it leaves it said.
    polled.inspect(|query| query.poll_begins());
    let answer = send(core, exchange, backend, query, followed, &plan).await;
    if answer.as_ref().is_err_and(Failure::nothing_sent) {
        polled.inspect(|query| query.poll_not_sent());
    }
    let answer = answer?;
    if followed.kind != Kind::Executing || !is_spooled(answer.headers()) {
        return Ok((plan, answer));
    }
    let spooled = Plan::new(exchange, backend, Page::Spooled);
    if spooled.patch.is_none() || !is_compressed(&answer) || followed.method != Method::GET {
        return Ok((spooled, answer));
    }
    // The first sign of spooling, on a page that cannot be patched: the same token gives the same page again.
    drop(answer);
    let answer = Box::pin(send(core, exchange, backend, query, followed, &spooled)).await?;
    Ok((spooled, answer))
}

async fn send(
    core: &Core,
    exchange: &Exchange,
    backend: &Arc<Backend>,
    query: Option<&Query>,
    followed: &Followed,
    plan: &Plan,
) -> Result<http::Response<AnswerBody>, Failure> {
    let what = (followed.method.clone(), &followed.path);
    let body = Outgoing::Whole(followed.body.clone());
    let mut asking = forward::asking(exchange, backend, plan, what, &followed.headers)?;
    let trace = query.and_then(|query| query.about.trace);
    // Where the query was known from the first, its trace is said already.
    let trace = trace.filter(|_| !exchange.came_with_trace && !exchange.continues);
    if let Some(trace) = trace.and_then(|trace| trace.context().header()) {
        asking.headers.set(TRACEPARENT, trace);
    }
    let within = exchange.snapshot.config.upstream.first_byte_timeout.get();
    forward::send(&core.upstream, exchange, backend, &mut asking, body, within).await
}

/// Trino 483 says so from the POST's answer on.
fn is_spooled(headers: &HeaderMap) -> bool {
    either(headers, &DATA_ENCODING).is_some()
}

fn is_compressed(answer: &http::Response<AnswerBody>) -> bool {
    answer
        .headers()
        .get(CONTENT_ENCODING)
        .is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// Passes the owner's answer on and takes in what it means for the query.
async fn deliver(
    core: &Arc<Core>,
    exchange: &Arc<Exchange>,
    backend: &Arc<Backend>,
    query: Option<Arc<Query>>,
    followed: &Followed,
    plan: Plan,
    answer: http::Response<AnswerBody>,
) -> Answer {
    let (mut parts, body) = answer.into_parts();
    forward::clean_answer(&mut parts, plan.patch.as_deref());
    core.shared.challenges(exchange, backend, &mut parts.headers);
    match &query {
        Some(query) => note(query, followed, parts.status),
        None => met::meet(core, backend, followed, parts.status),
    }
    let is_page = matches!(followed.kind, Kind::Queued | Kind::Executing);
    if !is_page || followed.method != Method::GET || parts.status != StatusCode::OK {
        return http::Response::from_parts(parts, Handed::Other(Body::new(body)));
    }
    let begun = either(&parts.headers, &STARTED_TRANSACTION);
    if let Some(id) = begun.and_then(|id| id.to_str().ok()) {
        core.shared.bindings.bind(id, &backend.name);
        if exchange.snapshot.has_several_backends() {
            core.shared.replicas.tie(id, &backend.name, KEPT).await;
        }
    }
    let spooled = is_spooled(&parts.headers);
    if spooled {
        query.iter().for_each(|query| query.mark_spooled());
        if exchange.snapshot.backends.len() == 1 {
            let _ = core.shared.unmarked.set(backend.name.clone());
        }
    }
    let lens = Lens::new(plan.patch.as_ref(), &parts.headers);
    if lens.changes_length() {
        parts.headers.remove(CONTENT_LENGTH);
    }
    let (held, body) = match (&query, followed.kind) {
        (Some(query), Kind::Executing) => {
            query.forget_statement();
            (Vec::new(), body)
        }
        (Some(query), Kind::Queued) => {
            let look = resend::look(core, exchange, backend, query, &parts.headers, body);
            match Box::pin(look).await {
                resend::Seen::Page(held, body) => (held, body),
                resend::Seen::Instead(answer) => return other(answer),
                resend::Seen::Broken => return failed_page(core, exchange, backend),
            }
        }
        _ => (Vec::new(), body),
    };
    exchange.spans.streams();
    let subject = match query {
        Some(query) => Subject::Known(Arc::clone(&query), query.streams()),
        None => Subject::Stranger,
    };
    let watch =
        Watch::new(Arc::clone(&core.shared), Arc::clone(exchange), Arc::clone(backend), subject);
    let watch = watch.encoded(&parts.headers);
    let counts = Counts::of(exchange, &core.shared.chronicle, &parts.headers);
    let page = PageBody::new(body, lens, watch, held, counts).passing(exchange.is_bare);
    let mut page = Box::new(page);
    page.gather().await;
    http::Response::from_parts(parts, Handed::Page(page))
}

/// Rule L3: what an answer's status says of the query's end.
fn note(query: &Query, followed: &Followed, status: StatusCode) {
    match (&followed.method, followed.kind, status) {
        (&Method::DELETE, Kind::Queued | Kind::Executing | Kind::Query, _)
            if status.is_success() =>
        {
            query.end(&Ending::Canceled);
        }
        (_, Kind::Queued | Kind::Executing, StatusCode::NOT_FOUND | StatusCode::GONE)
            if query.is_latest(followed.path.path()) =>
        {
            query.end(&Ending::Gone);
        }
        (&Method::GET | &Method::HEAD, Kind::Queued | Kind::Executing, _)
            if status.is_success() =>
        {
            query.touch()
        }
        _ => {}
    }
}

fn nobody_to_ask(exchange: &Exchange) -> Answer {
    let why = "the coordinator of this query cannot be told yet";
    other(unavailable::answer(exchange, "query", Unavailable::NoBackend, why))
}

fn failed_page(core: &Core, exchange: &Exchange, backend: &Backend) -> Answer {
    core.shared.metrics.error(ErrorKind::UpstreamBody, exchange.account.label());
    let why = "the coordinator of this query broke off in the middle of an answer";
    other(unavailable::answer(exchange, backend.group.as_str(), Unavailable::NoBackend, why))
}
