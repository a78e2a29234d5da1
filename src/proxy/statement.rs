//! A new statement: facts, decision, permit, forward; the page that comes back is remembered by `watch`.
//!
//! A POST does not start a query: Trino drops what is never followed (`QueuedStatementResource`, 482). So it may
//! be sent to another backend whenever one did not answer, until its `nextUri` was followed. A statement of a
//! transaction is never moved, and one that is no demand (`kill_query`, no user, no text) never counts.

use std::{mem, sync::Arc, time::Duration};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, Version};
use http_body::Body as _;
use http_body_util::BodyExt;
use sluice_routing::{QueryId, StatementKind};
use tokio::time::Instant;

use crate::{
    config::trust::NoTls,
    metrics::{ErrorKind, Lookup, Operation, Retry, Step},
    proxy::{
        answers,
        core::Core,
        exchange::{Exchange, line},
        forward::{self, Plan},
        headers::clean_request,
        owner,
        upstream::{AnswerBody, Failure},
        waiting,
        watch::Newcomer,
        whole::Whole,
    },
    queries::{
        Lease, Query,
        query::{About, Statement},
        story::End,
    },
};

pub(crate) mod asked;
mod chosen;
pub(crate) mod sending;

use asked::Asked;
use chosen::Choice;
pub(crate) use chosen::Chosen;
use sending::{about, accepted, attempt, deliver, kept};

/// Answers `POST /v1/statement`.
pub(crate) async fn submit(
    core: &Arc<Core>,
    exchange: &Arc<Exchange>,
    request: &mut Request<Body>,
) -> Response {
    exchange.account.operation(Operation::StatementSubmit);
    if exchange.marker.is_some() {
        return answers::no_such_path();
    }
    let data = &exchange.snapshot.config.data;
    let (most, patience) = (data.max_statement_bytes.get(), data.header_timeout.get());
    let body = match collect(mem::take(request.body_mut()), most, patience).await {
        Ok(body) => body,
        Err(refused) => {
            // A stream of HTTP/2 has no other way to break: its client reset it, or is reset itself.
            let is_stream = request.version() == Version::HTTP_2;
            let refused = match refused {
                Refused::Broken if is_stream => Refused::Left,
                refused => refused,
            };
            let answer = refused.answer(core, exchange);
            let asked = Asked::read(core, exchange, request.headers(), &Bytes::new());
            return rejected(core, exchange, &asked, answer);
        }
    };
    let mut headers = mem::take(request.headers_mut());
    clean_request(&mut headers);
    let asked = read(core, exchange, &headers, &body);
    if let Some(target) = asked.kills {
        return Box::pin(kill(core, exchange, headers, body, &asked, target)).await;
    }
    dispatch(core, exchange, headers, body, &asked).await
}

/// Tells of a statement that no group has taken, and gives its answer.
pub(crate) fn rejected(
    core: &Core,
    exchange: &Exchange,
    asked: &Asked,
    answer: Response,
) -> Response {
    let about = sending::about_with(exchange, core.shared.metrics.unknown(), asked);
    about.tell(&End::rejected(answer.status().as_u16(), None), true);
    answer
}

/// Takes the statement apart, and notes who sent it.
fn read(core: &Core, exchange: &Exchange, headers: &HeaderMap, body: &Bytes) -> Asked {
    let began = Instant::now();
    let asked = Asked::read(core, exchange, headers, body);
    let now = Instant::now();
    core.shared.metrics.step(Step::Classify, now - began);
    if asked.is_demand() {
        let source = asked::source(headers);
        core.shared.sessions.seen(asked.user.as_deref(), source, exchange.client, now);
    }
    asked
}

/// Of a statement that is too large, so much is read and thrown away: a client that is still sending when its
/// connection closes never reads the 413.
const MOST_DISCARDED: u64 = 64 << 20;

/// Why a statement's body could not be taken.
enum Refused {
    TooLarge(u64),
    Slow,
    Left,
    Broken,
}

