//! How a statement stops waiting without having become a query, and what is counted and logged then.

use std::{sync::Arc, time::Duration};

use sluice_routing::QueryId;

use super::Waiting;
use crate::{
    metrics::{QueryEvent, QueryStatus, ResumeOutcome, Unavailable},
    queries::span,
};

/// What a waiting statement came to.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// A coordinator has it.
    Became(QueryId),
    /// Nobody will.
    GaveUp(GaveUp),
}

/// Why a statement waits no more, in words for its client.
#[derive(Clone, Debug)]
pub struct GaveUp {
    /// Why.
    pub why: Why,
    /// The same for people, without the group's name.
    pub words: Arc<str>,
}

/// Why a statement waits no more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Why {
    /// No capacity came: a 503, or a FAILED page once a page was given out.
    Unavailable(Unavailable),
    /// Its client cancelled it, or left before the first answer.
    Canceled,
    /// `kill_query`; the words are the killer's.
    Killed,
    /// Nobody asked for it for `queries.abandonAfter`.
    Expired,
    /// A reload removed its group.
    RemovedGroup,
    /// The gateway stops.
    Stopping,
    /// A coordinator refused it for good (a 4xx other than 401); that answer was the client's.
    Refused,
}

impl GaveUp {
    pub(super) fn new(why: Why, words: impl Into<Arc<str>>) -> Self {
        Self { why, words: words.into() }
    }
}

impl Why {
    /// Whether the statement was refused for want of capacity (rule L6).
    pub(super) const fn is_unmet_demand(self) -> bool {
        match self {
            Self::Unavailable(reason) => !matches!(
                reason,
                Unavailable::HeldDown | Unavailable::Draining | Unavailable::Stopping
            ),
            _ => false,
        }
    }

    const fn status(self) -> QueryStatus {
        match self {
            Self::Canceled | Self::Killed => QueryStatus::Canceled,
            Self::Expired => QueryStatus::Abandoned,
            Self::Unavailable(_) | Self::RemovedGroup | Self::Stopping | Self::Refused => {
                QueryStatus::Rejected
            }
        }
    }

    const fn outcome(self) -> ResumeOutcome {
        match self {
            Self::Unavailable(Unavailable::QueueTimeout | Unavailable::ResumeTimeout) => {
                ResumeOutcome::Timeout
            }
            Self::Unavailable(_) => ResumeOutcome::Failure,
            _ => ResumeOutcome::Rejected,
        }
    }
}

impl Outcome {
    /// Counts and logs the end of a wait; called once, outside of every lock.
    pub(super) fn tell(&self, waiting: &Waiting, held: Option<Duration>) {
        let metrics = &waiting.about.metrics;
        let outcome = match self {
            Self::Became(_) => ResumeOutcome::Success,
            Self::GaveUp(gave_up) => gave_up.why.outcome(),
        };
        if let Some(held) = held {
            metrics.held(outcome, held);
        }
        if let Self::GaveUp(gave_up) = self {
            span::gave_up(waiting, gave_up.why.status());
        }
        match self {
            // The proxy has passed the coordinator's answer on, and counts it there.
            Self::Became(_) | Self::GaveUp(GaveUp { why: Why::Refused, .. }) => {}
            Self::GaveUp(gave_up) => tell_of(waiting, gave_up),
        }
    }
}

fn tell_of(waiting: &Waiting, gave_up: &GaveUp) {
    let about = &waiting.about;
    let (status, took) = (gave_up.why.status(), about.accepted.elapsed());
    about.metrics.query_ended(status, about.kind, took);
    if status != QueryStatus::Rejected {
        about.metrics.query_event(QueryEvent::Completed);
    }
    let (query_id, routing_group) = (waiting.id.as_str(), waiting.group.as_str());
    let (statement_type, user) = (about.kind.as_str(), about.user.as_deref());
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let traceparent = about.traceparent.as_ref().and_then(|value| value.to_str().ok());
    let trace_id = traceparent.and_then(|value| value.get(3..35));
    let reason = &*gave_up.words;
    match status {
        QueryStatus::Canceled => tracing::info!(
            target: "sluice::query", event = "query_canceled", query_id, routing_group, statement_type, user, trace_id, traceparent, duration_ms,
            reason, "Query canceled while it waited"
        ),
        QueryStatus::Abandoned => tracing::warn!(
            target: "sluice::query", event = "query_abandoned", query_id, routing_group, statement_type, user, trace_id, traceparent, duration_ms,
            reason, "Query abandoned while it waited"
        ),
        _ => tracing::warn!(
            target: "sluice::query", event = "query_failed", query_id, routing_group, statement_type, user, trace_id, traceparent, duration_ms,
            reason, "Query waited in vain"
        ),
    }
}
