//! The statement's turn has come: it is sent to the backend that took it in, and that answer is the client's.
//!
//! Until its `nextUri` is followed Trino runs nothing, so an attempt that fails costs nothing but its place in the
//! slow start: the statement goes back to where it stood. A refusal of the coordinator (401, 403, …) is the client's.

use std::sync::Arc;

use axum::response::Response;
use http::{HeaderMap, StatusCode, header::AUTHORIZATION};
use sluice_routing::GroupName;
use tokio::time::Instant;

use super::recall;
use crate::{
    metrics::{ColdStartPhase, Retry},
    proxy::{
        core::Core, exchange::Exchange, statement::sending, upstream::Failure, watch::Newcomer,
    },
    queries::{
        Lease, Pass,
        query::{About, Statement},
        story::End,
    },
    replicas::May,
    snapshot::Backend,
};

/// What came of it.
pub(super) enum Handed {
    /// The backend's answer.
    Answer(Response),
    /// The statement waits again.
    Back,
}

/// Sends the statement, with the credentials of the latest poll if that has some.
pub(super) async fn hand_over(
    core: &Arc<Core>,
    exchange: &Arc<Exchange>,
    mut pass: Pass,
    until: Instant,
    latest: Option<&HeaderMap>,
) -> Handed {
    let backend = Arc::clone(&pass.backend);
    let life = recall::life(&exchange.snapshot, None);
    match core.shared.replicas.may_send(&pass.waiting, life).await {
        May::Go => {}
        May::Gone => {
            // Who has it says so in a moment; then it waits here no more.
            pass.returned(None);
            return Handed::Back;
        }
        May::Became(alias) => {
            let waiting = Arc::clone(&pass.waiting);
            pass.returned(None);
            recall::became(&core.shared, &exchange.snapshot, &waiting, &alias);
            return Handed::Back;
        }
    }
    let statement = with_latest(&pass.statement, latest);
    let lease = pass.take_lease();
    if let (Some(lease), Some(load)) = (&lease, pass.take_load()) {
        lease.place(load);
    }
    let within = until.saturating_duration_since(Instant::now());
    let underway = Underway(Some((pass, lease)));
    let outcome = sending::attempt(core, exchange, &backend, &statement, Some(within)).await;
    let Some((pass, lease)) = underway.over() else { return Handed::Back };
    let (plan, answer) = match outcome {
        Ok(answer) => answer,
        Err(failure) => {
            if matches!(failure, Failure::Connect(_)) {
                want(exchange, &backend);
            }
            backend.live.metrics.retried(match failure {
                Failure::Late(_) => Retry::Timeout,
                _ => Retry::Connect,
            });
            pass.failed(lease);
            return Handed::Back;
        }
    };
    let is_retried = matches!(answer.status().as_u16(), 502..=504);
    if is_retried {
        backend.live.metrics.retried(Retry::Status);
        pass.failed(lease);
        return Handed::Back;
    }
    let about = pass.waiting.about.clone();
    let group = pass.waiting.group.clone();
    if answer.status() != StatusCode::OK {
        let answer = sending::refused_by(core, exchange, &backend, (plan, answer));
        match answer.status() {
            StatusCode::UNAUTHORIZED if pass.waiting.has_page() => pass.unauthorised(lease),
            _ => {
                if let Some(origin) = about.origin.get() {
                    origin.waited(pass.waiting.waited());
                }
                let end = End::rejected(answer.status().as_u16(), None).by(backend.name.as_ref());
                about.tell(&End { id: pass.waiting.known_id(), ..end }, true);
                drop(lease);
                pass.refused();
            }
        }
        return Handed::Answer(answer);
    }
    first_byte(exchange, &about, &group);
    let newcomer = Box::new(Newcomer {
        about,
        group,
        lease,
        statement: Some(statement),
        instead_of: None,
        pass: Some(pass),
    });
    let given = sending::deliver(core, exchange, backend, (plan, answer), newcomer);
    Handed::Answer(given.await)
}

/// Where a cold start ends: its first held statement has an answer.
fn first_byte(exchange: &Exchange, about: &About, group: &GroupName) {
    let live = exchange.snapshot.group(group).map(|group| &group.live);
    if let Some(took) = live.and_then(|live| live.first_answer(about.accepted, Instant::now())) {
        about.metrics.cold_start_phase(ColdStartPhase::FirstByte, took);
    }
}

/// An attempt that nobody may wait for any more: a client that leaves in the midst of it says nothing of the backend.
struct Underway(Option<(Pass, Option<Lease>)>);

impl Underway {
    fn over(mut self) -> Option<(Pass, Option<Lease>)> {
        self.0.take()
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        if let Some((pass, lease)) = self.0.take() {
            if let Some(lease) = &lease {
                lease.displace();
            }
            pass.returned(lease);
        }
    }
}

/// It had looked ready and is not there: demand like any other.
fn want(exchange: &Exchange, backend: &Backend) {
    if let Some(group) = exchange.snapshot.group(&backend.group) {
        group.live.want();
    }
}

/// A client's token may have been renewed while it waited.
fn with_latest(statement: &Arc<Statement>, latest: Option<&HeaderMap>) -> Arc<Statement> {
    let newer = latest.map(|headers| headers.get_all(AUTHORIZATION));
    let Some(newer) = newer.filter(|lines| lines.iter().next().is_some()) else {
        return Arc::clone(statement);
    };
    let mut headers = statement.headers.clone();
    headers.remove(AUTHORIZATION);
    for line in newer {
        headers.append(AUTHORIZATION, line.clone());
    }
    Arc::new(Statement {
        body: statement.body.clone(),
        headers,
        kept: statement.kept.clone(),
        in_transaction: statement.in_transaction,
        user: statement.user.clone(),
    })
}
