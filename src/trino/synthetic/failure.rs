//! The errors in which Sluice itself ends a query: a few of Trino's own (`StandardErrorCode`), and no others.

use crate::trino::head::ErrorType;

/// Why a query ended, of Trino's own errors.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Failure {
    /// Its client took it back.
    UserCanceled,
    /// Who asks for it may not.
    PermissionDenied,
    /// The query that is to be killed is not known.
    NotFound,
    /// The query that is to be killed has ended.
    NotSupported,
    /// Somebody ended it: `kill_query`, or the verb.
    AdministrativelyKilled,
    /// Anything else, on our side.
    InternalError,
    /// Its coordinator, or this gateway, goes away.
    ServerShuttingDown,
    /// Its coordinator was not ready yet.
    ServerStartingUp,
    /// No backend came in time.
    InsufficientResources,
}

impl Failure {
    /// Every one.
    pub const ALL: [Self; 9] = [
        Self::UserCanceled,
        Self::PermissionDenied,
        Self::NotFound,
        Self::NotSupported,
        Self::AdministrativelyKilled,
        Self::InternalError,
        Self::ServerShuttingDown,
        Self::ServerStartingUp,
        Self::InsufficientResources,
    ];

    /// `errorName`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UserCanceled => "USER_CANCELED",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::NotFound => "NOT_FOUND",
            Self::NotSupported => "NOT_SUPPORTED",
            Self::AdministrativelyKilled => "ADMINISTRATIVELY_KILLED",
            Self::InternalError => "GENERIC_INTERNAL_ERROR",
            Self::ServerShuttingDown => "SERVER_SHUTTING_DOWN",
            Self::ServerStartingUp => "SERVER_STARTING_UP",
            Self::InsufficientResources => "GENERIC_INSUFFICIENT_RESOURCES",
        }
    }

    /// `errorCode`.
    pub const fn code(self) -> i64 {
        match self {
            Self::UserCanceled => 3,
            Self::PermissionDenied => 4,
            Self::NotFound => 5,
            Self::NotSupported => 13,
            Self::AdministrativelyKilled => 38,
            Self::InternalError => 65_536,
            Self::ServerShuttingDown => 65_545,
            Self::ServerStartingUp => 65_548,
            Self::InsufficientResources => 131_072,
        }
    }

    /// `errorType`: the range of the code.
    pub const fn kind(self) -> ErrorType {
        match self.code() {
            ..65_536 => ErrorType::UserError,
            65_536..131_072 => ErrorType::InternalError,
            131_072.. => ErrorType::InsufficientResources,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_of_a_code_is_its_type() {
        for failure in Failure::ALL {
            let kind = match failure {
                Failure::InternalError
                | Failure::ServerShuttingDown
                | Failure::ServerStartingUp => ErrorType::InternalError,
                Failure::InsufficientResources => ErrorType::InsufficientResources,
                _ => ErrorType::UserError,
            };
            assert_eq!(failure.kind(), kind, "{}", failure.name());
        }
    }
}
