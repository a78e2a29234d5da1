//! A statement whose query certainly never ran is sent again, and its client goes on under a new id (promise 7).
//!
//! A coordinator that has just started takes a POST and fails the query at its first poll with SERVER_STARTING_UP:
//! that page is withheld, once. Only pages without a `nextUri` are held back, and no more than 64 KiB of one:
//! anything longer passes. And a coordinator that dies before the first poll reached it never began the query.

use std::{sync::Arc, time::Duration};

use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header::CONTENT_ENCODING};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout};

use crate::{
    proxy::{
        core::Core,
        exchange::{Exchange, line},
        statement::{self, Chosen, Place},
        upstream::AnswerBody,
    },
    queries::{Query, query::Statement},
    snapshot::Backend,
    trino::page::Reader,
};

/// The longest page that is held back; Trino's own error pages are some 5 KiB, mostly stack.
const MOST_HELD: usize = 64 * 1024;

/// Trino's word for "not yet" (StandardErrorCode.SERVER_STARTING_UP, 65548).
const STARTING_UP: &str = "SERVER_STARTING_UP";

/// What a queued page turned out to be.
pub(crate) enum Seen {
    /// A page for the client, with what was already read of it.
    Page(Vec<Bytes>, AnswerBody),
    /// The first page of the query that takes this one's place.
    Instead(Response),
    /// It broke off before anything of it was sent.
    Broken,
}

/// Reads a queued page so far that its fate is known.
pub(crate) async fn look(
    core: &Arc<Core>,
    exchange: &Arc<Exchange>,
    backend: &Arc<Backend>,
    query: &Arc<Query>,
    headers: &HeaderMap,
    mut body: AnswerBody,
) -> Seen {
    let patience = exchange.snapshot.config.upstream.first_byte_timeout.get();
    let mut reader =
        Reader::new(headers.get(CONTENT_ENCODING).and_then(|value| value.to_str().ok()));
    let mut held: Vec<Bytes> = Vec::new();
    let mut size = 0;
    let whole = loop {
        let began = Instant::now();
        let chunk = next_chunk(&mut body, patience).await;
        exchange.account.waited(began.elapsed());
        match chunk {
            Chunk::Some(chunk) => {
                size += chunk.len();
                reader.feed(&chunk);
                held.push(chunk);
            }
            Chunk::End => break true,
            Chunk::Broken => return Seen::Broken,
        }
        if reader.head().next_uri.is_some() || size > MOST_HELD {
            break false;
        }
    };
    if whole {
        reader.finish();
    }
    let starting = reader.head().error.as_ref().is_some_and(|error| error.name == STARTING_UP);
    if whole
        && starting
        && let Some(answer) = again(core, exchange, backend, query).await
    {
        return Seen::Instead(answer);
    }
    Seen::Page(held, body)
}

enum Chunk {
    Some(Bytes),
    End,
    Broken,
}

async fn next_chunk(body: &mut AnswerBody, patience: Duration) -> Chunk {
    loop {
        return match timeout(patience, body.frame()).await {
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(chunk) => Chunk::Some(chunk),
                Err(_) => continue,
            },
            Ok(None) => Chunk::End,
            Ok(Some(Err(_))) | Err(_) => Chunk::Broken,
        };
    }
}

/// Sends the statement to another backend, or once more to this one; `None` where that is not allowed or fails.
async fn again(
    core: &Arc<Core>,
    exchange: &Arc<Exchange>,
    backend: &Arc<Backend>,
    query: &Arc<Query>,
) -> Option<Response> {
    // Once: whatever the second one says is said to the client.
    let statement = query.take_statement()?;
    let chosen = Chosen::other_than(core, exchange, backend, statement.user.as_deref());
    let why = "coordinator is still starting: the statement is sent again";
    send(core, exchange, query, chosen, statement, Place::Last, why).await
}

/// Sends the statement of a query that no poll ever reached to another backend, since its own cannot be reached;
/// `None` where there is no other, or where the query may have begun.
pub(crate) async fn before_first_poll(
    core: &Arc<Core>,
    exchange: &Arc<Exchange>,
    backend: &Arc<Backend>,
    query: &Arc<Query>,
) -> Option<Response> {
    // Whether another replica has polled it is not known here, and nothing may run twice.
    if query.may_have_been_polled() || core.shared.replicas.has_company() {
        return None;
    }
    let user = query.about.user.as_deref();
    let chosen = Chosen::other_than(core, exchange, backend, user);
    if chosen.backend.name == backend.name {
        return None;
    }
    let statement = query.take_statement()?;
    let why = "coordinator was lost before the first poll: the statement is sent elsewhere";
    send(core, exchange, query, chosen, statement, Place::Same, why).await
}

async fn send(
    core: &Arc<Core>,
    exchange: &Arc<Exchange>,
    query: &Arc<Query>,
    chosen: Chosen,
    statement: Arc<Statement>,
    place: Place,
    why: &'static str,
) -> Option<Response> {
    line!(
        info, exchange, target: "sluice::proxy", event = "upstream_retry", routing_group = query.group.as_ref(),
        backend = query.backend.as_ref(), query_id = query.id.as_str(), attempt = 1, "{why}"
    );
    let (about, lease) = (query.about.clone(), query.take_lease());
    let instead_of = Some((Arc::clone(query), place));
    let forwarded =
        statement::forward_statement(core, exchange, chosen, statement, about, lease, instead_of);
    let answer = Box::pin(forwarded).await;
    (answer.status() == StatusCode::OK).then_some(answer)
}
