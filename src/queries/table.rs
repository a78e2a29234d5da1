//! Finds a query by its id. The map is hidden here: no guard of it ever leaves a method.

use std::{
    borrow::Borrow,
    hash::{Hash, Hasher},
    sync::Arc,
};

use dashmap::DashMap;
use sluice_routing::QueryId;

use crate::queries::{Query, query::fingerprint};

/// Every query that Sluice has seen a page of and not yet forgotten.
#[derive(Debug, Default)]
pub struct Table {
    queries: DashMap<Known, (), ahash::RandomState>,
    aliases: DashMap<QueryId, Alias, ahash::RandomState>,
}

/// A query, found by its id: there may be a million of them, and each knows its own.
#[derive(Debug)]
struct Known(Arc<Query>);

impl Borrow<QueryId> for Known {
    fn borrow(&self) -> &QueryId {
        &self.0.id
    }
}

impl Hash for Known {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id.hash(state);
    }
}

impl PartialEq for Known {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

impl Eq for Known {}

/// A statement that waited under an id of ours, and the query that it became.
#[derive(Debug)]
struct Alias {
    real: QueryId,
    /// The hash of its own slug: only who was given that may follow.
    slug: u64,
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout)]
mod tests;

/// An alias of an alias is as far as a query can go: it is sent again at most once a queued poll.
const ALIASES: usize = 8;

impl Table {
    /// The query of that very id.
    pub fn get(&self, id: QueryId) -> Option<Arc<Query>> {
        self.queries.get(&id).map(|known| Arc::clone(&known.key().0))
    }

    /// The id under which a query goes on now, itself if it was never sent again.
    pub fn present_id(&self, id: QueryId) -> QueryId {
        let mut present = id;
        for _ in 0..ALIASES {
            let next = self.get(present).and_then(|query| query.successor());
            match next.or_else(|| self.aliases.get(&present).map(|alias| alias.real)) {
                Some(next) => present = next,
                None => break,
            }
        }
        present
    }

    /// From now on `waited` leads to `real`, as long as that is remembered.
    pub fn alias(&self, waited: QueryId, slug: &str, real: QueryId) {
        self.aliases.insert(waited, Alias { real, slug: fingerprint(slug) });
    }

    /// Whether a path under an old id was given out for it: anybody may know an id, and the new query's own slug is
    /// put in its place.
    pub fn is_given_out(&self, old: QueryId, path: &str) -> bool {
        if let Some(alias) = self.aliases.get(&old) {
            return path.rsplit('/').nth(1).is_some_and(|slug| fingerprint(slug) == alias.slug);
        }
        self.get(old).is_some_and(|query| query.is_latest(path))
    }

    /// Remembers a query; of two records of one id the first stays, and is returned.
    pub fn insert(&self, query: Query) -> Arc<Query> {
        let known = self.queries.entry(Known(Arc::new(query))).or_insert(());
        Arc::clone(&known.key().0)
    }

    /// Looks at every query.
    pub fn each(&self, mut look: impl FnMut(&Arc<Query>)) {
        self.queries.iter().for_each(|known| look(&known.key().0));
    }

    /// Looks at every query; those for which `keep` says no are forgotten.
    pub fn retain(&self, mut keep: impl FnMut(&Arc<Query>) -> bool) {
        self.queries.retain(|known, ()| keep(&known.0));
        self.aliases.retain(|_, alias| self.queries.contains_key(&alias.real));
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
