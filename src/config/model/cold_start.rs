//! What happens to a group's statements while none of its backends can take them, and when they go to sleep.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::units::{Bytes, Span};

/// How statements wait for a backend that wakes, or for a free place.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ColdStart {
    /// What a client sees meanwhile; without a resume driver read only when the group is full.
    pub mode: ColdStartMode,
    /// In whose words a 503 is written.
    pub contract: Contract,
    /// How long the first request is held; 8 s is what every known client bears.
    pub hold_for: Span,
    /// The longest wait of one statement.
    pub deadline: Span,
    /// Statements that may wait at the same time, at each replica of the gateway.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub max_waiting: usize,
    /// Of one user.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub max_waiting_per_user: usize,
    /// SQL and headers of all that wait.
    pub max_waiting_bytes: Bytes,
    /// Queries of the group that each replica of the gateway lets run at the same time; unset: no limit.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub max_running: Option<u64>,
    /// Active workers that a woken backend must have before it takes statements.
    #[schemars(range(min = 0, max = 100_000))]
    pub min_workers: u32,
}

impl Default for ColdStart {
    fn default() -> Self {
        Self {
            mode: ColdStartMode::default(),
            contract: Contract::default(),
            hold_for: Span::secs(8),
            deadline: Span::secs(600),
            max_waiting: 1000,
            max_waiting_per_user: 100,
            max_waiting_bytes: Bytes::mib(64),
            max_running: None,
            min_workers: 0,
        }
    }
}

/// What a client sees while its statement cannot be forwarded.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ColdStartMode {
    /// Held for `holdFor`, then pages in state `QUEUED` until a backend takes the statement.
    #[default]
    Queue,
    /// Held for `holdFor`, then 503.
    Hold,
    /// 503 at once; the backend is woken all the same.
    Reject,
}

/// In whose words a 503 is written.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Contract {
    /// Text; JSON where `Accept` asks for it.
    #[default]
    Sluice,
    /// The bodies, headers and JSON keys of XTrinode's gateway.
    Xtrinode,
}

/// When a group's backends are put to sleep.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Suspend {
    /// Without a query, ours or Trino's own.
    pub after_idle: Span,
}