impl Refused {
    fn answer(&self, core: &Core, exchange: &Exchange) -> Response {
        if matches!(self, Self::Left) {
            exchange.account.client_left();
        } else {
            core.shared.metrics.error(ErrorKind::BadRequest, exchange.account.label());
        }
        match self {
            Self::TooLarge(most) => answers::text(
                StatusCode::PAYLOAD_TOO_LARGE,
                &format!("the statement is larger than {most} bytes (data.maxStatementBytes)"),
            ),
            Self::Slow => {
                answers::text(StatusCode::REQUEST_TIMEOUT, "the statement did not arrive in time")
            }
            Self::Left => answers::text(
                StatusCode::BAD_REQUEST,
                "the statement's body ended before its announced end",
            ),
            Self::Broken => {
                answers::text(StatusCode::BAD_REQUEST, "the statement's body is not well-formed")
            }
        }
    }
}

/// Reads the statement; every chunk must come within `patience`.
async fn collect(mut body: Body, most: u64, patience: Duration) -> Result<Bytes, Refused> {
    if body.size_hint().lower() > most.saturating_add(MOST_DISCARDED) {
        return Err(Refused::TooLarge(most));
    }
    let mut whole = Whole::default();
    let mut size = 0_u64;
    loop {
        let frame = match tokio::time::timeout(patience, body.frame()).await {
            Err(_) => return Err(Refused::Slow),
            Ok(None) => break,
            Ok(Some(Err(error))) if is_departure(&error) => return Err(Refused::Left),
            Ok(Some(Err(_))) => return Err(Refused::Broken),
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(chunk) = frame.into_data() else { continue };
        size = size.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
        match size {
            _ if size <= most => whole.push(chunk),
            _ if size <= most.saturating_add(MOST_DISCARDED) => whole.clear(),
            _ => return Err(Refused::TooLarge(most)),
        }
    }
    if size > most {
        return Err(Refused::TooLarge(most));
    }
    Ok(whole.into())
}

/// Whether a body ended because its connection did.
fn is_departure(error: &axum::Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            return error.kind() != std::io::ErrorKind::InvalidData
                && error.kind() != std::io::ErrorKind::InvalidInput;
        }
        cause = error.source();
    }
    false
}

/// Decides, takes the permit, forwards; what cannot be forwarded yet waits.
async fn dispatch(
    core: &Arc<Core>,
    exchange: &Arc<Exchange>,
    headers: HeaderMap,
    body: Bytes,
    asked: &Asked,
) -> Response {
    chosen::recall_transaction(core, exchange, asked).await;
    let chosen = match chosen::choose(core, exchange, &headers, asked) {
        Choice::Go(chosen) => chosen,
        Choice::Wait(group) if asked.may_wait_for(&group) => {
            let (core, exchange) = (Arc::clone(core), Arc::clone(exchange));
            return Box::pin(waiting::submit(core, exchange, group, headers, body, asked)).await;
        }
        Choice::Wait(_) | Choice::Nobody(_) if let Some(target) = asked.kills => {
            return waiting::kill::of_nobodys(core, exchange, asked, target);
        }
        Choice::Wait(group) => return waiting::not_waited_for(core, exchange, &group, asked),
        Choice::Nobody(refusal) | Choice::Refused(refusal) => return *refusal,
    };
    exchange.account.group(&chosen.group.metrics);
    let lease = asked.is_demand().then(|| accepted(core, &chosen.group, asked));
    let about = about(exchange, &chosen.group, asked);
    if lease.is_some() {
        asked.origin.accepted(&about);
    }
    let statement = Arc::new(kept(core, headers, body, asked));
    forward_statement(core, exchange, chosen, statement, about, lease, None).await
}

/// What a statement that takes the place of a lost one may still become.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    /// All that a first one may.
    Same,
    /// Nothing: it is not sent again.
    Last,
}

