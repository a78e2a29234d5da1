//! A waiting statement on its way to another replica, and its name there and here.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use sluice_routing::{GroupName, QueryId};
use tokio::time::Instant;

use super::{FIRST_TOKEN, Slug, Waiting};
use crate::queries::{Lease, query::Statement};

/// The number of a `nextUri` that another replica handed out: the first one that its client asks for is right.
pub(super) const UNKNOWN_TOKEN: u64 = 0;

/// What a statement is called, and its place in the order.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) id: QueryId,
    pub(super) slug: Slug,
    /// Microseconds since 1970 when it came, or a few more: later ones are greater, whichever replica they came to.
    pub(super) ticket: u64,
    pub(super) entered: Instant,
    pub(super) token: u64,
}

/// What another replica needs of a statement in order to let it wait in its place.
pub struct Parcel {
    /// What its client calls it.
    pub id: QueryId,
    /// What its `nextUri` carries.
    pub slug: Slug,
    /// Where it waits.
    pub group: GroupName,
    /// Its place in the order.
    pub ticket: u64,
    /// When it came.
    pub since: SystemTime,
    /// What is to be sent.
    pub statement: Arc<Statement>,
}

/// A statement that another replica has taken over: its place in the count, to be given back once that is said.
#[derive(Debug)]
pub struct LetGo {
    /// Where it waited.
    pub group: GroupName,
    /// Its place in the count.
    pub lease: Option<Lease>,
}

impl Parcel {
    pub(super) fn of(waiting: &Waiting) -> Option<Self> {
        let since = SystemTime::now().checked_sub(waiting.entered.elapsed())?;
        Some(Self {
            id: waiting.id,
            slug: waiting.slug.clone(),
            group: waiting.group.clone(),
            ticket: waiting.ticket,
            since,
            statement: Arc::new(waiting.statement()?),
        })
    }

    /// When it came, by this process' clock.
    pub fn entered(&self) -> Instant {
        let age = SystemTime::now().duration_since(self.since).unwrap_or_default();
        let now = Instant::now();
        now.checked_sub(age).unwrap_or(now)
    }

    pub(super) fn identity(&self) -> Identity {
        let Self { id, ticket, .. } = *self;
        let (slug, entered) = (self.slug.clone(), self.entered());
        Identity { id, slug, ticket, entered, token: UNKNOWN_TOKEN }
    }
}

impl Identity {
    pub(super) fn new(id: QueryId, slug: Slug, ticket: u64) -> Self {
        Self { id, slug, ticket, entered: Instant::now(), token: FIRST_TOKEN }
    }
}

/// The ticket of a statement that comes now: after `last`, and after what came to other replicas before.
pub(super) fn ticket_after(last: u64) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(now.as_micros()).unwrap_or(0).max(last.saturating_add(1))
}

impl fmt::Debug for Parcel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parcel").field("id", &self.id).finish_non_exhaustive()
    }
}
