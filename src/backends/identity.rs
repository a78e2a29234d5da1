//! Which process of a coordinator answered, as far as `/v1/info` tells.
//!
//! Trino ≥ 477 shows a `coordinatorId` that is new at each start; older ones only a `nodeId`, and the oldest
//! nothing but an uptime. Each alone proves a restart when it changes, the uptime when it falls.

use std::time::Duration;

use sluice_routing::CoordinatorId;

use crate::trino::info::ServerInfo;

/// What tells one process from the next.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Identity {
    /// The suffix of its query ids.
    pub(crate) coordinator: Option<CoordinatorId>,
    /// Its node id; mostly stable over restarts, but never shared by two processes.
    pub(crate) node: Option<String>,
    /// How long it runs.
    pub(crate) uptime: Option<Duration>,
}

impl Identity {
    /// Reads it from `/v1/info`.
    pub(crate) fn of(info: &ServerInfo) -> Self {
        Self {
            coordinator: info.coordinator_id.as_deref().and_then(CoordinatorId::parse),
            node: info.node_id.clone(),
            uptime: info.up(),
        }
    }

    /// Whether this is another process than the one seen before; an id that came or went tells it too, since then
    /// another version answers.
    pub(crate) fn is_new_since(&self, last: &Self) -> bool {
        self.coordinator != last.coordinator
            || self.node != last.node
            || self.uptime.zip(last.uptime).is_some_and(|(now, then)| now < then)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn seen(coordinator: Option<&str>, node: Option<&str>, seconds: Option<u64>) -> Identity {
        Identity {
            coordinator: coordinator.map(|id| CoordinatorId::parse(id).unwrap()),
            node: node.map(str::to_owned),
            uptime: seconds.map(Duration::from_secs),
        }
    }

    #[test]
    fn each_sign_alone_proves_a_restart() {
        let first = seen(Some("abcde"), Some("n1"), Some(100));
        for (now, restarted) in [
            (seen(Some("abcde"), Some("n1"), Some(100)), false),
            (seen(Some("abcde"), Some("n1"), Some(105)), false),
            (seen(Some("abcde"), Some("n1"), Some(99)), true),
            (seen(Some("fghij"), Some("n1"), Some(105)), true),
            (seen(Some("abcde"), Some("n2"), Some(105)), true),
            (seen(None, Some("n1"), Some(105)), true),
            (seen(Some("abcde"), Some("n1"), None), false),
        ] {
            assert_eq!(now.is_new_since(&first), restarted, "{now:?}");
        }
        let old = seen(None, None, Some(60));
        assert!(!seen(None, None, Some(61)).is_new_since(&old));
        assert!(seen(None, None, Some(2)).is_new_since(&old));
    }
}
