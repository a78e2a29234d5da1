//! Who serves a query id: the marker in the URL, the query table, the coordinator id, else a search.
//!
//! An id never moves, and nothing is guessed: a 404 is fatal for every client, so it is said only when every
//! backend has been heard since start and none can be the owner.

use std::sync::Arc;

use sluice_routing::QueryId;

use crate::{
    proxy::{Shared, exchange::Exchange},
    queries::Query,
    snapshot::{Backend, BackendState, Snapshot},
};

/// What is known of an id's owner.
#[derive(Debug)]
pub(crate) enum Owner {
    /// That backend; with the query's record, where there is one.
    Known(Arc<Backend>, Option<Arc<Query>>),
    /// One of these, to be asked one by one.
    OneOf(Vec<Arc<Backend>>),
    /// No backend can own it.
    Nobody,
    /// Some backend has not been heard yet.
    NotYetKnown,
}

/// Looks an id up.
pub(crate) fn find(
    shared: &Shared,
    snapshot: &Snapshot,
    exchange: &Exchange,
    id: QueryId,
) -> Owner {
    let query = shared.table.get(id);
    if let Some(backend) =
        exchange.marker.as_ref().and_then(|name| snapshot.bound(name, id.suffix()))
    {
        let query = query.filter(|query| {
            query.backend == backend.name || Some(&query.backend) == exchange.marker.as_ref()
        });
        return Owner::Known(Arc::clone(backend), query);
    }
    if let Some(query) = query
        && let Some(backend) = snapshot.bound(&query.backend, id.suffix())
    {
        return Owner::Known(Arc::clone(backend), Some(query));
    }
    if let Some(backend) =
        snapshot.coordinators.get(&id.suffix()).and_then(|name| snapshot.backends.get(name))
    {
        return Owner::Known(Arc::clone(backend), None);
    }
    candidates(shared, snapshot, id)
}

fn candidates(shared: &Shared, snapshot: &Snapshot, id: QueryId) -> Owner {
    let all = || snapshot.backends.values();
    if all().any(|backend| backend.last_check.is_none()) {
        return Owner::NotYetKnown;
    }
    let asked: Vec<Arc<Backend>> = all()
        .filter(|backend| {
            backend.coordinator.is_none_or(|coordinator| coordinator == id.suffix())
                && backend.state != BackendState::Unhealthy
        })
        .filter(|backend| !shared.search.has_missed(&backend.name, id.suffix()))
        .cloned()
        .collect();
    if asked.is_empty() { Owner::Nobody } else { Owner::OneOf(asked) }
}
