//! The drivers: how a backend is asked to wake or to sleep.
//!
//! A call is a request, not a result: what it accepted becomes ready later, which only probes see. Whether and when
//! to call, and what to do with a refusal, is the wake machine's.

use std::{fmt::Debug, future::Future, pin::Pin, sync::Arc, time::Duration};

use sluice_routing::{BackendName, GroupName};

use crate::{config::model::Resume, metrics::Provider};

/// What is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// To take statements.
    Resume,
    /// To give its machines back.
    Suspend,
}

/// One call.
#[derive(Clone, Debug)]
pub struct Call {
    /// What is asked for.
    pub action: Action,
    /// The group whose demand it serves.
    pub group: GroupName,
    /// Who is asked.
    pub backend: BackendName,
    /// Why, as a word of a closed list.
    pub reason: &'static str,
    /// The same for all tries of one wake: the provider may know a repetition by it.
    pub wake_id: String,
    /// 1 for the first try.
    pub attempt: u32,
    /// The trace that the call belongs to.
    pub traceparent: Option<String>,
}

/// The provider took the call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Accepted {
    /// What it made of it.
    pub how: How,
    /// When it would like to be asked again, if it said so.
    pub retry_after: Option<Duration>,
}

/// What a provider made of a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum How {
    /// It does what was asked for.
    Triggered,
    /// It had been asked already, and nothing was changed.
    Already,
    /// Somebody else has asked a moment ago; it wants no second call now.
    Gated,
}

impl From<How> for Accepted {
    fn from(how: How) -> Self {
        Self { how, retry_after: None }
    }
}

/// The provider did not take the call; in words without secrets.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CallError {
    /// Repeating it would not help until somebody changes something.
    #[error("{0}")]
    Permanent(String),
    /// It may work a moment later.
    #[error("{why}")]
    Transient {
        /// What went wrong.
        why: String,
        /// When the provider would like to be asked again, if it said so.
        retry_after: Option<Duration>,
    },
    /// Nothing came of it within `callTimeout`.
    #[error("no answer within callTimeout")]
    Timeout,
}

/// The future of a call; dropping it ends what it began.
pub type Calling<'a> = Pin<Box<dyn Future<Output = Result<Accepted, CallError>> + Send + 'a>>;

/// Somebody who can wake a backend and put it to sleep.
pub trait Driver: Debug + Send + Sync {
    /// The label of its metrics.
    fn provider(&self) -> Provider;

    /// Asks once.
    fn call(&self, call: Call) -> Calling<'_>;
}

/// What a group is called where drivers look for it: its labels.
#[derive(Clone, Copy, Debug)]
pub struct Labels<'a> {
    /// The label `namespace`.
    pub namespace: &'a str,
    /// The label `xtrinode`.
    pub xtrinode: &'a str,
}

/// The driver that a backend's `resume` names.
///
/// # Errors
///
/// In words, for what `config::check` lets through.
pub fn driver_of(_: &Resume, _: Labels<'_>) -> Result<Arc<dyn Driver>, String> {
    Err("no driver is built in yet".to_owned())
}
