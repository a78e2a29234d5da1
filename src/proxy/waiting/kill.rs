//! `CALL system.runtime.kill_query` where no coordinator can answer: of a statement that waits, or of nobody's.
//!
//! A CALL is a query of its own: a page in state `QUEUED`, then its end. Both are told here as Trino tells them; the
//! first page's `nextUri` is kept for a while, so that its second can be given, once or again.

use std::{sync::Arc, time::Duration};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use dashmap::DashMap;
use http::{Method, Request, StatusCode};
use serde::{Deserialize, Serialize};
use sluice_routing::QueryId;
use tokio::time::Instant;

use super::page;
use crate::{
    metrics::{Operation, QueryStatus},
    proxy::{
        answers,
        core::Core,
        exchange::Exchange,
        statement::{asked::Asked, sending},
    },
    queries::{FIRST_TOKEN, Slug, WaitingState, is_ours, story::End},
    replicas::Replicas,
    trino::synthetic::{Failure, Synthetic, kill_of_ended, kill_of_unknown},
};

/// Trino keeps a query that nobody follows for five minutes.
const KEPT: Duration = Duration::from_secs(300);

/// Anybody may send a CALL: above this many those go that nobody followed in time, and while none does no more are kept.
const MOST: usize = 10_000;

/// CALLs whose second page has not been asked for, or not long ago.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    calls: DashMap<QueryId, Call, ahash::RandomState>,
}

#[derive(Debug)]
struct Call {
    slug: Slug,
    target: QueryId,
    outcome: Outcome,
    began: Instant,
}

/// A CALL as other replicas find it.
#[derive(Deserialize, Serialize)]
struct Kept {
    slug: String,
    target: String,
    outcome: Outcome,
}

/// How the CALL ends.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
enum Outcome {
    /// The statement was ended.
    Done,
    /// It had ended before.
    Over,
    /// Nobody has such a query.
    NotFound,
}

impl Calls {
    /// Whether that id is one of a CALL.
    pub(super) fn knows(&self, id: QueryId) -> bool {
        self.calls.contains_key(&id)
    }

    /// Finds a CALL that another replica has answered.
    pub(super) async fn recall(&self, id: QueryId, replicas: &Replicas) {
        let Some(kept) = replicas.call::<Kept>(id).await else { return };
        let (slug, target) = (Slug::parse(&kept.slug), QueryId::parse(&kept.target));
        if let (Some(slug), Some(target)) = (slug, target) {
            self.keep(id, Call { slug, target, outcome: kept.outcome, began: Instant::now() });
        }
    }

    fn keep(&self, id: QueryId, call: Call) {
        if self.calls.len() >= MOST {
            let now = Instant::now();
            self.calls.retain(|_, call| now.saturating_duration_since(call.began) < KEPT);
        }
        if self.calls.len() < MOST {
            self.calls.insert(id, call);
        }
    }
}

/// Ends a waiting statement and answers the CALL; `None` where the target is no statement that waits.
pub(crate) fn of_waiting(
    core: &Arc<Core>,
    exchange: &Arc<Exchange>,
    target: QueryId,
    asked: &Asked,
) -> Option<Response> {
    if !is_ours(target) || core.shared.table.present_id(target) != target {
        return None;
    }
    let outcome = match core.shared.rooms.find(target) {
        Some(waiting) => {
            exchange.account.group(&waiting.about.metrics);
            match waiting.state() {
                WaitingState::Ended(_) => Outcome::Over,
                _ => {
                    waiting.kill(asked.kill_message.as_deref().unwrap_or_default());
                    Outcome::Done
                }
            }
        }
        None => Outcome::NotFound,
    };
    Some(begin(core, exchange, asked, (target, outcome)))
}

/// Answers the CALL for an id that no living coordinator can own (rule L9).
pub(crate) fn of_nobodys(
    core: &Core,
    exchange: &Exchange,
    asked: &Asked,
    target: QueryId,
) -> Response {
    begin(core, exchange, asked, (target, Outcome::NotFound))
}

fn begin(
    core: &Core,
    exchange: &Exchange,
    asked: &Asked,
    (target, outcome): (QueryId, Outcome),
) -> Response {
    let (Some(slug), Some(id)) = (Slug::draw(), core.shared.rooms.mint()) else {
        let words = "the system gives no randomness";
        return answers::text(StatusCode::INTERNAL_SERVER_ERROR, words);
    };
    let answer =
        page::told(exchange, id, Duration::ZERO, |page| page.queued(slug.as_str(), FIRST_TOKEN));
    tell(core, exchange, asked, id, outcome);
    let kept = Kept { slug: slug.as_str().to_owned(), target: target.to_string(), outcome };
    core.shared.replicas.keep_call(id, &kept, KEPT);
    core.shared.calls.keep(id, Call { slug, target, outcome, began: Instant::now() });
    answer
}

/// A CALL is no demand and counts nowhere, but who killed what is for the log and the audit.
fn tell(core: &Core, exchange: &Exchange, asked: &Asked, id: QueryId, outcome: Outcome) {
    let error = match outcome {
        Outcome::Done => None,
        Outcome::Over => Some(("NOT_SUPPORTED", "USER_ERROR")),
        Outcome::NotFound => Some(("NOT_FOUND", "USER_ERROR")),
    };
    let end = End {
        id: Some(id),
        backend: None,
        status: if error.is_some() { QueryStatus::Error } else { QueryStatus::Ok },
        http_status: Some(StatusCode::OK.as_u16()),
        trino_state: None,
        error,
        reason: None,
    };
    let about = sending::about_with(exchange, core.shared.metrics.unknown(), asked);
    about.tell(&end, false);
}

/// The second page of a CALL that was answered here; `None` where the id is none of those.
pub(super) fn page_of(
    core: &Core,
    exchange: &Exchange,
    id: QueryId,
    request: &Request<Body>,
) -> Option<Response> {
    exchange.account.operation(Operation::StatementGatewayQueued);
    let call = core.shared.calls.calls.get(&id)?;
    let slug = request.uri().path().rsplit('/').nth(1);
    if !slug.is_some_and(|slug| call.slug.is(slug)) {
        return Some(answers::not_found());
    }
    Some(match *request.method() {
        Method::HEAD => page::heartbeat(),
        Method::DELETE => super::poll::no_content(),
        _ => page::told(exchange, id, call.began.elapsed(), |page| call.end(page)),
    })
}

impl Call {
    /// Its last page, in Trino's words.
    fn end(&self, page: &Synthetic<'_>) -> Bytes {
        let target = self.target.as_str();
        match self.outcome {
            Outcome::Done => page.called(),
            Outcome::Over => page.failed(Failure::NotSupported, &kill_of_ended(target)),
            Outcome::NotFound => page.failed(Failure::NotFound, &kill_of_unknown(target)),
        }
    }
}
