//! Rise and fall: how single probes become a verdict on a backend.
//!
//! A backend that says `starting: true` takes no statement from that answer on, since Trino fails what reaches it
//! then. Failures count against `fall` only where there is something to lose. Pure: no clock, no I/O.

/// How many probes in a row change the verdict.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Limits {
    /// Successes that make a backend healthy.
    pub(crate) rise: u32,
    /// Failures that make it unhealthy.
    pub(crate) fall: u32,
}

/// What one probe said.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Sign {
    /// A coordinator that takes statements.
    Ready,
    /// A coordinator that says `starting: true`.
    Starting,
    /// No answer, or not that of a coordinator.
    Failed,
}

/// What all probes together say.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// No probe has ended yet.
    #[default]
    Unknown,
    /// Not reachable.
    Down,
    /// Alive, not ready.
    Starting,
    /// Ready.
    Up,
}

/// The verdict and the probes in a row that may change it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Health {
    verdict: Verdict,
    successes: u32,
    failures: u32,
}

impl Health {
    /// The present verdict.
    pub(crate) fn verdict(self) -> Verdict {
        self.verdict
    }

    /// Takes one more probe into account.
    pub(crate) fn observe(&mut self, sign: Sign, limits: Limits) {
        match sign {
            Sign::Ready => self.succeeded(limits.rise),
            Sign::Starting => {
                *self = Self { verdict: Verdict::Starting, successes: 0, failures: 0 }
            }
            Sign::Failed => self.failed(limits.fall),
        }
    }

    fn succeeded(&mut self, rise: u32) {
        self.failures = 0;
        self.successes = self.successes.saturating_add(1);
        if self.successes >= rise {
            self.verdict = Verdict::Up;
        }
    }

    fn failed(&mut self, fall: u32) {
        self.successes = 0;
        self.failures = self.failures.saturating_add(1);
        if self.verdict == Verdict::Unknown || self.failures >= fall {
            self.verdict = Verdict::Down;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { rise: 2, fall: 3 };

    fn after(signs: &[Sign]) -> Verdict {
        let mut health = Health::default();
        signs.iter().for_each(|sign| health.observe(*sign, LIMITS));
        health.verdict()
    }

    #[test]
    fn rise_and_fall_count_in_a_row() {
        use Sign::{Failed as F, Ready as R, Starting as S};
        for (signs, verdict) in [
            (&[][..], Verdict::Unknown),
            (&[F], Verdict::Down),
            (&[R], Verdict::Unknown),
            (&[R, R], Verdict::Up),
            (&[F, R, F, R], Verdict::Down),
            (&[R, R, F, F], Verdict::Up),
            (&[R, R, F, F, F], Verdict::Down),
            (&[R, R, F, F, R, F, F], Verdict::Up),
            (&[R, R, S], Verdict::Starting),
            (&[S, R], Verdict::Starting),
            (&[S, R, R], Verdict::Up),
            (&[R, S, R], Verdict::Starting),
            (&[S, F, F], Verdict::Starting),
            (&[S, F, F, F], Verdict::Down),
        ] {
            assert_eq!(after(signs), verdict, "{signs:?}");
        }
    }
}
