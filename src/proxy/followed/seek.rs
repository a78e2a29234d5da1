//! Who knows a query whose id nothing points at: the backends that may are asked, within `search`'s bounds.
//!
//! Mostly the client's own request is the question. Where any backend would answer it as the owner does, the query
//! is asked for first.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, StatusCode, uri::PathAndQuery};

use super::{Followed, account_for, ask, attempt, deliver};
use crate::{
    backends::passive,
    proxy::{
        answers,
        core::Core,
        exchange::Exchange,
        forward::Plan,
        handed::{Answer, other},
        owner::Owner,
        search,
        upstream::AnswerBody,
    },
    snapshot::Backend,
};

/// Asks backends of unknown coordinator id one by one; the one that knows the query is its owner. `None` where one
/// of them could not be asked yet.
pub(super) async fn among(
    core: &Arc<Core>,
    exchange: &Arc<Exchange>,
    backends: Vec<Arc<Backend>>,
    followed: &Followed,
) -> Option<Answer> {
    let _alone = core.shared.search.alone(followed.id.suffix()).await;
    if let Owner::Known(backend, query) = followed.owner(core) {
        return Some(ask(core, exchange, &backend, query, followed).await);
    }
    let question = followed.question();
    let path = question.path.as_str();
    let mut unheard = false;
    let unasked = |backend: &Arc<Backend>| !core.shared.search.has_missed(&backend.name, path);
    for backend in backends.into_iter().filter(unasked).take(search::MOST_BACKENDS) {
        if !core.shared.search.may_ask(&backend.group) {
            return None;
        }
        let answer = match attempt(core, exchange, &backend, None, &question).await {
            Ok(answer) => answer,
            Err(failure) => {
                unheard |= !failure.refused();
                continue;
            }
        };
        if question.is_denied_by(answer.1.status()) {
            core.shared.search.missed(&backend.name, path);
            continue;
        }
        return Some(found(core, exchange, &backend, followed, &question, answer).await);
    }
    (!unheard).then(|| other(answers::not_found()))
}

/// The owner's answer to the question, or to the request itself where the question was another one.
async fn found(
    core: &Arc<Core>,
    exchange: &Arc<Exchange>,
    backend: &Arc<Backend>,
    followed: &Followed,
    question: &Followed,
    (plan, answer): (Plan, http::Response<AnswerBody>),
) -> Answer {
    if answer.status().is_success() {
        passive::learned(backend, followed.id.suffix());
    }
    if question.method != followed.method {
        return ask(core, exchange, backend, None, followed).await;
    }
    account_for(core, exchange, backend, None);
    deliver(core, exchange, backend, None, followed, plan, answer).await
}

impl Followed {
    /// What is asked of a backend that may be the owner: the request itself, unless a backend that does not know
    /// the query would answer it as the owner does (Trino's `DELETE /v1/query/{id}` is 204 for any id).
    fn question(&self) -> Self {
        if self.is_of_the_chain() || matches!(self.method, Method::GET | Method::HEAD) {
            return self.clone();
        }
        let path = PathAndQuery::try_from(format!("/v1/query/{}", self.id));
        let path = path.unwrap_or_else(|_| self.path.clone());
        Self { method: Method::GET, path, body: Bytes::new(), ..self.clone() }
    }

    /// Whether that status says that the backend does not know the query: 404, and 410 below `/v1/query`.
    fn is_denied_by(&self, status: StatusCode) -> bool {
        status == StatusCode::NOT_FOUND || (!self.is_of_the_chain() && status == StatusCode::GONE)
    }
}
