//! Where a statement goes, and where it may go next.

use std::sync::Arc;

use axum::response::Response;
use http::{HeaderMap, StatusCode};
use hyper::body::Incoming;
use sluice_routing::{Decision, LoadGuard, Outcome, Refusal, decide, place};

use crate::{
    config::model::ColdStart,
    metrics::{ErrorKind, RoutingError, Unavailable},
    proxy::{
        answers,
        core::Core,
        exchange::Exchange,
        forward::Plan,
        statement::asked::{Asked, Lines},
        unavailable,
        upstream::Failure,
    },
    snapshot::{Backend, Group, GroupLive, GroupWake},
};

/// Two data threads that choose at once see one load; the later one looks again, so often and no more.
const LOOKS: usize = 16;

/// A backend that takes a statement, with those that have already failed it.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub(crate) group: Arc<Group>,
    pub(crate) backend: Arc<Backend>,
    /// Counts as the backend's until the lease takes it over.
    pub(crate) load: Option<LoadGuard>,
    group_index: Option<usize>,
    tried: Vec<usize>,
    again: bool,
}

/// Asks `decide`, or the transaction's binding.
pub(crate) fn choose(
    core: &Core,
    exchange: &Exchange,
    headers: &HeaderMap,
    asked: &Asked,
) -> Result<Chosen, Box<Response>> {
    let bound = asked.transaction.as_deref().and_then(|id| core.shared.bindings.owner(id));
    if let Some(backend) = bound.and_then(|name| exchange.snapshot.backends.get(&name).cloned()) {
        return Ok(Chosen::fixed(core, exchange, &backend));
    }
    for _ in 0..LOOKS {
        let decision = decided(exchange, headers, asked);
        let (Some(index), Outcome::Forward(placed)) = (decision.group, &decision.outcome) else {
            return Err(Box::new(refused(core, exchange, &decision)));
        };
        let snapshot = &exchange.snapshot;
        let Some(group) = snapshot.groups.get(index) else { break };
        let Some(backend) = group.members.get(placed.member) else { break };
        if let Some(load) = backend.live.load.try_take(placed.seen) {
            told(&decision, group, exchange);
            return Ok(Chosen {
                group: Arc::clone(group),
                backend: Arc::clone(backend),
                load: Some(load),
                group_index: Some(index),
                tried: vec![placed.member],
                again: false,
            });
        }
    }
    // Contended beyond reason: take what is decided now without insisting on the load that was seen.
    let decision = decided(exchange, headers, asked);
    first_best(exchange, &decision).ok_or_else(|| Box::new(refused(core, exchange, &decision)))
}

fn decided(exchange: &Exchange, headers: &HeaderMap, asked: &Asked) -> Decision {
    let snapshot = &exchange.snapshot;
    let lines = Lines(headers);
    let facts = asked.facts(headers, &lines, &snapshot.config.routing_group_header);
    let now = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default();
    decide(&snapshot.rules, &snapshot.fleet, &facts, now, fastrand::u64(..))
}

fn first_best(exchange: &Exchange, decision: &Decision) -> Option<Chosen> {
    let (Some(index), Outcome::Forward(placed)) = (decision.group, &decision.outcome) else {
        return None;
    };
    let group = exchange.snapshot.groups.get(index)?;
    let backend = group.members.get(placed.member)?;
    told(decision, group, exchange);
    Some(Chosen {
        group: Arc::clone(group),
        backend: Arc::clone(backend),
        load: Some(backend.live.load.take()),
        group_index: Some(index),
        tried: vec![placed.member],
        again: false,
    })
}

fn told(decision: &Decision, group: &Group, exchange: &Exchange) {
    group.metrics.decided(decision.why.claimed_by.label(&exchange.snapshot.rules));
}

impl Chosen {
    /// A backend that is given: the owner of an id or of a transaction.
    pub(crate) fn fixed(core: &Core, exchange: &Exchange, backend: &Arc<Backend>) -> Self {
        let group = exchange.snapshot.group(&backend.group).cloned();
        Self {
            group: group.unwrap_or_else(|| removed(core, backend)),
            backend: Arc::clone(backend),
            load: Some(backend.live.load.take()),
            group_index: None,
            tried: Vec::new(),
            again: true,
        }
    }

