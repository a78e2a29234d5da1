//! Trino's closed lists of words: the states of a query and the types of an error.

/// A query's state, as `stats.state` names it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum State {
    /// Accepted, not yet looked at.
    Queued,
    /// Waits for enough workers.
    WaitingForResources,
    /// On its way from the queue to the planner.
    Dispatching,
    /// Being planned.
    Planning,
    /// Being handed to workers.
    Starting,
    /// At work; also what a page with `data` and `nextUri` counts as.
    Running,
    /// Committing.
    Finishing,
    /// Ended well.
    Finished,
    /// Ended in an error, cancelled ones included.
    Failed,
    /// A word that is none of Trino's.
    Unknown,
}

impl State {
    /// The state that Trino calls `word`.
    pub fn of(word: &str) -> Self {
        match word {
            "QUEUED" => Self::Queued,
            "WAITING_FOR_RESOURCES" => Self::WaitingForResources,
            "DISPATCHING" => Self::Dispatching,
            "PLANNING" => Self::Planning,
            "STARTING" => Self::Starting,
            "RUNNING" => Self::Running,
            "FINISHING" => Self::Finishing,
            "FINISHED" => Self::Finished,
            "FAILED" => Self::Failed,
            _ => Self::Unknown,
        }
    }

    /// Trino's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::WaitingForResources => "WAITING_FOR_RESOURCES",
            Self::Dispatching => "DISPATCHING",
            Self::Planning => "PLANNING",
            Self::Starting => "STARTING",
            Self::Running => "RUNNING",
            Self::Finishing => "FINISHING",
            Self::Finished => "FINISHED",
            Self::Failed => "FAILED",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// Whose fault an error is, as `error.errorType` names it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ErrorType {
    /// The statement's, or whoever sent it.
    UserError,
    /// Trino's own.
    InternalError,
    /// Too little memory, time, workers or room in a queue.
    InsufficientResources,
    /// A connector's source.
    External,
    /// A word that is none of Trino's, or none at all.
    Unknown,
}

impl ErrorType {
    /// The type that Trino calls `word`.
    pub fn of(word: &str) -> Self {
        match word {
            "USER_ERROR" => Self::UserError,
            "INTERNAL_ERROR" => Self::InternalError,
            "INSUFFICIENT_RESOURCES" => Self::InsufficientResources,
            "EXTERNAL" => Self::External,
            _ => Self::Unknown,
        }
    }

    /// Trino's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UserError => "USER_ERROR",
            Self::InternalError => "INTERNAL_ERROR",
            Self::InsufficientResources => "INSUFFICIENT_RESOURCES",
            Self::External => "EXTERNAL",
            Self::Unknown => "UNKNOWN",
        }
    }
}
