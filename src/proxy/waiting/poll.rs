//! Requests about a statement that waits: the poll that may become its hand-over, the heartbeat, the cancel.
//!
//! A poll is answered within a second or so, at once when the turn comes; the same token gives the same page. HEAD
//! never dispatches anything. After the hand-over the old path leads to the real query (`followed`).

use std::{sync::Arc, time::Duration};

use axum::{body::Body, response::Response};
use http::{Method, Request, StatusCode};
use http_body_util::Limited;
use sluice_routing::QueryId;
use tokio::time::{Instant, timeout};

use super::{
    Deadlines, Pursued, kill, page, pursue,
    recall::{recall, slug_of, while_busy},
};
use crate::{
    metrics::Operation,
    proxy::{answers, core::Core, exchange::Exchange, headers::clean_request, whole::Whole},
    queries::{Waiting, WaitingState},
};

/// A held poll costs nothing, and a client that shows progress wants to hear something each second.
pub(super) const LONG_POLL: Duration = Duration::from_secs(1);

/// A message is a sentence.
const LONGEST_MESSAGE: usize = 64 * 1024;

/// A poll that hands over may take longer: every known client bears 8 s (trino-protocol.md 4.3).
const HAND_OVER: Duration = Duration::from_secs(8);

/// What a synthetic id leads to.
pub(crate) enum Found {
    /// An answer, all that there is to say.
    Answer(Response),
    /// It is a real query by now, and the request goes on as one for that.
    Became(Request<Body>),
}

/// Answers a request below `/v1/statement/queued/` about a statement that waits, waited, or is not known any more.
pub(crate) async fn statement(
    core: &Arc<Core>,
    exchange: &Arc<Exchange>,
    id: QueryId,
    request: Request<Body>,
) -> Found {
    if core.shared.replicas.is_shared() {
        // A request that is borrowed over an await could not change threads.
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        if let Some(busy) = recall(core, exchange, id, slug_of(&path)).await
            && let Some(answer) = while_busy(core, exchange, id, method, &path, busy).await
        {
            return Found::Answer(answer);
        }
        if core.shared.table.present_id(id) != id {
            return Found::Became(request);
        }
    }
    let Some(waiting) = core.shared.rooms.find(id) else {
        let known = kill::page_of(core, exchange, id, &request);
        return Found::Answer(
            known.unwrap_or_else(|| forgotten(core, exchange, id, request.method())),
        );
    };
    exchange.account.group(&waiting.about.metrics);
    exchange.learned.waiting(&waiting);
    let asked =
        token_of(&waiting, request.uri().path()).filter(|asked| waiting.takes_token(*asked));
    let Some(asked) = asked else { return Found::Answer(answers::not_found()) };
    if let WaitingState::Became(_) = waiting.state() {
        return Found::Became(request);
    }
    match *request.method() {
        Method::DELETE => {
            waiting.cancel();
            Found::Answer(no_content())
        }
        Method::HEAD => {
            waiting.touch();
            Found::Answer(page::heartbeat())
        }
        _ => match waiting.token_after(asked) {
            Some(next) => poll(core, exchange, waiting, request, next).await,
            None => Found::Answer(answers::not_found()),
        },
    }
}

async fn poll(
    core: &Arc<Core>,
    exchange: &Arc<Exchange>,
    waiting: Arc<Waiting>,
    mut request: Request<Body>,
    next: u64,
) -> Found {
    exchange.account.operation(Operation::StatementGatewayQueued);
    clean_request(request.headers_mut());
    let now = Instant::now();
    let until = Deadlines { turn: now + LONG_POLL, answer: now + HAND_OVER };
    let pursued = pursue(core, exchange, &waiting, until, Some(request.headers())).await;
    Found::Answer(match (pursued, waiting.state()) {
        (Pursued::Answer(answer), _) => answer,
        (Pursued::GaveUp(gave_up), _) => page::gave_up(exchange, &waiting, &gave_up),
        (Pursued::Later, WaitingState::Became(_)) => return Found::Became(request),
        (Pursued::Later, _) => page::queued(exchange, &waiting, next),
    })
}

/// The number at the end of `/v1/statement/queued/<id>/<slug>/<token>`, for who knows the slug.
fn token_of(waiting: &Waiting, path: &str) -> Option<u64> {
    let mut parts = path.rsplit('/');
    let token = parts.next()?.parse().ok()?;
    let knows = parts.next().is_some_and(|slug| waiting.slug.is(slug));
    (knows && parts.next() == Some(waiting.id.as_str())).then_some(token)
}

/// A statement that this process does not know: it was lost with another one, or its time is long over.
fn forgotten(core: &Core, exchange: &Exchange, id: QueryId, method: &Method) -> Response {
    core.shared.metrics.route_lookup(crate::metrics::Lookup::Miss);
    match *method {
        Method::DELETE => no_content(),
        Method::GET => page::lost(exchange, id),
        _ => answers::not_found(),
    }
}

/// Answers `/v1/query/<id>` and its verbs for a statement that waits.
pub(crate) async fn query(
    core: &Core,
    exchange: &Exchange,
    id: QueryId,
    request: Request<Body>,
) -> Response {
    let busy = recall(core, exchange, id, None).await;
    let Some(waiting) = core.shared.rooms.find(id) else {
        if let Some(busy) = &busy
            && matches!(*request.method(), Method::DELETE | Method::PUT)
        {
            let message = message(request.into_body()).await;
            core.shared.replicas.unwanted(id, busy, Some(&message));
            return accepted(true);
        }
        // Trino's `DELETE /v1/query/{id}` is 204 for any id.
        let deletes = *request.method() == Method::DELETE;
        return if deletes { no_content() } else { answers::not_found() };
    };
    exchange.account.group(&waiting.about.metrics);
    let path = request.uri().path();
    let killed = path.ends_with("/killed") || path.ends_with("/preempted");
    match *request.method() {
        Method::GET => page::info(exchange, &waiting),
        Method::HEAD => page::heartbeat(),
        Method::DELETE => {
            waiting.cancel();
            no_content()
        }
        Method::PUT if killed => {
            let message = message(request.into_body()).await;
            accepted(waiting.kill(&message))
        }
        _ => answers::wrong_method(),
    }
}

/// What a console sends with its verb, for whoever waits for the statement.
async fn message(body: Body) -> String {
    let whole = timeout(HAND_OVER, Whole::of(Limited::new(body, LONGEST_MESSAGE))).await;
    let bytes = whole.ok().and_then(Result::ok).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Trino's own statuses: 202, or 409 for what has ended.
fn accepted(ended: bool) -> Response {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = if ended { StatusCode::ACCEPTED } else { StatusCode::CONFLICT };
    answer
}

pub(super) fn no_content() -> Response {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    answer
}
