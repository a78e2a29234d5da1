//! The 503 of the data port: no capacity, why, and when to come again.
//!
//! One sentence for people; JSON where `Accept` names it; for a group of `coldStart.contract: xtrinode` what XTrinode's
//! gateway says, so that its clients need no change. Whatever the words, each one is counted with its reason and
//! logged, and says `Retry-After` (promise 1). Nothing here wakes a backend or asks one.

mod words;

use std::time::Duration;

use axum::response::Response;
use http::{HeaderMap, header::ACCEPT};

use crate::{
    config::model::Contract,
    metrics::Unavailable,
    proxy::exchange::{Exchange, line},
    snapshot::{Group, GroupWake},
};

pub(crate) use words::{Refusal, Resume};

/// When nothing is known of when capacity comes, half a minute is what XTrinode tells its clients.
pub(crate) const USUAL_SECONDS: u32 = 30;

/// Nobody is sent away for longer: what is known of a cold start may be wrong.
const MOST_SECONDS: u32 = 120;

/// Answers with 503, `why` in words without the group's name; counts and logs it.
pub(crate) fn answer(exchange: &Exchange, group: &str, reason: Unavailable, why: &str) -> Response {
    let snapshot = &exchange.snapshot;
    let index = snapshot.fleet.group_by_name(group);
    let known = index.and_then(|index| snapshot.groups.get(index)).map(AsRef::as_ref);
    let wake = known.map(|group| &group.wake);
    let resuming = wake.and_then(|wake| wake.resuming_since).map(|since| since.elapsed());
    let refusal = Refusal {
        group,
        reason,
        why,
        retry_after: wake.map_or(USUAL_SECONDS, |wake| learned(wake, reason, resuming)),
        resuming,
        resume: resume(wake, reason, resuming),
        trace_id: exchange.trace.trace_id(),
    };
    exchange.account.unavailable(reason);
    line!(
        warn, exchange, target: "sluice::proxy", event = "capacity_absent", routing_group = group, reason = reason.as_str(),
        retry_after_s = refusal.retry_after, operation = exchange.account.label().as_str(), client_ip = %exchange.client,
        "no capacity for a request"
    );
    refusal.answer(contract(known), exchange.wants_json)
}

fn contract(group: Option<&Group>) -> Contract {
    group.map(|group| group.cold_start.contract).unwrap_or_default()
}

/// Only where a backend is on its way does the length of a cold start say something.
fn learned(wake: &GroupWake, reason: Unavailable, resuming: Option<Duration>) -> u32 {
    let usual = wake.usual.filter(|_| resuming.is_some() || is_coming(reason));
    retry_after(usual, resuming.unwrap_or_default())
}

/// Whether capacity is on its way, and whether this request is what set it off.
fn resume(wake: Option<&GroupWake>, reason: Unavailable, resuming: Option<Duration>) -> Resume {
    match (resuming, wake) {
        (Some(_), _) => Resume::Joined,
        (None, Some(wake)) if wake.has_driver && reason == Unavailable::Resuming => {
            Resume::Triggered
        }
        _ => Resume::None,
    }
}

fn is_coming(reason: Unavailable) -> bool {
    use Unavailable::{QueueFull, QueueTimeout, ResumeTimeout, Resuming};
    matches!(reason, Resuming | QueueFull | QueueTimeout | ResumeTimeout)
}

/// Seconds until it is worth coming again: what is left of the `usual` length after `elapsed`.
pub(crate) fn retry_after(usual: Option<Duration>, elapsed: Duration) -> u32 {
    let Some(usual) = usual else { return USUAL_SECONDS };
    let left = usual.saturating_sub(elapsed).as_millis().div_ceil(1000);
    u32::try_from(left).unwrap_or(MOST_SECONDS).clamp(1, MOST_SECONDS)
}

/// Whether a client names JSON among what it accepts; one that takes anything gets words.
pub(crate) fn wants_json(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|range| {
        let (kind, parameters) = range.split_once(';').unwrap_or((range, ""));
        let is_refused = parameters.split(';').any(|parameter| {
            let quality = parameter.trim().strip_prefix("q=");
            quality.and_then(|quality| quality.parse::<f32>().ok()) == Some(0.0)
        });
        kind.trim().eq_ignore_ascii_case("application/json") && !is_refused
    })
}

#[cfg(test)]
mod tests;
