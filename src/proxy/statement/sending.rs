//! A statement on its way: counted, kept, sent to one backend once, and that backend's answer given on.
//!
//! Who sends it, when, and what follows a failure is the business of `statement` and of `waiting`.

use std::{sync::Arc, time::Duration};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, uri::PathAndQuery};

use super::asked::Asked;
use crate::{
    metrics::{GroupMetrics, QueryEvent},
    proxy::{
        core::Core,
        exchange::Exchange,
        forward::{self, Page, Plan},
        page::{Counts, Lens, PageBody},
        upstream::{AnswerBody, Failure, Outgoing},
        watch::{Newcomer, Subject, Watch},
    },
    queries::{
        Lease,
        query::{About, Statement},
        story::{End, Origin, Place, Untold, cut, submitted},
    },
    snapshot::{Backend, Group},
};

/// Counts an accepted statement from now on (rule L1).
pub(crate) fn accepted(core: &Core, group: &Group, asked: &Asked) -> Lease {
    group.metrics.query_event(QueryEvent::Submitted);
    placed(&asked.origin, group);
    submitted(&asked.origin, asked.user.as_deref().map(cut), asked.kind);
    core.shared.ledger.open(&group.name)
}

/// What is remembered of a statement's POST.
pub(crate) fn about(exchange: &Exchange, group: &Group, asked: &Asked) -> About {
    placed(&asked.origin, group);
    about_with(exchange, Arc::clone(&group.metrics), asked)
}

/// The same of one that belongs to no group.
pub(crate) fn about_with(exchange: &Exchange, metrics: Arc<GroupMetrics>, asked: &Asked) -> About {
    About {
        metrics,
        kind: asked.kind,
        accepted: exchange.account.started(),
        user: asked.user.as_deref().map(|user| cut(user).into()),
        trace: exchange.trace_of_query(),
        span: exchange.spans.query(exchange, asked),
        origin: Untold::of(Arc::clone(&asked.origin)),
    }
}

/// Says where it was routed.
pub(crate) fn placed(origin: &Origin, group: &Group) {
    origin.placed(|| Place {
        group: group.name.as_str().into(),
        namespace: Arc::clone(&group.namespace),
        xtrinode: Arc::clone(&group.xtrinode),
    });
}

/// The statement as it may be sent.
pub(crate) fn kept(core: &Core, headers: HeaderMap, body: Bytes, asked: &Asked) -> Statement {
    Statement {
        kept: core.shared.keeping.room_for(body.len()).map(Arc::new),
        body,
        headers,
        in_transaction: asked.transaction.is_some(),
        user: asked.user.clone(),
    }
}

/// A backend's answer to a statement, and the plan by which it was asked.
pub(crate) type Attempted = (Plan, http::Response<AnswerBody>);

/// One attempt at one backend, within `upstream.statementTimeout` and `most`, whichever is shorter.
pub(crate) async fn attempt(
    core: &Core,
    exchange: &Exchange,
    backend: &Arc<Backend>,
    statement: &Statement,
    most: Option<Duration>,
) -> Result<Attempted, Failure> {
    let plan = Plan::new(exchange, backend, Page::Early);
    let path = PathAndQuery::from_static("/v1/statement");
    let body = Outgoing::Whole(statement.body.clone());
    let what = (Method::POST, &path);
    let mut asking = forward::asking(exchange, backend, &plan, what, &statement.headers)?;
    let within = exchange.snapshot.config.upstream.statement_timeout.get();
    let within = most.map_or(within, |most| most.min(within));
    let answer =
        forward::send(&core.upstream, exchange, backend, &mut asking, body, within).await?;
    Ok((plan, answer))
}

/// A backend's refusal on its way to the client.
pub(crate) fn refused_by(
    core: &Core,
    exchange: &Exchange,
    backend: &Backend,
    (plan, answer): Attempted,
) -> Response {
    let (mut parts, body) = answer.into_parts();
    forward::clean_answer(&mut parts, plan.patch.as_deref());
    core.shared.challenges(exchange, backend, &mut parts.headers);
    Response::from_parts(parts, Body::new(body))
}

/// Gives the backend's answer to the client, page or not.
pub(crate) async fn deliver(
    core: &Arc<Core>,
    exchange: &Arc<Exchange>,
    backend: Arc<Backend>,
    (plan, answer): Attempted,
    newcomer: Box<Newcomer>,
) -> Response {
    if answer.status() != StatusCode::OK {
        // A 4xx or 5xx creates no query: the lease goes back at once (rule L4).
        let end = End::rejected(answer.status().as_u16(), None).by(backend.name.as_ref());
        newcomer.about.tell(&end, newcomer.lease.is_some());
        drop(newcomer);
        return refused_by(core, exchange, &backend, (plan, answer));
    }
    let (mut parts, body) = answer.into_parts();
    forward::clean_answer(&mut parts, plan.patch.as_deref());
    core.shared.challenges(exchange, &backend, &mut parts.headers);
    let lens = Lens::new(plan.patch.as_ref(), &parts.headers);
    if lens.changes_length() {
        parts.headers.remove(http::header::CONTENT_LENGTH);
    }
    let counts = Counts::of(exchange, &core.shared.chronicle, &parts.headers);
    let subject = Subject::New(newcomer);
    let watch = Watch::new(Arc::clone(&core.shared), Arc::clone(exchange), backend, subject)
        .encoded(&parts.headers);
    let mut page = Box::new(PageBody::new(body, lens, watch, Vec::new(), counts));
    page.gather().await;
    Response::from_parts(parts, Body::new(page))
}
