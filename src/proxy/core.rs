//! What the requests of one data thread work with, and how they are told to end.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::proxy::{Shared, upstream::Upstream};

/// What the requests of one data thread work with.
#[derive(Debug)]
pub(crate) struct Core {
    /// What all data threads share.
    pub(crate) shared: Arc<Shared>,
    /// This thread's connections to the coordinators.
    pub(crate) upstream: Upstream,
}

/// The stops of the data plane.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stops {
    /// The port is closed: finish what is open.
    pub(crate) finish: CancellationToken,
    /// Time is up: cut what is still open.
    pub(crate) cut: CancellationToken,
}
