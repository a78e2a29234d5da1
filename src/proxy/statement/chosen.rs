//! Where a statement goes, and where it may go next.

use std::sync::Arc;

use axum::response::Response;
use http::{HeaderMap, StatusCode};
use sluice_routing::{Decision, LoadGuard, Outcome, Refusal, decide, place};
use tokio::time::Instant;

use crate::{
    config::model::ColdStart,
    metrics::{ErrorKind, RoutingError, Step},
    proxy::{
        answers,
        core::Core,
        exchange::{Exchange, line},
        forward::Plan,
        statement::{
            asked::{Asked, Lines},
            rejected,
        },
        upstream::{AnswerBody, Failure},
        waiting,
    },
    queries::{bindings::KEPT, story::cut},
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

/// Where a statement goes.
#[derive(Debug)]
pub(crate) enum Choice {
    /// To that backend, now.
    Go(Chosen),
    /// To the waiting room of that group.
    Wait(Arc<Group>),
    /// Nowhere: no backend takes it, and none is coming.
    Nobody(Box<Response>),
    /// Nowhere: nothing claims it.
    Refused(Box<Response>),
}

/// Binds here the transaction that another replica has begun, and keeps one that goes on known to the others.
pub(crate) async fn recall_transaction(core: &Core, exchange: &Exchange, asked: &Asked) {
    let shared = &core.shared;
    let shares = shared.replicas.is_shared() && exchange.snapshot.has_several_backends();
    let Some(id) = asked.transaction.as_deref().filter(|_| shares) else { return };
    let found = match shared.bindings.owner(id) {
        None => shared.replicas.tied(&[id]).await.map(|(_, backend)| backend),
        found => found,
    };
    if let Some(backend) = found {
        shared.bindings.bind(id, &backend);
        shared.replicas.renew_tie(id, &backend, KEPT);
    }
}

/// Asks `decide`, or the transaction's binding.
pub(crate) fn choose(
    core: &Core,
    exchange: &Exchange,
    headers: &HeaderMap,
    asked: &Asked,
) -> Choice {
    let began = exchange.spans.clock();
    let choice = chosen(core, exchange, headers, asked);
    let (backend, reason) = match &choice {
        Choice::Go(chosen) if chosen.group_index.is_none() => (Some(&chosen.backend), "bound"),
        Choice::Go(chosen) => (Some(&chosen.backend), "forward"),
        Choice::Wait(_) => (None, "wait"),
        Choice::Nobody(_) => (None, "no_backend"),
        Choice::Refused(_) => (None, "no_route"),
    };
    let backend = backend.map(|backend| backend.name.as_ref());
    exchange.spans.routed(exchange, backend, reason, began);
    choice
}

fn chosen(core: &Core, exchange: &Exchange, headers: &HeaderMap, asked: &Asked) -> Choice {
    let bound = asked.transaction.as_deref().and_then(|id| core.shared.bindings.owner(id));
    if let Some(backend) = bound.and_then(|name| exchange.snapshot.backends.get(&name).cloned()) {
        return Choice::Go(Chosen::fixed(core, exchange, &backend));
    }
    let metrics = &core.shared.metrics;
    for _ in 0..LOOKS {
        let began = Instant::now();
        let decision = decided(exchange, headers, asked);
        let selecting = Instant::now();
        metrics.step(Step::Rules, selecting - began);
        let snapshot = &exchange.snapshot;
        let group = decision.group.and_then(|index| Some((index, snapshot.groups.get(index)?)));
        let (Some((index, group)), placed) = (group, &decision.outcome) else {
            return refused(core, exchange, &decision, asked);
        };
        let placed = match placed {
            Outcome::Forward(placed) if goes_past(core, group, asked) => placed,
            Outcome::Forward(_) | Outcome::Wake => {
                told(&decision, group, exchange, asked);
                return Choice::Wait(Arc::clone(group));
            }
            Outcome::Refuse(_) => return refused(core, exchange, &decision, asked),
        };
        let Some(backend) = group.members.get(placed.member) else { break };
        if let Some(load) = backend.live.load.try_take(placed.seen) {
            metrics.step(Step::Select, selecting.elapsed());
            told(&decision, group, exchange, asked);
            return Choice::Go(Chosen {
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
    first_best(exchange, &decision, asked)
        .map_or_else(|| refused(core, exchange, &decision, asked), Choice::Go)
}

/// Whether a statement need not queue: nobody waits before it and the group is not full, or it belongs to a
/// transaction, which holds its place already, or it kills.
fn goes_past(core: &Core, group: &Group, asked: &Asked) -> bool {
    asked.transaction.is_some() || asked.kills.is_some() || core.shared.rooms.may_pass(group)
}

fn decided(exchange: &Exchange, headers: &HeaderMap, asked: &Asked) -> Decision {
    let snapshot = &exchange.snapshot;
    let lines = Lines(headers);
    let facts = asked.facts(headers, &lines, &snapshot.config.routing_group_header);
    let now = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default();
    let began = exchange.spans.clock();
    let decision = decide(&snapshot.rules, &snapshot.fleet, &facts, now, fastrand::u64(..));
    exchange.spans.ruled(exchange, &decision, began);
    decision
}

fn first_best(exchange: &Exchange, decision: &Decision, asked: &Asked) -> Option<Chosen> {
    let (Some(index), Outcome::Forward(placed)) = (decision.group, &decision.outcome) else {
        return None;
    };
    let group = exchange.snapshot.groups.get(index)?;
    let backend = group.members.get(placed.member)?;
    told(decision, group, exchange, asked);
    Some(Chosen {
        group: Arc::clone(group),
        backend: Arc::clone(backend),
        load: Some(backend.live.load.take()),
        group_index: Some(index),
        tried: vec![placed.member],
        again: false,
    })
}

fn told(decision: &Decision, group: &Group, exchange: &Exchange, asked: &Asked) {
    let rule = decision.why.claimed_by.label(&exchange.snapshot.rules);
    asked.origin.claimed(rule);
    group.metrics.decided(rule);
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
        outcome: &Result<(Plan, http::Response<AnswerBody>), Failure>,
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

fn refused(core: &Core, exchange: &Exchange, decision: &Decision, asked: &Asked) -> Choice {
    let group = decision.group.and_then(|index| exchange.snapshot.groups.get(index));
    asked.origin.claimed(decision.why.claimed_by.label(&exchange.snapshot.rules));
    if let Some(group) = group {
        exchange.account.group(&group.metrics);
    }
    match (&decision.outcome, group) {
        // A kill is answered all the same, and told as what it was.
        (Outcome::Refuse(Refusal::NoBackend { .. }), Some(group)) if asked.kills.is_some() => {
            Choice::Wait(Arc::clone(group))
        }
        (Outcome::Refuse(Refusal::NoBackend { .. }), Some(group)) => {
            Choice::Nobody(Box::new(waiting::nobody_comes(core, exchange, group, decision, asked)))
        }
        (outcome, _) => {
            core.shared.metrics.routing_error(RoutingError::NoMatch);
            core.shared.metrics.error(ErrorKind::NoRoute, exchange.account.label());
            let header = &exchange.snapshot.config.routing_group_header;
            let words = match outcome {
                Outcome::Refuse(Refusal::UnknownGroup) => {
                    format!("{header} names no routing group of this gateway")
                }
                _ => decision.why.to_string(),
            };
            line!(
                warn, exchange, target: "sluice::proxy", event = "no_route", reason = "no_match", user = asked.user.as_deref().map(cut),
                source = asked.origin.source.as_deref(), client_ip = %exchange.client, statement_type = asked.kind.as_str(),
                "no routing group takes a statement"
            );
            let answer = answers::text(StatusCode::NOT_FOUND, &words);
            Choice::Refused(Box::new(rejected(core, exchange, asked, answer)))
        }
    }
}
