//! Statements that wait: for a backend that wakes, or for a free place in a group that is full.
//!
//! The POST is held for a while, long enough for a quick wake and short enough for every client; then it is answered
//! with a page in state `QUEUED`, and the client polls that until a backend has taken the statement (`poll`). The
//! order and the bounds are those of `queries::room`; `handover` sends a statement whose turn has come. Who is
//! waiting is counted from the acceptance of its POST, and whoever leaves before a page was given out is gone at once.

use std::{sync::Arc, time::Duration};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use sluice_routing::{Decision, Outcome, Refusal};
use tokio::time::Instant;

use crate::{
    config::model::ColdStartMode,
    metrics::{ErrorKind, ResumeOutcome, RoutingError, Unavailable},
    proxy::{
        core::Core,
        exchange::Exchange,
        statement::{asked::Asked, sending},
        unavailable,
    },
    queries::{
        FIRST_TOKEN, GaveUp, Guest, Lease, Turn, Waiting, Why,
        query::{About, Statement},
        story::End,
    },
    snapshot::Group,
    telemetry::{
        context::TraceContext,
        traces::{Cause, query::QuerySpan},
    },
    trino::error,
};

mod handover;
pub(crate) mod kill;
pub(crate) mod page;
pub(crate) mod poll;
pub(crate) mod recall;

use handover::Handed;

/// Of the time that the first request is held, so much is kept for the statement's own way to a backend.
const FOR_THE_WAY: Duration = Duration::from_secs(2);

/// After an attempt that failed: the next one would most likely meet the same.
const PAUSE: Duration = Duration::from_millis(200);

/// Takes in a statement that cannot be forwarded yet.
pub(crate) async fn submit(
    core: Arc<Core>,
    exchange: Arc<Exchange>,
    group: Arc<Group>,
    headers: HeaderMap,
    body: Bytes,
    asked: &Asked,
) -> Response {
    exchange.account.group(&group.metrics);
    let lease = sending::accepted(&core, &group, asked);
    let about = sending::about(&exchange, &group, asked);
    asked.origin.accepted(&about);
    let statement = sending::kept(&core, headers, body, asked);
    queue(core, exchange, group, Guest { about, statement: Arc::new(statement), lease }).await
}

/// Answers a statement that wakes nothing (promise 5): one without text, or without anybody's name, hears what Trino
/// says to it; one of a transaction has lost its coordinator.
pub(crate) fn not_waited_for(
    core: &Core,
    exchange: &Exchange,
    group: &Group,
    asked: &Asked,
) -> Response {
    exchange.account.group(&group.metrics);
    let answer = if !asked.has_text() {
        error::empty_statement().map(Body::new)
    } else if asked.transaction.is_some() {
        core.shared.metrics.error(ErrorKind::Capacity, exchange.account.label());
        let words = "the coordinator of this transaction is not running";
        unavailable::answer(exchange, group.name.as_str(), Unavailable::NoBackend, words)
    } else {
        error::nobody_named().map(Body::new)
    };
    let about = sending::about(exchange, group, asked);
    about.tell(&End::rejected(answer.status().as_u16(), None), true);
    answer
}

/// Answers a statement whose group has no capacity, and to which none is coming.
pub(crate) fn nobody_comes(
    core: &Core,
    exchange: &Exchange,
    group: &Group,
    decision: &Decision,
    asked: &Asked,
) -> Response {
    exchange.account.group(&group.metrics);
    if asked.is_demand() && group.wake.has_driver {
        // One that failed is tried again when its back-off is over, if somebody still wants it then.
        because(core, group, None, exchange.trace);
        group.live.want();
    }
    let (reason, words) = match &group.wake.hopeless {
        Some((reason, words)) => (*reason, &**words),
        None => why_nobody(&decision.outcome),
    };
    let end = End::rejected(StatusCode::SERVICE_UNAVAILABLE.as_u16(), Some(words));
    sending::about(exchange, group, asked).tell(&end, true);
    if asked.is_demand() {
        return turned_away(core, exchange, group, reason, words);
    }
    no_capacity(core, exchange, group, reason, words)
}

fn why_nobody(outcome: &Outcome) -> (Unavailable, &'static str) {
    let Outcome::Refuse(Refusal::NoBackend { starting, draining, circuit_open, .. }) = outcome
    else {
        return (Unavailable::NoBackend, "no running coordinator");
    };
    match (starting, circuit_open, draining) {
        (true, _, _) => (Unavailable::Resuming, "its coordinator is starting"),
        (_, true, _) => (
            Unavailable::CircuitOpen,
            "its coordinators failed too often and are kept out for a moment",
        ),
        (_, _, true) => (Unavailable::Draining, "its backends are draining"),
        _ => (Unavailable::NoBackend, "no running coordinator, and nothing is set up to wake one"),
    }
}

