//! Who serves a query id: the marker in the URL, the query table, the coordinator id, the store, else a search.
//!
//! An id never moves, and nothing is guessed: a 404 is fatal for every client, so it is said only when every
//! backend has been heard since start and none can be the owner.

use std::sync::Arc;

use sluice_routing::{BackendName, QueryId};

use crate::{
    proxy::{Shared, exchange::Exchange},
    queries::Query,
    snapshot::{Backend, Snapshot},
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

/// Looks up the id that a request names.
pub(crate) fn find(
    shared: &Shared,
    snapshot: &Snapshot,
    exchange: &Exchange,
    id: QueryId,
) -> Owner {
    find_with(shared, snapshot, exchange.marker.as_ref(), id)
}

/// Looks an id up; a marker that belongs to another id must not be given.
pub(crate) fn find_with(
    shared: &Shared,
    snapshot: &Snapshot,
    marker: Option<&BackendName>,
    id: QueryId,
) -> Owner {
    let query = shared.table.get(id);
    if let Some(backend) = marker.and_then(|name| snapshot.bound(name, id.suffix())) {
        let query =
            query.filter(|query| query.backend == backend.name || Some(&query.backend) == marker);
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
    candidates(snapshot, id)
}

/// The owner as another replica has written it down; asked only where nothing here leads to it.
pub(crate) async fn in_store(shared: &Shared, snapshot: &Snapshot, id: QueryId) -> Option<Owner> {
    let name = shared.replicas.backend_of(id).await?;
    let backend = snapshot.bound(&name, id.suffix())?;
    Some(Owner::Known(Arc::clone(backend), None))
}

/// Who is not known to be another process; one that cannot be reached now may be the owner still.
fn candidates(snapshot: &Snapshot, id: QueryId) -> Owner {
    let all = || snapshot.backends.values();
    if all().any(|backend| !backend.probed) {
        return Owner::NotYetKnown;
    }
    let asked: Vec<Arc<Backend>> = all()
        .filter(|backend| backend.coordinator.is_none_or(|coordinator| coordinator == id.suffix()))
        .cloned()
        .collect();
    if asked.is_empty() { Owner::Nobody } else { Owner::OneOf(asked) }
}
