//! Finds a query by its id. The map is hidden here: no guard of it ever leaves a method.

use std::sync::Arc;

use dashmap::DashMap;
use sluice_routing::QueryId;

use crate::queries::Query;

/// Every query that Sluice has seen a page of and not yet forgotten.
#[derive(Debug, Default)]
pub struct Table {
    queries: DashMap<QueryId, Arc<Query>, ahash::RandomState>,
}

/// An alias of an alias is as far as a query can go: it is sent again at most once a queued poll.
const ALIASES: usize = 8;

impl Table {
    /// The query of that very id.
    pub fn get(&self, id: QueryId) -> Option<Arc<Query>> {
        self.queries.get(&id).map(|query| Arc::clone(&query))
    }

    /// The id under which a query goes on now, itself if it was never sent again.
    pub fn present_id(&self, id: QueryId) -> QueryId {
        let mut present = id;
        for _ in 0..ALIASES {
            match self.get(present).and_then(|query| query.successor()) {
                Some(next) => present = next,
                None => break,
            }
        }
        present
    }

    /// Remembers a query; of two records of one id the first stays, and is returned.
    pub fn insert(&self, query: Query) -> Arc<Query> {
        let query = Arc::new(query);
        Arc::clone(&self.queries.entry(query.id).or_insert(query))
    }

    /// Looks at every query; those for which `keep` says no are forgotten.
    pub fn retain(&self, mut keep: impl FnMut(&Query) -> bool) {
        self.queries.retain(|_, query| keep(query));
    }

    /// How many are remembered, ended ones included.
    pub fn len(&self) -> usize {
        self.queries.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.queries.is_empty()
    }
}