/// Lets an accepted statement wait, in the group's way.
pub(crate) async fn queue(
    core: Arc<Core>,
    exchange: Arc<Exchange>,
    group: Arc<Group>,
    guest: Guest,
) -> Response {
    if group.cold_start.mode == ColdStartMode::Reject && !has_ready(&group) {
        return reject(&core, &exchange, &group, guest);
    }
    let waiting = match core.shared.rooms.enter(&group, guest) {
        Ok(waiting) => waiting,
        Err(refused) => {
            let (reason, words) = (refused.full.reason(), refused.full.words());
            ended(&refused.guest.about, refused.guest.lease, words);
            return turned_away(&core, &exchange, &group, reason, words);
        }
    };
    if !has_ready(&group) {
        wake(&core, &group, &waiting.about);
    }
    exchange.learned.waiting(&waiting);
    let held = Held(Some(Arc::clone(&waiting)));
    let mut until = held_until(&exchange, &group);
    if core.shared.rooms.is_stopping() {
        // It goes on elsewhere, and the sooner the better.
        until.turn = Instant::now();
    }
    match pursue(&core, &exchange, &waiting, until, None).await {
        Pursued::Answer(answer) => {
            held.over();
            answer
        }
        Pursued::GaveUp(gave_up) => {
            held.over();
            refuse(&core, &exchange, &group, &gave_up)
        }
        Pursued::Later if group.cold_start.mode == ColdStartMode::Queue => {
            let life = recall::life(&exchange.snapshot, Some(&group));
            let is_kept = core.shared.replicas.keep(&waiting, life).await;
            held.over();
            if !is_kept && core.shared.rooms.is_stopping() {
                let words = "the gateway is stopping; send the statement again";
                waiting.refused_for(Unavailable::Stopping, words);
                return turned_away(&core, &exchange, &group, Unavailable::Stopping, words);
            }
            waiting.page_given();
            page::queued(&exchange, &waiting, FIRST_TOKEN)
        }
        Pursued::Later => {
            held.over();
            let (reason, words) = reason_of_wait(&group);
            waiting.refused_for(Unavailable::QueueTimeout, words);
            turned_away(&core, &exchange, &group, reason, words)
        }
    }
}

/// A statement whose client waits for its first answer: if that client leaves, it is as if it had never come.
struct Held(Option<Arc<Waiting>>);

impl Held {
    fn over(mut self) {
        self.0 = None;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(waiting) = self.0.take() {
            waiting.leave_unannounced();
        }
    }
}

/// What came of a request that waits for its statement's turn.
pub(crate) enum Pursued {
    /// A backend's own answer.
    Answer(Response),
    /// Nothing yet.
    Later,
    /// It waits no more.
    GaveUp(GaveUp),
}

/// Waits for the statement's turn until `until`, and hands it over when it comes; `latest` are the headers of the poll
/// that waits, whose credentials are newer than the POST's.
pub(crate) async fn pursue(
    core: &Arc<Core>,
    exchange: &Arc<Exchange>,
    waiting: &Arc<Waiting>,
    until: Deadlines,
    latest: Option<&HeaderMap>,
) -> Pursued {
    loop {
        match held(exchange, waiting.turn(until.turn)).await {
            // Another request for the same page waits in this one's place; this one is not answered the sooner for it,
            // or two of them would chase each other.
            Turn::Later => {
                held(exchange, tokio::time::sleep_until(until.turn)).await;
                return Pursued::Later;
            }
            // Its client goes on elsewhere, or it is found by its id from now on.
            Turn::Leave | Turn::Became(_) => return Pursued::Later,
            Turn::Over(gave_up) => return Pursued::GaveUp(gave_up),
            Turn::Go(pass) => {
                let span = waiting.about.span.iter();
                span.for_each(|span| span.note_after("resume.started", "resume.finished"));
                match Box::pin(handover::hand_over(core, exchange, pass, until.answer, latest))
                    .await
                {
                    Handed::Answer(answer) => return Pursued::Answer(answer),
                    Handed::Back => {}
                }
            }
        }
        if Instant::now() + PAUSE >= until.turn {
            return Pursued::Later;
        }
        held(exchange, tokio::time::sleep(PAUSE)).await;
    }
}

