//! The permit to send a waiting statement to a backend.
//!
//! It owns the backend's place and the statement's lease until they are taken. Whatever happens to the request that
//! holds it, it is spent exactly once: one that is dropped without a word has failed, and its statement waits on.

use std::sync::Arc;

use sluice_routing::{LoadGuard, QueryId};

use super::{
    Waiting,
    ending::{GaveUp, Outcome, Why},
};
use crate::{
    queries::{Lease, query::Statement},
    snapshot::Backend,
};

/// A waiting statement's turn.
#[derive(Debug)]
#[must_use = "a pass that is dropped has failed"]
pub struct Pass {
    /// Where to.
    pub backend: Arc<Backend>,
    /// Whose turn it is.
    pub waiting: Arc<Waiting>,
    /// What to send.
    pub statement: Arc<Statement>,
    load: Option<LoadGuard>,
    lease: Option<Lease>,
    spent: bool,
}

/// What became of an attempt, for its backend's slow start.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Attempt {
    /// The coordinator answered.
    Answered,
    /// It did not, or not well.
    Failed,
    /// Nothing was sent.
    NotMade,
}

impl Pass {
    pub(super) fn new(
        backend: Arc<Backend>,
        waiting: Arc<Waiting>,
        statement: Arc<Statement>,
        load: LoadGuard,
    ) -> Self {
        let lease = waiting.take_lease();
        Self { backend, waiting, statement, load: Some(load), lease, spent: false }
    }

    /// The backend's place; tie the lease to it, or keep it while the statement is under way.
    pub fn take_load(&mut self) -> Option<LoadGuard> {
        self.load.take()
    }

    /// The statement's place in the count; give it to the query that it becomes, or back.
    pub fn take_lease(&mut self) -> Option<Lease> {
        self.lease.take()
    }

    /// A coordinator gave it an id: it waits no more. `false`: it was cancelled or killed meanwhile, and the real
    /// query should be too.
    pub fn became(mut self, real: QueryId) -> bool {
        self.end(Outcome::Became(real))
    }

    /// The coordinator refused it for good (a 4xx other than 401).
    pub fn refused(mut self) {
        self.end(Outcome::GaveUp(GaveUp::new(
            Why::Refused,
            "the coordinator refused the statement",
        )));
    }

    /// The coordinator wants other credentials: the statement keeps its place, and is no demand until its client
    /// comes again (rule L4).
    pub fn unauthorised(mut self, lease: Option<Lease>) {
        self.give_back(lease, Attempt::Answered);
    }

    /// The attempt failed: the statement takes its old place, the backend begins its slow start again.
    pub fn failed(mut self, lease: Option<Lease>) {
        self.give_back(lease, Attempt::Failed);
    }

    /// Nothing was sent: the statement takes its old place.
    pub fn returned(mut self, lease: Option<Lease>) {
        self.give_back(lease, Attempt::NotMade);
    }

    fn end(&mut self, outcome: Outcome) -> bool {
        self.spent = true;
        let ended = self.waiting.room().ended_by(&self.waiting, &self.backend, outcome);
        // Whoever has not taken them lets them go now, before anybody else is let in.
        drop((self.lease.take(), self.load.take()));
        self.waiting.room().tend();
        ended
    }

    fn give_back(&mut self, lease: Option<Lease>, attempt: Attempt) {
        self.spent = true;
        drop(self.load.take());
        let lease = lease.or_else(|| self.lease.take());
        self.waiting.room().take_back(&self.waiting, &self.backend, lease, attempt);
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if !self.spent {
            self.give_back(None, Attempt::Failed);
        }
    }
}
