//! Whose a query is, as the store says it: one record a query, written when it appears and renewed while it lives.
//!
//! No end is written: a record that is left over leads to a backend that says itself what it knows.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use sluice_routing::{BackendName, QueryId};

use super::{Mates, Replicas, report::Incarnation};
use crate::{
    queries::Query,
    store::{Change, Fault, Found, Key, Kind},
};

/// Whose a query is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Record {
    /// The backend that serves it.
    pub(super) backend: Box<str>,
    /// Its group.
    pub(super) group: Box<str>,
    /// The replica that counts it.
    pub(super) owner: Incarnation,
    /// It is counted in each report of that one after this one.
    pub(super) after: u64,
}

impl Record {
    pub(super) fn read(found: &Found) -> Option<Self> {
        serde_json::from_slice(&found.value).ok()
    }

    pub(super) fn written(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// The name of a query's record.
pub(super) fn key(id: QueryId) -> Key {
    Key::new(Kind::Query, id.as_str())
}

impl Replicas {
    /// A query has appeared that is counted here; written some time soon.
    pub(crate) fn opened(&self, query: &Query, life: Duration) {
        if let Some(mates) = &self.shared {
            mates.store.later(mates.record(query, life));
        }
    }

    /// The same where nothing but the record leads to the query's backend: written before its client knows its id.
    pub(crate) async fn opens(&self, query: &Query, life: Duration) {
        if let Some(mates) = &self.shared {
            // Without the store the query is followed all the same, by whoever asks the backends.
            let _ = mates.store.apply(vec![mates.record(query, life)]).await;
        }
    }

    /// The backend that serves a query which nothing else leads to.
    pub(crate) async fn backend_of(&self, id: QueryId) -> Option<BackendName> {
        let found = self.shared.as_ref()?.store.get(key(id)).await.ok()??;
        BackendName::parse(&Record::read(&found)?.backend)
    }
}

impl Mates {
    fn record(&self, query: &Query, life: Duration) -> Change {
        Change::put(key(query.id), self.record_of(query).written(), life)
    }

    pub(super) fn record_of(&self, query: &Query) -> Record {
        Record {
            backend: query.backend.as_str().into(),
            group: query.group.as_str().into(),
            owner: self.me,
            after: self.sequence(),
        }
    }

    /// Sees whether these queries, which are counted here, are so in the store; those that others have taken over
    /// meanwhile are given back.
    pub(super) async fn renew(
        &self,
        queries: &[Arc<Query>],
        life: Duration,
    ) -> Result<Vec<(Arc<Query>, Incarnation)>, Fault> {
        let mut lost = Vec::new();
        for some in queries.chunks(RENEWED_AT_ONCE) {
            let keys = some.iter().map(|query| key(query.id)).collect();
            let found = self.store.get_many(keys).await?;
            for (query, found) in some.iter().zip(found) {
                match found.as_ref().and_then(Record::read).map(|record| record.owner) {
                    Some(owner) if owner != self.me => {
                        lost.push((Arc::clone(query), owner));
                    }
                    _ => self.store.later(self.record(query, life)),
                }
            }
        }
        Ok(lost)
    }
}

/// Records that are read in one call.
const RENEWED_AT_ONCE: usize = 512;
