//! The task that ends abandoned queries and forgets ended ones.
//!
//! A query whose coordinator process has ended is lost, whoever asks for it. Abandoned is what nobody has polled or
//! kept alive for `queries.abandonAfter` while no page of it streams; Trino gives such a query up after the same time
//! by itself, so nothing is cancelled here.

use std::{sync::Arc, time::Duration};

use sluice_routing::CoordinatorId;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    metrics::{Evicted, Metrics},
    queries::{Bindings, Ending, Table},
    snapshot::{Current, Snapshot},
};

/// Often enough that an abandoned query leaves the gauge within a tenth of the shortest sensible setting.
const ROUND: Duration = Duration::from_secs(5);

/// A hundredth of a core at most: to walk past a million queries takes a tenth of a second.
const SHARE: u32 = 99;

/// Walks the table until it is cancelled.
pub async fn run(
    table: Arc<Table>,
    bindings: [Arc<Bindings>; 2],
    current: Current,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) {
    let mut pause = Duration::ZERO;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(pause) => {}
        }
        let now = Instant::now();
        sweep(&table, now, &current.load(), &metrics);
        bindings.iter().for_each(|ties| ties.forget_old(now));
        pause = round(&current).max(now.elapsed() * SHARE);
    }
}

/// Short settings (tests, demos) want short rounds.
fn round(current: &Current) -> Duration {
    let settings = &current.load().config.queries;
    let shortest = settings.abandon_after.get().min(settings.remember_for.get());
    ROUND.min(shortest / 10).max(Duration::from_millis(10))
}

fn sweep(table: &Table, now: Instant, snapshot: &Snapshot, metrics: &Metrics) {
    let settings = &snapshot.config.queries;
    let mut over = Vec::new();
    table.retain(|query| {
        let silence = query.silence(now);
        if !query.is_in_flight() {
            return silence < settings.remember_for.get();
        }
        if has_ended(snapshot, query.id.suffix()) {
            over.push((Arc::clone(query), Ending::Lost));
        } else if silence >= settings.abandon_after.get() {
            over.push((Arc::clone(query), Ending::Abandoned));
        }
        true
    });
    // Not within: an end may wait for the audit's disk, and polls would wait with it.
    for (query, ending) in over {
        if query.end(&ending) && matches!(ending, Ending::Abandoned) {
            metrics.evicted(Evicted::Ttl);
        }
    }
}

/// Whether that coordinator process is known, and known to have ended: another one answers behind its backend. One
/// that is not known may be so new that no probe has met it yet.
fn has_ended(snapshot: &Snapshot, process: CoordinatorId) -> bool {
    let owner = snapshot.coordinators.get(&process).and_then(|name| snapshot.backends.get(name));
    owner.is_some_and(|backend| backend.coordinator != Some(process))
}
