//! Queries that were asked for here and that other replicas count: the owner is told what was seen, and one whose
//! owner is gone is taken over.
//!
//! A request of such a query is never delayed: it goes to its backend at once, and only then is its owner looked for.
//! What it meant is read from the query's own record, every round; so a poll tells nobody anything.

use std::{sync::Arc, time::Duration};

use ahash::AHashMap;
use sluice_routing::QueryId;
use tokio::time::Instant;

use super::{
    Mates, Pending, Replicas,
    fleet::Standing,
    record::{self, Record},
    report::Incarnation,
    round::Around,
    words::{Told, Word},
};
use crate::{
    queries::{Query, Sight},
    store::Fault,
    trino::head::State,
};

/// An owner hears at least so often that its query is asked for; it would give it up after five minutes.
const SIGN: Duration = Duration::from_secs(30);

/// After so many looks in vain nobody has told of a query, and nobody will: the writes of its owner are on their way for
/// milliseconds.
const LOOKS: u32 = 4;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(800);

/// Owners looked for in one call.
const SOUGHT_AT_ONCE: usize = 512;

/// Anybody may name an id that is nobody's; above this many whose owner is not known none is added.
const MOST_UNKNOWN: usize = 10_000;

/// Those that were met here.
#[derive(Debug, Default)]
pub(super) struct Elsewhere(AHashMap<QueryId, Met>);

#[derive(Debug)]
struct Met {
    query: Arc<Query>,
    whose: Whose,
    since: Instant,
    told: Option<State>,
    told_at: Instant,
    /// Whose it was before this replica wrote itself down, while it is not known whether that was written.
    before: Option<Record>,
    /// Whether this replica wrote itself down and has not heard so: then the record alone says whose it is, since the owner
    /// that was lost may be back and have let it go.
    asked: bool,
}

#[derive(Clone, Copy, Debug)]
enum Whose {
    /// Not known yet.
    Unknown { looks: u32, next: Instant },
    /// That one's.
    Of(Incarnation),
    /// Nobody's: no record was found.
    Nobodys,
}

/// What one look at all of them led to.
#[derive(Debug, Default)]
struct Errands {
    words: Vec<(Incarnation, Word)>,
    orphans: Vec<Arc<Query>>,
}

impl Replicas {
    /// A query of another replica was asked for here.
    pub(crate) fn met(&self, query: &Arc<Query>) {
        let Some(mates) = &self.shared else { return };
        let now = Instant::now();
        mates.standing().elsewhere.add(query, Whose::Unknown { looks: 0, next: now }, now);
    }

    /// Whether other replicas serve beside this one: they may have sent what it has not.
    pub(crate) fn has_company(&self) -> bool {
        self.shared.as_ref().is_some_and(|mates| mates.standing().peers.living() > 0)
    }
}

impl Elsewhere {
    fn add(&mut self, query: &Arc<Query>, whose: Whose, now: Instant) {
        if self.0.len() < MOST_UNKNOWN || matches!(whose, Whose::Of(_)) {
            let query = Arc::clone(query);
            let id = query.id;
            let met = Met {
                query,
                whose,
                since: now,
                told: None,
                told_at: now,
                before: None,
                asked: false,
            };
            self.0.entry(id).or_insert(met);
        }
    }

    /// It was let go to that one.
    pub(super) fn moved_to(&mut self, query: &Arc<Query>, owner: Incarnation) {
        self.add(query, Whose::Of(owner), Instant::now());
    }

    fn sought(&self, now: Instant) -> Vec<QueryId> {
        let is_due = |met: &Met| matches!(met.whose, Whose::Unknown { next, .. } if next <= now);
        let due = self.0.iter().filter(|(_, met)| is_due(met));
        due.map(|(id, _)| *id).take(SOUGHT_AT_ONCE).collect()
    }

    fn found(&mut self, id: QueryId, owner: Option<Incarnation>, now: Instant) {
        let Some(met) = self.0.get_mut(&id) else { return };
        met.asked &= owner.is_none();
        met.whose = match (owner, met.whose) {
            (Some(owner), _) => Whose::Of(owner),
            (None, Whose::Unknown { looks, .. }) if looks < LOOKS => {
                Whose::Unknown { looks: looks + 1, next: now + LOOK }
            }
            (None, _) => Whose::Nobodys,
        };
    }

    /// Looks at all of them once.
    fn look(
        &mut self,
        standing: impl Fn(Incarnation) -> Standing,
        sign: Duration,
        now: Instant,
    ) -> Errands {
        let mut errands = Errands::default();
        self.0.retain(|_, met| {
            // Whoever counts it here, or nobody, needs no word; nor does a record that only this list holds.
            let Some(sight) = met.query.sight() else { return false };
            match met.whose {
                _ if met.asked => {
                    errands.orphans.push(Arc::clone(&met.query));
                    true
                }
                Whose::Unknown { .. } => true,
                Whose::Nobodys if sight.ending.is_some() => false,
                Whose::Nobodys => {
                    errands.orphans.push(Arc::clone(&met.query));
                    true
                }
                Whose::Of(owner) => match standing(owner) {
                    Standing::Living => met.tell(owner, &sight, sign, now, &mut errands.words),
                    // Its first report may be on its way.
                    Standing::Unknown if now - met.since < LOOK * LOOKS => true,
                    Standing::Leaving | Standing::Lost | Standing::Unknown => {
                        errands.orphans.push(Arc::clone(&met.query));
                        true
                    }
                },
            }
        });
        errands
    }

