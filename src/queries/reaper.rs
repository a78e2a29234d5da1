//! The task that ends abandoned queries and forgets ended ones.
//!
//! Abandoned is what nobody has polled or kept alive for `queries.abandonAfter` while no page of it streams;
//! Trino gives such a query up after the same time by itself, so nothing is cancelled here.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    metrics::{Evicted, Metrics},
    queries::{Bindings, Ending, Table},
    snapshot::Current,
};

/// Often enough that an abandoned query leaves the gauge within a tenth of the shortest sensible setting.
const ROUND: Duration = Duration::from_secs(5);

/// Walks the table until it is cancelled.
pub async fn run(
    table: Arc<Table>,
    bindings: [Arc<Bindings>; 2],
    current: Current,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) {
    let mut rounds = tokio::time::interval(round(&current));
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = rounds.tick() => {}
        }
        let settings = current.load().config.queries.clone();
        let now = Instant::now();
        sweep(&table, now, settings.abandon_after.get(), settings.remember_for.get(), &metrics);
        bindings.iter().for_each(|ties| ties.forget_old(now));
    }
}

/// Short settings (tests, demos) want short rounds.
fn round(current: &Current) -> Duration {
    let settings = &current.load().config.queries;
    let shortest = settings.abandon_after.get().min(settings.remember_for.get());
    ROUND.min(shortest / 10).max(Duration::from_millis(10))
}

fn sweep(
    table: &Table,
    now: Instant,
    abandon_after: Duration,
    remember_for: Duration,
    metrics: &Metrics,
) {
    table.retain(|query| {
        let silence = query.silence(now);
        if query.is_in_flight() {
            if silence >= abandon_after && query.end(&Ending::Abandoned) {
                metrics.evicted(Evicted::Ttl);
            }
            return true;
        }
        silence < remember_for
    });
}