    /// Another backend of the group for a statement that is sent again; the same one if it is alone.
    pub(crate) fn other_than(
        core: &Core,
        exchange: &Exchange,
        backend: &Arc<Backend>,
        user: Option<&str>,
    ) -> Self {
        let mut chosen = Self::fixed(core, exchange, backend);
        let group_index = exchange.snapshot.fleet.group_by_name(backend.group.as_ref());
        let own = chosen.group.members.iter().position(|member| member.name == backend.name);
        chosen.group_index = group_index;
        chosen.tried = own.into_iter().collect();
        chosen.advance(exchange, user);
        chosen
    }

    /// Moves on after a failure; says whether there is anywhere to go.
    pub(crate) fn next(
        &mut self,
        exchange: &Exchange,
        user: Option<&str>,
        outcome: &Result<(Plan, http::Response<Incoming>), Failure>,
    ) -> bool {
        if self.advance(exchange, user) {
            return true;
        }
        // Alone: a connection that was lost under the request may have been a stale one; once more, then no more.
        let stale = matches!(outcome, Err(Failure::Lost(_))) && !self.again;
        self.again = true;
        if stale {
            self.load = Some(self.backend.live.load.take());
        }
        stale
    }

    fn advance(&mut self, exchange: &Exchange, user: Option<&str>) -> bool {
        let placed = self
            .group_index
            .and_then(|index| exchange.snapshot.fleet.groups.get(index))
            .and_then(|group| place::choose(group, user, fastrand::u64(..), &self.tried));
        let Some(placed) = placed else { return false };
        let Some(backend) = self.group.members.get(placed.member) else { return false };
        self.tried.push(placed.member);
        self.backend = Arc::clone(backend);
        self.load = Some(backend.live.load.take());
        true
    }
}

/// A group that the file no longer names goes on serving its transactions and ids.
fn removed(core: &Core, backend: &Arc<Backend>) -> Arc<Group> {
    Arc::new(Group {
        name: backend.group.clone(),
        namespace: "".into(),
        xtrinode: "".into(),
        metrics: core.shared.metrics.group(backend.group.as_str()),
        members: vec![Arc::clone(backend)],
        cold_start: ColdStart::default(),
        wake: GroupWake::default(),
        live: Arc::new(GroupLive::new(backend.group.clone(), backend.live.reports.clone())),
    })
}

fn refused(core: &Core, exchange: &Exchange, decision: &Decision) -> Response {
    let group = decision.group.and_then(|index| exchange.snapshot.groups.get(index));
    if let Some(group) = group {
        exchange.account.group(&group.metrics);
    }
    let operation = exchange.account.label();
    match (&decision.outcome, group) {
        (
            Outcome::Refuse(Refusal::NoBackend { starting, draining, circuit_open, .. }),
            Some(group),
        ) => {
            core.shared.metrics.routing_error(RoutingError::NoBackend);
            core.shared.metrics.error(ErrorKind::Capacity, operation);
            let (reason, words) = match (starting, circuit_open, draining) {
                (true, _, _) => (Unavailable::Resuming, "its coordinator is starting"),
                (_, true, _) => (
                    Unavailable::CircuitOpen,
                    "its coordinators failed too often and are kept out for a moment",
                ),
                (_, _, true) => (Unavailable::Draining, "its backends are draining"),
                _ => (
                    Unavailable::NoBackend,
                    "no running coordinator, and nothing is set up to wake one",
                ),
            };
            unavailable::answer(exchange, group.name.as_str(), reason, words)
        }
        (outcome, _) => {
            core.shared.metrics.routing_error(RoutingError::NoMatch);
            core.shared.metrics.error(ErrorKind::NoRoute, operation);
            let header = &exchange.snapshot.config.routing_group_header;
            let words = match outcome {
                Outcome::Refuse(Refusal::UnknownGroup) => {
                    format!("{header} names no routing group of this gateway")
                }
                _ => decision.why.to_string(),
            };
            answers::text(StatusCode::NOT_FOUND, &words)
        }
    }
}