    /// Whose it was, before it is taken over; of one that bears this replica's own name, since an answer was lost, what was
    /// known before.
    fn taken_from(
        &mut self,
        id: QueryId,
        found: Option<Record>,
        me: Incarnation,
    ) -> Option<Record> {
        let Some(met) = self.0.get_mut(&id) else {
            return found.filter(|record| record.owner != me);
        };
        if found.as_ref().is_none_or(|record| record.owner != me) {
            met.before = found;
        }
        met.asked = true;
        met.before.clone()
    }

    /// Somebody else wrote meanwhile: what is known is as old as before.
    fn refused(&mut self, id: QueryId) {
        self.0.entry(id).and_modify(|met| met.asked = false);
    }

    fn forget(&mut self, id: QueryId) {
        self.0.remove(&id);
    }
}

impl Met {
    /// Says what is new to the owner; whether there may be more to say.
    fn tell(
        &mut self,
        owner: Incarnation,
        sight: &Sight,
        sign: Duration,
        now: Instant,
        words: &mut Vec<(Incarnation, Word)>,
    ) -> bool {
        let name = || self.query.id.as_str().into();
        if let Some(ending) = &sight.ending {
            words.push((owner, Word::Ended(name(), Told::from(ending))));
            return false;
        }
        let is_news = sight.state != self.told;
        let is_time = now - self.told_at >= sign && self.query.silence(now) < now - self.told_at;
        if is_news || is_time {
            words.push((owner, Word::Seen(name(), sight.state.map(|state| state.as_str().into()))));
            (self.told, self.told_at) = (sight.state, now);
        }
        // Nobody else holds it any more: it is forgotten.
        Arc::strong_count(&self.query) > 1
    }
}

impl Around {
    /// Looks for owners, tells them, and takes over what nobody counts.
    pub(super) async fn tend_elsewhere(&self, mates: &Mates) -> Result<(), Fault> {
        let now = Instant::now();
        let sought = mates.standing().elsewhere.sought(now);
        if !sought.is_empty() {
            let keys = sought.iter().map(|id| record::key(*id)).collect();
            let found = mates.store.get_many(keys).await?;
            let mut standing = mates.standing();
            for (id, found) in sought.into_iter().zip(found) {
                let owner = found.as_ref().and_then(Record::read).map(|record| record.owner);
                standing.elsewhere.found(id, owner, now);
            }
        }
        // Four signs before its owner would give it up.
        let sign = SIGN.min(self.current.load().config.queries.abandon_after.get() / 4);
        let errands = mates.look(sign, now);
        mates.tell(errands.words);
        for query in errands.orphans {
            self.take_over(mates, &query, now).await?;
        }
        Ok(())
    }

    /// Counts a query here whose owner is gone. Who ends before that is taken over too: then its owner's last word on it
    /// counts no more.
    async fn take_over(
        &self,
        mates: &Mates,
        query: &Arc<Query>,
        now: Instant,
    ) -> Result<(), Fault> {
        let settings = self.current.load().config.queries.clone();
        if self.lifecycle.is_draining() || query.silence(now) >= settings.abandon_after.get() {
            return Ok(());
        }
        let found = mates.store.get(record::key(query.id)).await?;
        let before = found.as_ref().and_then(Record::read);
        if let Some(owner) =
            before.as_ref().map(|record| record.owner).filter(|owner| mates.lives(*owner))
        {
            // Somebody else was quicker.
            mates.standing().elsewhere.found(query.id, Some(owner), now);
            return Ok(());
        }
        let before = mates.standing().elsewhere.taken_from(query.id, before, mates.me);
        let record = mates.record_of(query).written();
        let life = settings.remember_for.get();
        if !mates.store.replace(record::key(query.id), found.as_ref(), record, life).await? {
            mates.standing().elsewhere.refused(query.id);
            return Ok(());
        }
        let lease = self.replicas.ledger.open(&query.group);
        if let Some(backend) = self.current.load().backends.get(&query.backend) {
            lease.place(backend.live.load.take());
        }
        drop(query.adopt(lease));
        let mut standing = mates.standing();
        standing.elsewhere.forget(query.id);
        let Some(record) = before else { return Ok(()) };
        standing.pending.push(Pending {
            from: record.owner,
            group: query.group.clone(),
            is_waiting: false,
            after: record.after,
        });
        drop(standing);
        mates.tell(vec![(record.owner, Word::Taken(query.id.as_str().into(), mates.me))]);
        Ok(())
    }
}

impl Mates {
    /// Whether that other one serves.
    fn lives(&self, owner: Incarnation) -> bool {
        owner != self.me && self.standing().peers.standing(owner) == Standing::Living
    }

    fn look(&self, sign: Duration, now: Instant) -> Errands {
        let mut standing = self.standing();
        let super::Standings { elsewhere, peers, .. } = &mut *standing;
        let me = self.me;
        // One that this process has forgotten and that is asked for again is its own.
        let of = |owner| if owner == me { Standing::Lost } else { peers.standing(owner) };
        elsewhere.look(of, sign, now)
    }
}
