//! Whose trace a resume belongs to, and the span of it.
//!
//! The first statement that wanted the group is its starter: calls of the driver carry its trace, whether spans are
//! exported or not. Those that came later are linked. What an operator wakes by hand belongs to no trace.

use std::time::Duration;

use sluice_routing::GroupName;
use tokio::time::Instant;

use crate::{
    backends::{
        resume::{
            call_span::CallSpan,
            driver::{Action, Call},
            wake::Ended,
        },
        truth::Truth,
    },
    config::model::Resume,
    metrics::ResumeOutcome,
    snapshot::{FRESH, Seat},
    telemetry::{
        context::TraceContext,
        traces::{Cause, Kind, Span},
    },
};

/// What is known of a group's resumes by their traces.
#[derive(Debug, Default)]
pub(super) struct Traced {
    /// The last starter: who waits on after a resume that failed is woken for its sake.
    starter: Option<Cause>,
    flights: Vec<Flight>,
}

#[derive(Debug)]
struct Flight {
    seat: Seat,
    cause: Cause,
    /// Its own span, if it is told of.
    span: Option<TraceContext>,
    joined: Vec<TraceContext>,
}

impl Truth {
    /// A resume begins.
    pub(super) fn trace_began(&mut self, seat: Seat, group: &GroupName, now: Instant) {
        let by_hand = self
            .waker(seat)
            .and_then(|(_, wake)| wake.flight().map(|(_, _, by_hand)| by_hand))
            .unwrap_or_default();
        let mut causes = self.causes_since(group, now.checked_sub(FRESH)).into_iter();
        let traced = &mut self.waking.entry(group.clone()).or_default().traced;
        traced.flights.retain(|flight| flight.seat != seat);
        let Some(cause) = causes.next().or_else(|| traced.starter.clone()).filter(|_| !by_hand)
        else {
            return;
        };
        traced.starter = Some(cause.clone());
        let span = is_told(&cause).then(|| cause.context.child());
        let joined = causes.filter(is_told).map(|cause| cause.context).collect();
        traced.flights.push(Flight { seat, cause, span, joined });
    }

    /// Gives a call its trace, and its span if it is told of.
    pub(super) fn trace_call(
        &self,
        seat: Seat,
        mut call: Call,
        of: &Resume,
    ) -> (Call, Option<CallSpan>) {
        let traced = self.waking.get(&call.group).map(|waking| &waking.traced);
        let flight = traced.and_then(|it| it.flights.iter().find(|flight| flight.seat == seat));
        let Some(flight) = flight.filter(|_| call.action == Action::Resume) else {
            return (call, None);
        };
        let Flight { cause, span, .. } = flight;
        let carried = match span {
            Some(resume) => resume.child(),
            None if cause.traces.is_on() => cause.context.child(),
            None => cause.context,
        };
        call.traceparent = Some(carried.traceparent().to_owned());
        let told = span.map(|resume| CallSpan::new(&cause.traces, resume, carried, &call, of));
        (call, told)
    }

    /// A resume has ended.
    pub(super) fn trace_ended(
        &mut self,
        seat: Seat,
        group: &GroupName,
        ended: &Ended,
        provider: &'static str,
        now: Instant,
    ) {
        let began = now.checked_sub(ended.took).unwrap_or(now);
        let late = self.causes_since(group, began.checked_sub(Duration::from_secs(1)));
        let waiters = self.demand.waiting(group);
        let traced = &mut self.waking.entry(group.clone()).or_default().traced;
        let Some(at) = traced.flights.iter().position(|flight| flight.seat == seat) else { return };
        let Flight { cause, span, joined, .. } = traced.flights.swap_remove(at);
        if ended.outcome == ResumeOutcome::Success {
            traced.starter = None;
        }
        let Some(context) = span else { return };
        let mut span =
            Span::new("gateway.resume", Kind::Internal, context, began).below(cause.context);
        let late = late.iter().filter(|cause| is_told(cause)).map(|cause| cause.context);
        joined.into_iter().chain(late).for_each(|joiner| span.link(joiner));
        span.set("gateway.routing_group", group.as_str().to_owned());
        span.set("gateway.resume.provider", provider);
        span.set("gateway.resume.outcome", ended.outcome.as_str());
        span.set("gateway.resume.waiters", i64::try_from(waiters).unwrap_or(i64::MAX));
        if ended.outcome != ResumeOutcome::Success {
            span.fail(ended.outcome.as_str());
        }
        cause.traces.tell(span);
    }

    fn causes_since(&self, group: &GroupName, since: Option<Instant>) -> Vec<Cause> {
        let causes = self.lives.get(group).map(|live| live.take_causes()).unwrap_or_default();
        let fresh = causes.into_iter().filter(|(at, _)| since.is_none_or(|since| *at >= since));
        fresh.map(|(_, cause)| cause).collect()
    }
}

fn is_told(cause: &Cause) -> bool {
    cause.traces.is_on() && cause.context.is_sampled()
}
