//! `/v1/statement`: new statements, polls, heartbeats and cancels.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, RETRY_AFTER};
use http::{HeaderMap, Method, StatusCode};

use super::answer::{self, Answer};
use super::base::Base;
use super::body::Body;
use super::chain::Reply;
use super::coordinator::Coordinator;
use super::inspect::canceled;
use super::options::Version;
use super::page::Page;
use super::plan::Plan;
use super::query::{End, Query};
use super::script::{Fault, Moment};
use super::slug::Context;
use super::{hostile, login, spooling};

/// What becomes of a request.
#[derive(Debug)]
pub(super) enum Outcome {
    Answer(Answer),
    /// The connection dies before the answer.
    Die,
    /// The connection dies in the answer's head.
    DieInHead(Answer),
    /// The connection is reset where the body breaks off.
    DieInPage(Answer),
    /// Nothing comes.
    Stall,
}

impl Outcome {
    /// Changes the answer, if there is one.
    pub(super) fn map(self, change: impl FnOnce(Answer) -> Answer) -> Self {
        match self {
            Self::Answer(answer) => Self::Answer(change(answer)),
            Self::DieInHead(answer) => Self::DieInHead(change(answer)),
            Self::DieInPage(answer) => Self::DieInPage(change(answer)),
            Self::Die | Self::Stall => self,
        }
    }
}

impl From<Answer> for Outcome {
    fn from(answer: Answer) -> Self {
        Self::Answer(answer)
    }
}

/// A request to `/v1/statement` itself.
pub(super) fn answer(
    coordinator: &Coordinator,
    method: &Method,
    headers: &HeaderMap,
    body: &Bytes,
    base: &Base,
) -> Outcome {
    let is_new = coordinator.options.version == Version::V483;
    match *method {
        Method::POST => post(coordinator, headers, body, base),
        // Are the credentials right?
        Method::HEAD if is_new => match login::user(coordinator, headers, base) {
            Ok(_) => answer::empty_json().into(),
            Err(refusal) => (*refusal).into(),
        },
        _ if is_new => answer::not_allowed("HEAD,POST,OPTIONS").into(),
        _ => answer::not_allowed("POST,OPTIONS").into(),
    }
}

fn post(coordinator: &Coordinator, headers: &HeaderMap, body: &Bytes, base: &Base) -> Outcome {
    let user = match login::user(coordinator, headers, base) {
        Ok(user) => user,
        Err(refusal) => return Outcome::Answer(*refusal),
    };
    let text = String::from_utf8_lossy(body).into_owned();
    if text.is_empty() {
        return answer::error(StatusCode::BAD_REQUEST, "SQL statement is empty").into();
    }
    let plan = Plan::of(&text, headers);
    let fault = plan.script.fault_at(Moment::Post);
    let fault = fault.filter(|_| coordinator.plays_fault(&text, plan.script.times));
    let mut query = Query::new(coordinator.next_id(), plan, &text, user);
    query.transaction = transaction(headers);
    query.knows_transactions = headers.contains_key("x-trino-transaction-id");
    let offers_spooling =
        coordinator.options.spooling && coordinator.options.version == Version::V483;
    query.spooled_as = offers_spooling.then(|| spooling::chosen(headers)).flatten();
    let query = coordinator.add(query);
    let page = coordinator.posted(&query, base);
    match fault {
        Some(fault) => spoil(fault, &page),
        None => whole(&page).into(),
    }
}

fn transaction(headers: &HeaderMap) -> Option<String> {
    let id = headers.get("x-trino-transaction-id")?.to_str().ok()?;
    (!id.is_empty() && !id.eq_ignore_ascii_case("none")).then(|| id.to_owned())
}

/// A request under `/v1/statement/`.
pub(super) async fn follow(
    coordinator: &Coordinator,
    method: &Method,
    parts: &[&str],
    base: &Base,
) -> Outcome {
    let (context, id, slug, token) = match parts {
        ["queued", id, slug, token] => (Context::Queued, id, slug, token),
        ["executing", id, slug, token] => (Context::Executing, id, slug, token),
        ["executing", "partialCancel", id, _, slug, token] if method == Method::DELETE => {
            return partial_cancel(coordinator, id, slug, token).into();
        }
        _ => return answer::no_such_path().into(),
    };
    let is_new = coordinator.options.version == Version::V483;
    if token.parse::<u64>().is_err() {
        return answer::empty(StatusCode::NOT_FOUND).into();
    }
    if !matches!(*method, Method::GET | Method::HEAD | Method::DELETE) {
        let head = if is_new { "HEAD," } else { "" };
        return answer::not_allowed(&format!("{head}DELETE,GET,OPTIONS")).into();
    }
    let Some((query, token)) = known(coordinator, context, id, slug, token) else {
        return not_found().into();
    };
    match (method, context) {
        (&Method::DELETE, _) => cancel(coordinator, &query).into(),
        (&Method::HEAD, Context::Executing) if is_new => heartbeat(&query).into(),
        // Any other HEAD is a GET whose body is thrown away, with all that the GET does.
        (_, Context::Queued) => reply(coordinator.queued(&query, token, base).await),
        (_, Context::Executing) => reply(coordinator.executing(&query, token, base).await),
    }
}

