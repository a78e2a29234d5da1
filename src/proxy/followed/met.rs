//! Requests about what another replica counts, where their answers have no page to read.

use http::{Method, StatusCode};
use sluice_routing::QueryId;

use super::{Followed, Kind, note};
use crate::{
    proxy::{core::Core, exchange::Exchange, waiting, watch},
    snapshot::Backend,
};

/// Whether a statement that waited at another replica is a query by now.
pub(super) async fn became(core: &Core, exchange: &Exchange, id: QueryId) -> bool {
    waiting::recall::recall(core, exchange, id, None).await;
    core.shared.table.present_id(id) != id
}

/// An answer without a page means something for a query that another replica counts.
pub(super) fn meet(core: &Core, backend: &Backend, followed: &Followed, status: StatusCode) {
    let means = matches!(followed.method, Method::DELETE | Method::HEAD) && status.is_success();
    if means && core.shared.replicas.is_shared() {
        let about = watch::stranger(&core.shared, backend);
        let query = match followed.kind {
            // Trino takes that for any id: such a one is kept only until its owner is known.
            Kind::Query => core.shared.pass_by(followed.id, backend, about),
            _ => core.shared.meet(followed.id, backend, about),
        };
        note(&query, followed, status);
    }
}
