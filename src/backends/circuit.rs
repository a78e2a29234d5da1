//! The circuit of one backend: failures in a row keep new statements away for a while, then one probe decides.
//!
//! `passive` counts the failures; this is what follows: open for about 30 s, half-open while a probe of
//! `/v1/info` that began since is awaited, closed by any answer below 500, since a 401 or 404 is a sign of life
//! too. Polls and other requests of known queries are never kept away. Pure: time is an argument.

use std::time::Duration;

use tokio::time::Instant;

use crate::snapshot::Circuit;

/// Failures in a row that open the circuit.
pub(crate) const FAILURES: u32 = 5;

/// How long it stays open; the caller spreads it by ± 20 %, so that replicas do not probe in step.
pub(crate) const OPEN_FOR: Duration = Duration::from_secs(30);

/// The circuit with the times that it waits for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Gate {
    /// Statements pass.
    #[default]
    Closed,
    /// None passes before then.
    Open {
        /// When it becomes half-open.
        until: Instant,
    },
    /// None passes until a probe that began since then has ended.
    HalfOpen {
        /// When it became half-open.
        since: Instant,
    },
}

impl Gate {
    /// Five failures in a row: opens a closed circuit until then; says whether that changed it.
    pub(crate) fn trip(&mut self, until: Instant) -> bool {
        let closed = *self == Self::Closed;
        if closed {
            *self = Self::Open { until };
        }
        closed
    }

    /// Becomes half-open when its time has come; the caller then asks for a probe.
    pub(crate) fn half_open(&mut self, now: Instant) -> bool {
        let due = self.due().is_some_and(|until| until <= now);
        if due {
            *self = Self::HalfOpen { since: now };
        }
        due
    }

    /// A probe has ended: a half-open circuit closes or opens again until then; says whether that changed it.
    pub(crate) fn probed(&mut self, began: Instant, alive: bool, until: Instant) -> bool {
        let Self::HalfOpen { since } = *self else { return false };
        if began < since {
            return false;
        }
        *self = if alive { Self::Closed } else { Self::Open { until } };
        true
    }

    /// When it becomes half-open, if it is open.
    pub(crate) fn due(self) -> Option<Instant> {
        match self {
            Self::Open { until } => Some(until),
            Self::Closed | Self::HalfOpen { .. } => None,
        }
    }

    /// What requests see of it.
    pub(crate) fn shown(self) -> Circuit {
        match self {
            Self::Closed => Circuit::Closed,
            Self::Open { .. } => Circuit::Open,
            Self::HalfOpen { .. } => Circuit::HalfOpen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_waits_and_closes_on_a_sign_of_life() {
        let start = Instant::now();
        let later = |seconds| start + Duration::from_secs(seconds);
        let mut gate = Gate::default();
        assert!(!gate.half_open(later(0)));
        assert!(gate.trip(later(30)));
        assert!(!gate.trip(later(40)), "tripped once");
        assert!(!gate.probed(later(5), true, later(60)), "only a half-open circuit asks the probe");
        assert!(!gate.half_open(later(29)));
        assert!(gate.half_open(later(30)));
        assert_eq!(gate.shown(), Circuit::HalfOpen);
        assert!(!gate.probed(later(29), true, later(60)), "that probe began before");
        assert!(gate.probed(later(30), false, later(60)));
        assert_eq!(gate.due(), Some(later(60)));
        assert!(gate.half_open(later(61)));
        assert!(gate.probed(later(61), true, later(91)));
        assert_eq!(gate.shown(), Circuit::Closed);
    }
}
