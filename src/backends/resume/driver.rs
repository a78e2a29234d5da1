//! The drivers: how a backend is asked to wake or to sleep, one small file each.
//!
//! A call is a request, not a result: what it accepted becomes ready later, which only probes see. Every driver is
//! idempotent, reads its secrets anew for each call, has one deadline for all that it does, and keeps nothing
//! between two calls but open connections. A resume never lowers an existing count. Whether and when to call, and
//! what to do with a refusal, is the wake machine's.

mod command;
mod custom_resource;
mod endpoint;
mod external;
mod kubernetes;
mod kubernetes_scale;
mod merge;
mod stackable;
mod timed;
mod webhook;
mod words;
mod xtrinode;
mod xtrinode_api;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod tests;

use std::{fmt::Debug, future::Future, pin::Pin, sync::Arc, time::Duration};

use sluice_routing::{BackendName, GroupName};

use self::{endpoint::Poster, kubernetes::Api, timed::Timed};
use crate::{config::model::Resume, metrics::Provider};

pub use self::kubernetes::Access;

/// What is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// To take statements.
    Resume,
    /// To give its machines back.
    Suspend,
}

impl Action {
    /// The word for programs and people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resume => "resume",
            Self::Suspend => "suspend",
        }
    }
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

impl CallError {
    fn transient(why: impl Into<String>) -> Self {
        Self::Transient { why: why.into(), retry_after: None }
    }
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

/// What all drivers of a process share: their HTTP clients.
#[derive(Clone, Debug)]
pub struct Surroundings {
    kubernetes: Arc<Api>,
    poster: Poster,
}

impl Surroundings {
    /// Makes the clients; nothing is read or called before a driver is.
    ///
    /// # Errors
    ///
    /// When no client can be made.
    pub fn new(access: Access) -> Result<Self, String> {
        Ok(Self { kubernetes: Arc::new(Api::new(access)), poster: Poster::new()? })
    }
}

/// The driver that a backend's `resume` names.
///
/// # Errors
///
/// In words, for what `config::check` lets through: a resource that is named nowhere.
pub fn driver_of(
    resume: &Resume,
    labels: Labels<'_>,
    around: &Surroundings,
) -> Result<Arc<dyn Driver>, String> {
    let driver = untimed(resume, labels, around)?;
    Ok(Arc::new(Timed::new(driver, resume.call_timeout.get())))
}

fn untimed(
    resume: &Resume,
    labels: Labels<'_>,
    around: &Surroundings,
) -> Result<Box<dyn Driver>, String> {
    let api = || Arc::clone(&around.kubernetes);
    let poster = &around.poster;
    Ok(if let Some(scale) = &resume.kubernetes_scale {
        Box::new(kubernetes_scale::KubernetesScale::new(api(), scale)?)
    } else if let Some(runtime) = &resume.xtrinode_api {
        Box::new(xtrinode_api::XtrinodeApi::new(poster, runtime, labels)?)
    } else if let Some(named) = &resume.xtrinode {
        Box::new(xtrinode::Xtrinode::new(api(), named))
    } else if let Some(named) = &resume.stackable {
        Box::new(stackable::Stackable::new(api(), named))
    } else if let Some(custom) = &resume.custom_resource {
        Box::new(custom_resource::CustomResource::new(api(), custom))
    } else if let Some(webhook) = &resume.webhook {
        Box::new(webhook::Webhook::new(poster, webhook)?)
    } else if let Some(command) = &resume.command {
        Box::new(command::Command::new(command)?)
    } else if resume.external.is_some() {
        Box::new(external::External)
    } else {
        return Err("`resume` names no driver".to_owned());
    })
}
