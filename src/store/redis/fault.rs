//! What the server's refusals mean to us.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::store::Fault;

/// Whether to go on without the store, to let this one go, or to overlook somebody else's value. Words of errors may
/// quote what was asked, so only their code goes on.
pub(super) fn meaning(error: &RedisError) -> Fault {
    match error.kind() {
        ErrorKind::Server(kind) if is_away(kind) => Fault::Unavailable,
        ErrorKind::Server(_) | ErrorKind::Extension => match code(error) {
            "WRONGTYPE" => Fault::Foreign,
            code => Fault::Refused(code.to_owned()),
        },
        ErrorKind::AuthenticationFailed => Fault::Refused("NOAUTH".to_owned()),
        ErrorKind::Parse | ErrorKind::UnexpectedReturnType => Fault::Foreign,
        _ => Fault::Unavailable,
    }
}

/// The server is there, but not the one to ask (now).
fn is_away(kind: ServerErrorKind) -> bool {
    use ServerErrorKind::{Ask, BusyLoading, ClusterDown, MasterDown, Moved, ReadOnly, TryAgain};
    matches!(kind, Ask | BusyLoading | ClusterDown | MasterDown | Moved | ReadOnly | TryAgain)
}

fn code(error: &RedisError) -> &str {
    let code = error.code().unwrap_or("unknown");
    // A script's refusal bears its code in front of its words.
    let inner = error.detail().and_then(|words| words.split_whitespace().next());
    match (code, inner) {
        ("ERR", Some(inner)) if ["OOM", "WRONGTYPE", "MISCONF"].contains(&inner) => inner,
        _ => code,
    }
}
