//! How a statement stops waiting without having become a query, and what is counted and logged then.

use std::{sync::Arc, time::Duration};

use sluice_routing::QueryId;

use super::Waiting;
use crate::{
    metrics::{QueryStatus, ResumeOutcome, Unavailable},
    queries::story::{CLIENT_LEFT, End},
};

/// What its client was answered with: pages, or a refusal.
const OK: u16 = 200;
const UNAVAILABLE: u16 = 503;

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
        if let Some(origin) = waiting.about.origin.get() {
            origin.waited(waiting.waited());
        }
        match self {
            // The proxy has passed the coordinator's answer on, and tells the rest of the story.
            Self::Became(_) | Self::GaveUp(GaveUp { why: Why::Refused, .. }) => {
                waiting.about.origin.take();
            }
            Self::GaveUp(gave_up) => tell_of(waiting, gave_up),
        }
    }
}

fn tell_of(waiting: &Waiting, gave_up: &GaveUp) {
    let status = gave_up.why.status();
    let end = End {
        id: waiting.known_id(),
        backend: None,
        status,
        http_status: Some(match status {
            _ if waiting.has_page() => OK,
            QueryStatus::Canceled => CLIENT_LEFT,
            _ => UNAVAILABLE,
        }),
        trino_state: None,
        error: None,
        // What a kill gives as its reason is a literal of somebody's statement.
        reason: Some(if gave_up.why == Why::Killed { "killed" } else { &gave_up.words }),
    };
    waiting.about.tell(&end, true);
}