/// Sends a statement until some backend has answered, and gives that answer on.
pub(crate) async fn forward_statement(
    core: &Arc<Core>,
    exchange: &Arc<Exchange>,
    mut chosen: Chosen,
    statement: Arc<Statement>,
    about: About,
    lease: Option<Lease>,
    instead_of: Option<(Arc<Query>, Place)>,
) -> Response {
    let mut attempts = 0_u64;
    let counts = lease.is_some();
    loop {
        attempts += 1;
        let backend = Arc::clone(&chosen.backend);
        if let (Some(lease), Some(load)) = (&lease, chosen.load.take()) {
            lease.place(load);
        }
        let outcome = attempt(core, exchange, &backend, &statement, None).await;
        if let Some(retry) = reason_to_retry(&outcome)
            && !statement.in_transaction
            && chosen.next(exchange, statement.user.as_deref(), &outcome)
        {
            backend.live.metrics.retried(retry);
            line!(
                info, exchange, target: "sluice::proxy", event = "upstream_retry", routing_group = chosen.group.name.as_str(),
                backend = backend.name.as_ref(), attempt = attempts, reason = retry.as_str(), "statement is sent again"
            );
            if let Some(lease) = &lease {
                lease.displace();
            }
            continue;
        }
        return match outcome {
            Ok(answer) => {
                let group = chosen.group.name.clone();
                let is_last = matches!(instead_of, Some((_, Place::Last)));
                let statement = (!is_last).then_some(statement);
                let instead_of = instead_of.map(|(old, _)| old);
                let pass = None;
                let newcomer =
                    Box::new(Newcomer { about, group, lease, statement, instead_of, pass });
                deliver(core, exchange, backend, answer, newcomer).await
            }
            Err(Failure::Connect(ref error))
                if NoTls::find(error.as_ref()).is_none()
                    && instead_of.is_none()
                    && !statement.in_transaction
                    && chosen.group.wake.has_driver
                    && let Some(lease) = lease =>
            {
                // It looked ready and is not there: demand like any other, and its backend is woken.
                let group = Arc::clone(&chosen.group);
                let (core, exchange) = (Arc::clone(core), Arc::clone(exchange));
                let waits = waiting::instead(core, exchange, group, about, statement, lease);
                Box::pin(waits).await
            }
            Err(failure) => {
                let answer = forward::failed(core, exchange, &chosen.group.name, &failure);
                let end = End::rejected(answer.status().as_u16(), Some("no coordinator answered"));
                about.tell(&end.by(backend.name.as_ref()), counts);
                answer
            }
        };
    }
}

fn reason_to_retry(outcome: &Result<(Plan, http::Response<AnswerBody>), Failure>) -> Option<Retry> {
    match outcome {
        Err(Failure::Late(_)) => Some(Retry::Timeout),
        Err(Failure::Connect(_) | Failure::Lost(_)) => Some(Retry::Connect),
        Ok((_, answer)) if matches!(answer.status().as_u16(), 502..=504) => Some(Retry::Status),
        Ok(_) | Err(Failure::Unsendable(_)) => None,
    }
}

/// `CALL system.runtime.kill_query`: goes to the owner of the id it names, counts as no query and wakes nothing.
async fn kill(
    core: &Arc<Core>,
    exchange: &Arc<Exchange>,
    headers: HeaderMap,
    body: Bytes,
    asked: &Asked,
    target: QueryId,
) -> Response {
    exchange.account.operation(Operation::QueryKill);
    waiting::recall::recall(core, exchange, target, None).await;
    if let Some(answer) = waiting::kill::of_waiting(core, exchange, target, asked) {
        return answer;
    }
    let present = core.shared.table.present_id(target);
    let body = if present == target { body } else { replace_id(&body, target, present) };
    let mut owner = owner::find(&core.shared, &exchange.snapshot, exchange, present);
    if !matches!(owner, owner::Owner::Known(..)) {
        let stored = owner::in_store(&core.shared, &exchange.snapshot, present).await;
        owner = stored.unwrap_or(owner);
    }
    let owner::Owner::Known(backend, _) = owner else {
        // Nobody known owns it: any coordinator of the group says so in Trino's own words.
        return dispatch(core, exchange, headers, body, asked).await;
    };
    core.shared.metrics.route_lookup(Lookup::Hit);
    let chosen = Chosen::fixed(core, exchange, &backend);
    exchange.account.group(&chosen.group.metrics);
    let statement =
        Statement { kept: None, body, headers, in_transaction: true, user: asked.user.clone() };
    let about = About { kind: StatementKind::Utility, ..about(exchange, &chosen.group, asked) };
    forward_statement(core, exchange, chosen, Arc::new(statement), about, None, None).await
}

/// Both ids have the same length, so the text keeps its shape.
fn replace_id(body: &Bytes, from: QueryId, to: QueryId) -> Bytes {
    match std::str::from_utf8(body) {
        Ok(sql) => sql.replace(from.as_str(), to.as_str()).into(),
        Err(_) => body.clone(),
    }
}
