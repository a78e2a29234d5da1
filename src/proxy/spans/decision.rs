//! The spans of where a statement goes, and what is known of its query from the start.

use sluice_routing::{Decision, Outcome};
use tokio::time::Instant;

use super::Spans;
use crate::{
    proxy::{exchange::Exchange, statement::asked::Asked},
    telemetry::traces::{Kind, Span, query::QuerySpan},
};

impl Spans {
    /// The rules were asked; `began` is when, if that is told of.
    pub(crate) fn ruled(&self, exchange: &Exchange, decision: &Decision, began: Option<Instant>) {
        let (Some(traces), Some(began)) = (self.traces(), began) else { return };
        let mut span = Span::new("gateway.rules", Kind::Internal, exchange.trace.child(), began)
            .below(exchange.trace);
        describe_decision(&mut span, exchange, decision);
        traces.tell(span);
    }

    /// It is known where a statement goes: to that backend, into a waiting room, or nowhere.
    pub(crate) fn routed(
        &self,
        exchange: &Exchange,
        chosen: Option<&str>,
        reason: &'static str,
        began: Option<Instant>,
    ) {
        let (Some(traces), Some(began)) = (self.traces(), began) else { return };
        let mut span = Span::new("gateway.route", Kind::Internal, exchange.trace.child(), began)
            .below(exchange.trace);
        span.set_known("gateway.chosen", chosen.map(str::to_owned));
        span.set("gateway.reason", reason);
        traces.tell(span);
    }
}

fn describe_decision(span: &mut Span, exchange: &Exchange, decision: &Decision) {
    let snapshot = &exchange.snapshot;
    span.set("gateway.rule", decision.why.claimed_by.label(&snapshot.rules).to_owned());
    span.set("gateway.candidates", i64::try_from(decision.why.candidates).unwrap_or(i64::MAX));
    let group = decision.group.and_then(|at| snapshot.groups.get(at));
    span.set_known("gateway.routing_group", group.map(|group| group.name.as_str().to_owned()));
    let member = match &decision.outcome {
        Outcome::Forward(placed) => group.and_then(|group| group.members.get(placed.member)),
        Outcome::Wake | Outcome::Refuse(_) => None,
    };
    span.set_known("gateway.chosen", member.map(|member| member.name.as_ref().to_owned()));
    span.set(
        "gateway.reason",
        match &decision.outcome {
            Outcome::Forward(_) => "forward",
            Outcome::Wake => "wake",
            Outcome::Refuse(_) => "refuse",
        },
    );
}

/// Says of a query what its POST said.
pub(super) fn describe(span: &QuerySpan, asked: &Asked, namespace: Option<&str>) {
    let kind = asked.kind.as_str();
    span.set("db.system.name", "trino");
    span.set("db.operation.name", kind);
    span.set("db.query.summary", kind);
    span.set("statement_type", kind);
    if let Some(namespace) = namespace {
        span.set("db.namespace", namespace.to_owned());
    }
}