/// Time in which a statement waits is not the gateway's own.
async fn held<T>(exchange: &Exchange, wait: impl Future<Output = T>) -> T {
    let began = Instant::now();
    let waited = wait.await;
    exchange.account.held(began.elapsed());
    waited
}

/// How long one request may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadlines {
    /// For the statement's turn to come.
    pub(crate) turn: Instant,
    /// For the backend's answer.
    pub(crate) answer: Instant,
}

/// The hold and the statement's way together take no longer than `holdFor` (trino-protocol.md 4.3).
fn held_until(exchange: &Exchange, group: &Group) -> Deadlines {
    let hold = group.cold_start.hold_for.get();
    let answer = exchange.account.started() + hold;
    let way = FOR_THE_WAY.min(hold / 4);
    Deadlines { turn: answer.checked_sub(way).unwrap_or(answer), answer }
}

fn has_ready(group: &Group) -> bool {
    group.members.iter().any(|member| member.is_ready())
}

/// Says that a backend is wanted; who says it while one is being woken joins that wake.
fn wake(core: &Core, group: &Group, about: &About) {
    if let Some(context) = about.trace.map(|trace| trace.context()) {
        because(core, group, about.span.as_deref(), context);
    }
    // Who is the first to say so is counted by the fold, which alone knows whether a resume is under way.
    if !group.live.want() {
        group.metrics.resume_joined();
    }
}

/// Says on whose behalf a backend is about to be wanted.
fn because(core: &Core, group: &Group, span: Option<&QuerySpan>, context: TraceContext) {
    group.live.because(match span {
        Some(span) => {
            span.note("resume.started");
            span.cause()
        }
        None => Cause { context, traces: core.shared.traces.clone() },
    });
}

/// Mode `reject`: the backend is woken, the client comes again.
fn reject(core: &Core, exchange: &Exchange, group: &Group, guest: Guest) -> Response {
    wake(core, group, &guest.about);
    let words = "no running coordinator, and one is being woken";
    ended(&guest.about, guest.lease, words);
    turned_away(core, exchange, group, Unavailable::Resuming, words)
}

fn ended(about: &About, lease: Lease, words: &str) {
    about.tell(&End::rejected(StatusCode::SERVICE_UNAVAILABLE.as_u16(), Some(words)), true);
    about.metrics.held(ResumeOutcome::Rejected, about.accepted.elapsed());
    drop(lease);
}

/// A 503 for want of capacity: the demand outlives the connection (rule L6).
fn turned_away(
    core: &Core,
    exchange: &Exchange,
    group: &Group,
    reason: Unavailable,
    words: &str,
) -> Response {
    let is_want =
        !matches!(reason, Unavailable::HeldDown | Unavailable::Draining | Unavailable::Stopping);
    if is_want {
        core.shared.ledger.unmet(&group.name, Instant::now());
    }
    no_capacity(core, exchange, group, reason, words)
}

/// The same for one that is no demand.
fn no_capacity(
    core: &Core,
    exchange: &Exchange,
    group: &Group,
    reason: Unavailable,
    words: &str,
) -> Response {
    core.shared.metrics.routing_error(RoutingError::NoBackend);
    core.shared.metrics.error(ErrorKind::Capacity, exchange.account.label());
    unavailable::answer(exchange, group.name.as_str(), reason, words)
}

/// The answer to a POST whose statement waits no more.
fn refuse(core: &Core, exchange: &Exchange, group: &Group, gave_up: &GaveUp) -> Response {
    let reason = match gave_up.why {
        Why::Unavailable(reason) => reason,
        Why::Stopping => Unavailable::Stopping,
        Why::Expired => Unavailable::QueueTimeout,
        Why::RemovedGroup | Why::Canceled | Why::Killed | Why::Refused => Unavailable::NoBackend,
    };
    turned_away(core, exchange, group, reason, &gave_up.words)
}

fn reason_of_wait(group: &Group) -> (Unavailable, &'static str) {
    if has_ready(group) {
        return (Unavailable::QueueFull, "all its places are taken");
    }
    (Unavailable::Resuming, "no running coordinator, and one is being woken")
}

/// Lets a statement wait that a backend did not take after all, although it had looked ready.
pub(crate) async fn instead(
    core: Arc<Core>,
    exchange: Arc<Exchange>,
    group: Arc<Group>,
    about: About,
    statement: Arc<Statement>,
    lease: Lease,
) -> Response {
    lease.displace();
    if let Some(context) = about.trace.map(|trace| trace.context()) {
        because(&core, &group, about.span.as_deref(), context);
    }
    group.live.want();
    queue(core, exchange, group, Guest { about, statement, lease }).await
}