/// The query that a path means, if its slug is the one of that token.
fn known(
    coordinator: &Coordinator,
    context: Context,
    id: &str,
    slug: &str,
    token: &str,
) -> Option<(Arc<Query>, u64)> {
    let query = coordinator.query(id)?;
    let token = token.parse().ok()?;
    (query.slugs.slug(context, token) == slug).then_some((query, token))
}

fn not_found() -> Answer {
    answer::error(StatusCode::NOT_FOUND, "Query not found")
}

fn cancel(coordinator: &Coordinator, query: &Query) -> Answer {
    coordinator.fail(query, canceled());
    answer::empty(StatusCode::NO_CONTENT)
}

fn partial_cancel(coordinator: &Coordinator, id: &str, slug: &str, token: &str) -> Answer {
    match known(coordinator, Context::Executing, id, slug, token) {
        Some((query, _)) => {
            query.life().is_cut_short = true;
            query.changed.notify_waiters();
            answer::empty(StatusCode::NO_CONTENT)
        }
        None => not_found(),
    }
}

/// A sign of life from a client that is busy with what it has.
fn heartbeat(query: &Query) -> Answer {
    query.life().last_sign = tokio::time::Instant::now();
    answer::empty_json()
}

fn reply(reply: Reply) -> Outcome {
    match reply {
        Reply::Page(page) => whole(&page).into(),
        Reply::Fault(fault, page) => spoil(fault, &page),
        Reply::Gone(words) => answer::error(StatusCode::GONE, words).into(),
        Reply::NotFound => answer::error(StatusCode::NOT_FOUND, "HTTP 404 Not Found").into(),
    }
}

/// The page as it is sent: a small one in one chunk, as a coordinator's buffer makes it.
fn whole(page: &Page) -> Answer {
    if !page.rows.is_small() {
        return parted(page);
    }
    let mut text = BytesMut::with_capacity(page.head.len() + page.tail.len() + 1024);
    text.extend_from_slice(&page.head);
    page.rows.pieces().for_each(|piece| text.extend_from_slice(&piece));
    text.extend_from_slice(&page.tail);
    with_headers(page, Body::of(text.freeze()))
}

/// The page in parts, which can be large and of which the middle can break.
fn parted(page: &Page) -> Answer {
    let (head, tail) = (page.head.clone(), page.tail.clone());
    with_headers(page, Body::page(head, Some(page.rows.pieces()), tail))
}

fn with_headers(page: &Page, body: Body) -> Answer {
    let mut answer = answer::json(body);
    for (name, value) in &page.headers {
        answer.headers_mut().append(name.clone(), value.clone());
    }
    answer
}

fn spoil(fault: Fault, page: &Page) -> Outcome {
    let changed = |change: fn(Body) -> Body| parted(page).map(change);
    match fault {
        Fault::Status(code) => status(code).into(),
        Fault::DieBefore => Outcome::Die,
        Fault::DieInHead => Outcome::DieInHead(whole(page)),
        Fault::DieInPage => Outcome::DieInPage(changed(Body::aborted)),
        Fault::Truncate => changed(Body::aborted).into(),
        Fault::Stall => Outcome::Stall,
        Fault::StallInPage => changed(Body::stalled).into(),
        Fault::Garbage => answer::json(Body::of("<html>not a page</html>")).into(),
        Fault::Endless => answer::json(hostile::endless()).into(),
        Fault::NotGzip => calling_itself_gzip(changed(|body| body)).into(),
        Fault::Bomb => calling_itself_gzip(answer::json(Body::of(hostile::bomb()))).into(),
    }
}

fn calling_itself_gzip(mut answer: Answer) -> Answer {
    answer::insert(&mut answer, CONTENT_ENCODING, "gzip");
    answer
}

fn status(code: u16) -> Answer {
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = answer::error(status, "the script says so");
    if matches!(code, 429 | 503) {
        answer::insert(&mut answer, RETRY_AFTER, "1");
    }
    answer
}

/// How long a stalled answer keeps its connection; its client gives up long before.
pub(super) const STALL: Duration = Duration::from_hours(1);

impl Query {
    /// Whether the query still counts as work.
    pub(super) fn is_living(&self) -> bool {
        !matches!(self.life().end, Some(End::Finished | End::Failed(_)))
    }
}
