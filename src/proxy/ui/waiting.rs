//! The page of a query that waits: where its `infoUri` leads a browser until a coordinator has it.
//!
//! It reloads itself, by `<meta>` and not by a script, until the query has ended. It says nothing that a guessed id
//! should not tell: no SQL, no user, no secret of the `nextUri`. After the hand-over nobody sees it: the same address
//! leads to the real query's page then. Pure: what it shows is an argument.

use std::{fmt::Write as _, time::Duration};

use axum::response::Response;
use http::HeaderValue;
use sluice_routing::QueryId;

use super::html::{self, Escaped};

/// Between two looks, in seconds: a cold start is watched, not measured.
const AGAIN: u32 = 2;

const STYLE: &str = include_str!("waiting.css");

/// How a waiting query fares.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fare<'a> {
    /// What its client calls it.
    pub(crate) id: QueryId,
    /// Where it waits.
    pub(crate) group: &'a str,
    /// What it waits for, or what it came to.
    pub(crate) standing: Standing,
    /// The same in words, as its client is told.
    pub(crate) reason: &'a str,
    /// Since it was accepted, or until it ended.
    pub(crate) waited: Duration,
    /// How long a cold start of the group mostly takes; `None`: not known yet.
    pub(crate) usual: Option<Duration>,
    /// For how long a backend has been waking, if one is.
    pub(crate) resuming: Option<Duration>,
    /// Its place among all that wait in the group, from 1.
    pub(crate) place: Option<usize>,
}

/// Where a query stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Standing {
    /// It waits.
    Waiting,
    /// It is being sent to a coordinator.
    Dispatching,
    /// Its client took it back.
    Canceled,
    /// Somebody killed it.
    Killed,
    /// No capacity came.
    Failed,
}

impl Standing {
    fn headline(self) -> &'static str {
        match self {
            Self::Waiting => "Waiting for a coordinator",
            Self::Dispatching => "On its way to a coordinator",
            Self::Canceled => "Canceled",
            Self::Killed => "Killed",
            Self::Failed => "Failed",
        }
    }

    /// Trino's word for the state, as its clients see it.
    fn state(self) -> &'static str {
        if self.goes_on() { "QUEUED" } else { "FAILED" }
    }

    fn goes_on(self) -> bool {
        matches!(self, Self::Waiting | Self::Dispatching)
    }
}

/// The page as an answer.
pub(crate) fn answer(fare: &Fare<'_>) -> Response {
    const POLICY: HeaderValue = HeaderValue::from_static(
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    html::answer(page(fare), POLICY)
}

/// The page.
pub(crate) fn page(fare: &Fare<'_>) -> String {
    let (headline, class) = (fare.standing.headline(), fare.standing.state().to_ascii_lowercase());
    let goes_on = fare.standing.goes_on();
    let again = if goes_on {
        format!("<meta http-equiv=\"refresh\" content=\"{AGAIN}\">")
    } else {
        String::new()
    };
    let hint = if goes_on {
        "<p class=hint>This page follows the query by itself, and opens the query’s own page as soon as a coordinator has it.</p>"
    } else {
        ""
    };
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8>{again}<title>{headline} · {id}</title>\
         <meta name=viewport content=\"width=device-width,initial-scale=1\"><meta name=robots content=noindex>\
         <style>{STYLE}</style><main class={class}><p class=id>{id}</p><h1>{headline}</h1>\
         <p class=reason>{reason}</p>{progress}<dl>{facts}</dl>{hint}</main></html>",
        id = fare.id,
        reason = Escaped(fare.reason),
        progress = progress(fare).unwrap_or_default(),
        facts = facts(fare),
    )
}

/// How far the cold start is, as far as its usual length tells.
fn progress(fare: &Fare<'_>) -> Option<String> {
    let (usual, since) = (fare.usual?.as_secs().max(1), fare.resuming?.as_secs());
    fare.standing.goes_on().then(|| {
        let so_far = since.min(usual);
        format!(
            "<progress aria-label=\"Cold start\" value={so_far} max={usual}>{so_far} of {usual} s</progress>"
        )
    })
}

fn facts(fare: &Fare<'_>) -> String {
    let mut facts = String::new();
    let mut add = |name: &str, value: &dyn std::fmt::Display| {
        let _ = write!(facts, "<div><dt>{name}</dt><dd>{value}</dd></div>");
    };
    add("State", &fare.standing.state());
    add("Routing group", &Escaped(fare.group));
    add(if fare.standing.goes_on() { "Waiting for" } else { "Waited" }, &Spoken(fare.waited));
    if !fare.standing.goes_on() {
        return facts;
    }
    if let Some(place) = fare.place {
        add("Place in the queue", &place);
    }
    if let Some(resuming) = fare.resuming {
        add("Cold start began", &format_args!("{} ago", Spoken(resuming)));
    }
    match fare.usual {
        Some(usual) => add("Cold starts mostly take", &format_args!("up to {}", Spoken(usual))),
        None => add("Cold starts mostly take", &"not known yet"),
    }
    facts
}

/// A duration as one says it.
struct Spoken(Duration);

impl std::fmt::Display for Spoken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = self.0.as_secs();
        match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
            (0, 0, seconds) => write!(f, "{seconds} s"),
            (0, minutes, seconds) => write!(f, "{minutes} min {seconds} s"),
            (hours, minutes, _) => write!(f, "{hours} h {minutes} min"),
        }
    }
}

#[cfg(test)]
mod tests;
