//! What is said to the other replicas and heard from them, every 200 ms and at once when demand rises from nothing.
//!
//! One task of the control runtime. While the store is lost a round fails and the next one tries again: what was known
//! of the others stays known for a while (`fleet`).

use std::{sync::Arc, sync::atomic::Ordering, time::Duration};

use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::{
    Mates, Replicas,
    fleet::KEPT_FOR,
    report::{Moves, Report},
    share_of,
};
use crate::{
    lifecycle::Lifecycle,
    queries::{Query, Rooms, Table},
    snapshot::Current,
    store::{Change, Fault, Had, Key, Kind},
};

/// Between two tries to renew all records: it reads each of them, and a store that could not bear it should not be asked at
/// every round.
const REST: Duration = Duration::from_secs(2);

/// Between two rounds: demand elsewhere is never older than a fraction of a second, and a store bears it for any number
/// of replicas.
const EVERY: Duration = Duration::from_millis(200);

/// What a round stands on.
#[derive(Clone, Debug)]
pub struct Around {
    /// This replica among the others.
    pub replicas: Arc<Replicas>,
    /// Queries by id.
    pub table: Arc<Table>,
    /// Statements that wait.
    pub rooms: Arc<Rooms>,
    /// Groups and settings.
    pub current: Current,
    /// Whether the process is leaving.
    pub lifecycle: Lifecycle,
}

/// Goes round until `stop`; the last report says that this replica has left.
pub async fn run(around: Around, stop: CancellationToken) {
    let Some(mates) = &around.replicas.shared else { return };
    let mut rounds = interval(EVERY);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut renewed = Instant::now();
    let (mut was_up, mut had) = (true, Had::default());
    let (mut is_due, mut tried) = (false, None::<Instant>);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = around.replicas.ledger.rose() => {}
            _ = rounds.tick() => {}
        }
        // What fails is told and counted by the store, and said again in the next round.
        let is_up = around.round(mates, &mut had).await.is_ok();
        let life = around.current.load().config.queries.remember_for.get();
        // A store that was lost may have lost what it knew; what was not renewed to its end is begun again.
        if is_up && !was_up {
            mates.tell_again();
        }
        is_due |= is_up && (!was_up || renewed.elapsed() >= life / 3);
        if is_up && is_due && tried.is_none_or(|tried| tried.elapsed() >= REST) {
            tried = Some(Instant::now());
            if around.renew(mates, life).await != Err(Fault::Unavailable) {
                (is_due, renewed) = (false, Instant::now());
            }
        }
        was_up = is_up;
    }
    let _ = mates.say(around.report(mates, true)).await;
}

impl Around {
    async fn round(&self, mates: &Mates, had: &mut Had) -> Result<(), Fault> {
        self.open_inbox(mates, had).await?;
        mates.say(self.report(mates, self.lifecycle.is_draining())).await?;
        let reports = mates.reports().await?;
        self.hear(mates, reports);
        self.tend_elsewhere(mates).await
    }

    /// Writes the records of all queries that are counted here anew, and of statements that are not known there, and lets go what others have taken over.
    async fn renew(&self, mates: &Mates, life: Duration) -> Result<(), Fault> {
        let waits = self.current.load().longest_wait();
        let mut own: Vec<Arc<Query>> = Vec::new();
        self.table.each(|query| {
            if query.is_in_flight() {
                own.push(Arc::clone(query));
            }
        });
        for (query, by) in mates.renew(&own, life).await? {
            mates.let_go(&query, by);
        }
        // Of those that wait it may have lost some too, or never had them.
        self.replicas.keep_again(&self.rooms.all(), waits).await
    }

    fn report(&self, mates: &Mates, leaving: bool) -> Report {
        // Before anything is counted: what comes from now on is surely in the next report.
        mates.sequence.fetch_add(1, Ordering::SeqCst);
        let (snapshot, now, ledger) = (self.current.load(), Instant::now(), &self.replicas.ledger);
        let demands = ledger.demands(now);
        let shares = snapshot.groups.iter().map(|group| {
            let demand = demands.get(&group.name).copied().unwrap_or_default();
            (group.name.as_str().into(), share_of(demand, ledger.lasting(&group.name, now)))
        });
        let mut standing = mates.standing();
        standing.promote();
        standing.report(mates, shares, leaving)
    }

    /// Takes in what the others said, and tells who listens if their demand is another one.
    fn hear(&self, mates: &Mates, reports: Vec<Report>) {
        let now = Instant::now();
        let mut standing = mates.standing();
        let was_known = standing.peers.is_known(now);
        let before = standing.peers.wants();
        standing.peers.read(reports, now);
        let is_news = !was_known || before != standing.peers.wants();
        standing.prune();
        drop(standing);
        if is_news {
            self.replicas.changed.send_replace(());
        }
    }
}

impl Mates {
    async fn say(&self, report: Report) -> Result<(), Fault> {
        let key = Key::new(Kind::Report, self.me.to_string());
        let Ok(value) = serde_json::to_vec(&report) else { return Ok(()) };
        // Whoever comes later counts what a lost replica had for as long as the others do.
        self.store.apply(vec![Change::put(key, value, KEPT_FOR)]).await
    }

    /// What the others said last; what cannot be read is somebody else's.
    async fn reports(&self) -> Result<Vec<Report>, Fault> {
        let values = self.store.list(Kind::Report).await?;
        let read = values.iter().filter_map(|(_, value)| serde_json::from_slice(value).ok());
        Ok(read.filter(|report: &Report| report.incarnation != self.me).collect())
    }
}

impl super::Standings {
    /// Nobody counts what moved to or from those that are long forgotten.
    fn prune(&mut self) {
        let Self { peers, adopted, let_go, .. } = self;
        let stays = |moves: &mut Moves| moves.retain(|with, _| !peers.is_long_gone(*with));
        stays(adopted);
        stays(let_go);
    }
}
