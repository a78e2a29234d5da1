//! Which replica counts a query: this one by its lease, another one, or none any more.
//!
//! One owner counts a query, whoever is asked for its pages. What another replica than the owner sees of it is kept
//! here until the owner has been told (`replicas`).

use crate::{
    queries::{Ending, Lease},
    trino::head::State,
};

/// Who counts it.
#[derive(Debug)]
pub(super) enum Stake {
    /// This replica; in a box, since most of what is remembered has ended.
    Here(Box<Lease>),
    /// Another one; `None`: none, since it has ended, or never was demand.
    Away(Option<Box<Sight>>),
}

const _: () = assert!(size_of::<Stake>() == 2 * size_of::<usize>());

/// What was seen here of a query that another replica counts.
#[derive(Clone, Debug, Default)]
pub struct Sight {
    /// What its coordinator called it last.
    pub state: Option<State>,
    /// How it ended.
    pub ending: Option<Ending>,
}

impl Stake {
    pub(super) fn of(lease: Option<Lease>) -> Self {
        lease.map_or(Self::Away(None), |lease| Self::Here(Box::new(lease)))
    }

    pub(super) fn elsewhere() -> Self {
        Self::Away(Some(Box::default()))
    }

    pub(super) fn is_here(&self) -> bool {
        matches!(self, Self::Here(_))
    }

    pub(super) fn is_elsewhere(&self) -> bool {
        matches!(self, Self::Away(Some(_)))
    }

    pub(super) fn state(&self) -> Option<&'static str> {
        match self {
            Self::Here(lease) => Some(lease.state()),
            Self::Away(Some(sight)) if sight.ending.is_none() => {
                Some(sight.state.map_or("UNKNOWN", State::as_str))
            }
            Self::Away(_) => None,
        }
    }

    pub(super) fn set_state(&mut self, state: State) {
        match self {
            Self::Here(lease) => lease.set_state(state),
            Self::Away(Some(sight)) => sight.state = Some(state),
            Self::Away(None) => {}
        }
    }

    pub(super) fn sight(&self) -> Option<&Sight> {
        match self {
            Self::Away(Some(sight)) => Some(sight),
            Self::Here(_) | Self::Away(None) => None,
        }
    }

    /// The lease, if it is here.
    pub(super) fn take(&mut self) -> Option<Lease> {
        match std::mem::replace(self, Self::Away(None)) {
            Self::Here(lease) => Some(*lease),
            other => {
                *self = other;
                None
            }
        }
    }

    pub(super) fn adopt(&mut self, lease: Lease) -> Option<Lease> {
        match self {
            Self::Away(Some(sight)) if sight.ending.is_none() => {
                if let Some(state) = sight.state {
                    lease.set_state(state);
                }
                *self = Self::Here(Box::new(lease));
                None
            }
            Self::Away(_) | Self::Here(_) => Some(lease),
        }
    }

    pub(super) fn let_go(&mut self) -> Option<Lease> {
        let lease = self.take()?;
        *self = Self::elsewhere();
        Some(lease)
    }

    /// Another replica counts it, and is to be told of its end; the first one is kept.
    pub(super) fn ends_elsewhere(&mut self, ending: &Ending) -> bool {
        let Self::Away(Some(sight)) = self else { return false };
        if sight.ending.is_none() {
            sight.ending = Some(ending.clone());
        }
        true
    }
}
