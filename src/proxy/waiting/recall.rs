//! A statement that waited at another replica, or became a query there: found by its id, and let in here.
//!
//! Whoever asks for an id of ours that is not known here asks the store once; after that the statement waits here as if
//! it had come here, in its old place, and everything else finds it as always. While another replica is sending it,
//! it stays there, and its client hears that it queues.

use std::{sync::Arc, time::Duration};

use axum::response::Response;
use http::Method;
use sluice_routing::QueryId;
use tokio::time::{Instant, sleep};

use super::{has_ready, page, poll, wake};
use crate::{
    proxy::{
        Shared,
        core::Core,
        exchange::Exchange,
        statement::{asked::Asked, sending},
        watch,
    },
    queries::{Guest, Query, Waiting, WaitingState, is_ours, query::About, story::Untold},
    replicas::{Alias, Busy, Recalled, Seen, Taken},
    snapshot::{Group, Snapshot},
};

/// Between two looks at a statement that another replica is sending.
const PAUSE: Duration = Duration::from_millis(100);

/// Sees to it that whoever looks for an id of ours here finds it, if any replica knows it; a slug, if given, must be its own.
pub(crate) async fn recall(
    core: &Core,
    exchange: &Exchange,
    id: QueryId,
    slug: Option<&str>,
) -> Option<Busy> {
    let shared = &core.shared;
    if !shared.replicas.is_shared()
        || !is_ours(id)
        || shared.rooms.find(id).is_some()
        || shared.table.present_id(id) != id
        || shared.calls.knows(id)
    {
        return None;
    }
    match shared.replicas.recall(id, slug, life(&exchange.snapshot, None)).await {
        Recalled::Nothing => shared.calls.recall(id, &shared.replicas).await,
        Recalled::Became(alias) => shared.follow(id, &alias, &exchange.snapshot),
        Recalled::Busy(busy) => return Some(busy),
        Recalled::Taken(taken) => let_in(core, exchange, &taken),
    }
    None
}

/// The same for who only looks: what waits elsewhere stays there.
pub(super) async fn seen(core: &Core, exchange: &Exchange, id: QueryId) -> Option<Seen> {
    let shared = &core.shared;
    let is_known = shared.rooms.find(id).is_some() || shared.table.present_id(id) != id;
    if is_known || !is_ours(id) {
        return None;
    }
    match shared.replicas.look(id).await {
        Ok(seen) => seen,
        Err(alias) => {
            shared.follow(id, &alias, &exchange.snapshot);
            None
        }
    }
}

/// For so long a statement is kept where other replicas find it: it waits no longer than its group lets it, and its
/// client may be silent for a while.
pub(super) fn life(snapshot: &Snapshot, group: Option<&Group>) -> Duration {
    let silence = snapshot.config.queries.abandon_after.get();
    group.map_or_else(|| snapshot.longest_wait(), |group| group.cold_start.deadline.get() + silence)
}

fn let_in(core: &Core, exchange: &Exchange, taken: &Taken) {
    let parcel = &taken.parcel;
    let Some(group) = exchange.snapshot.group(&parcel.group) else { return };
    let statement = Arc::clone(&parcel.statement);
    let asked = Asked::read(core, exchange, &statement.headers, &statement.body);
    sending::placed(&asked.origin, group);
    // Its story may go on elsewhere again.
    asked.origin.settled();
    let about = About {
        metrics: Arc::clone(&group.metrics),
        kind: asked.kind,
        accepted: parcel.entered(),
        user: asked.user.as_deref().map(Into::into),
        trace: exchange.trace_of_query(),
        span: None,
        origin: Untold::of(Arc::clone(&asked.origin)),
    };
    let lease = core.shared.ledger.open(&group.name);
    let waiting = core.shared.rooms.take_in(parcel, Guest { about, statement, lease });
    core.shared.replicas.took(taken);
    if !has_ready(group) {
        wake(core, group, &waiting.about);
    }
}

impl Shared {
    /// A statement that waited at another replica is a query by now: the way there is known here too from now on.
    pub(super) fn follow(&self, waited: QueryId, alias: &Alias, snapshot: &Snapshot) {
        if self.table.get(alias.real).is_none() {
            let Some(backend) = snapshot.bound(&alias.backend, alias.real.suffix()) else { return };
            let about = watch::stranger(self, backend);
            let (name, group) = (alias.backend.clone(), alias.group.clone());
            let query = self.table.insert(Query::elsewhere(alias.real, name, group, about));
            self.replicas.met(&query);
        }
        if let (Some(query), Some(entrance)) = (self.table.get(alias.real), &alias.entrance) {
            query.enter_by(entrance);
        }
        self.table.alias(waited, alias.slug.as_str(), alias.real);
    }
}

/// The slug of `/v1/statement/queued/<id>/<slug>/<token>`.
pub(crate) fn slug_of(path: &str) -> Option<&str> {
    path.rsplit('/').nth(1)
}

/// Answers a request below `/v1/statement/queued/` about a statement that another replica is sending; `None` as soon as
/// it can be looked for here.
pub(super) async fn while_busy(
    core: &Arc<Core>,
    exchange: &Arc<Exchange>,
    id: QueryId,
    method: Method,
    path: &str,
    mut busy: Busy,
) -> Option<Response> {
    match method {
        Method::DELETE => {
            core.shared.replicas.unwanted(id, &busy, None);
            return Some(poll::no_content());
        }
        Method::HEAD => return Some(page::heartbeat()),
        _ => {}
    }
    let token: u64 = path.rsplit('/').next()?.parse().ok()?;
    let until = Instant::now() + poll::LONG_POLL;
    while Instant::now() < until {
        super::held(exchange, sleep(PAUSE)).await;
        busy = recall(core, exchange, id, slug_of(path)).await?;
    }
    let waited = busy.since.elapsed().unwrap_or_default();
    let next = token.checked_add(1)?;
    Some(page::told(exchange, id, waited, |page| page.queued(busy.slug.as_str(), next)))
}

/// Another replica has sent a statement that waits here too.
pub(super) fn became(shared: &Shared, snapshot: &Snapshot, waiting: &Arc<Waiting>, alias: &Alias) {
    shared.follow(waiting.id, alias, snapshot);
    if !matches!(waiting.state(), WaitingState::Became(_)) {
        waiting.became_elsewhere(alias.real);
    }
}
