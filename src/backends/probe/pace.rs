//! How long a prober rests between two probes.

use std::time::Duration;

use crate::backends::{health::Sign, jitter, plan::Tempo};

/// A starting coordinator, or one that is being woken, is ready any moment, and clients wait for it.
const WHILE_STARTING: std::ops::RangeInclusive<u64> = 200..=500;

/// Where nothing listens, or a certificate is bad, a long pause of the JVM cannot be the reason: ask again soon, until
/// `fall` is reached.
const WHILE_REFUSED: Duration = Duration::from_millis(400);

/// Between any two probes, so that neither a flood of failures nor an interval of 0 is a flood of probes.
pub(crate) const MIN_GAP: Duration = Duration::from_millis(50);

/// What the pace depends on beside the configuration.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    refused_in_row: u32,
}

impl Pace {
    /// The rest after a probe that said that; `refused`: no connection came about, and at once.
    pub(crate) fn after(&mut self, sign: Sign, refused: bool, tempo: Tempo) -> Duration {
        self.refused_in_row = if refused { self.refused_in_row.saturating_add(1) } else { 0 };
        let usual = jitter::around(tempo.interval).max(MIN_GAP);
        match sign {
            _ if tempo.eager => usual.min(jitter::within(WHILE_STARTING)),
            Sign::Starting => usual.min(jitter::within(WHILE_STARTING)),
            Sign::Failed if (1..tempo.fall).contains(&self.refused_in_row) => {
                usual.min(jitter::around(WHILE_REFUSED))
            }
            Sign::Ready | Sign::Failed => usual,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPO: Tempo = Tempo {
        interval: Duration::from_secs(5),
        timeout: Duration::from_secs(2),
        fall: 3,
        eager: false,
    };

    #[test]
    fn the_usual_rest_is_spread() {
        for _ in 0..1000 {
            let rest = Pace::default().after(Sign::Ready, false, TEMPO);
            assert!((4.0..=6.0).contains(&rest.as_secs_f64()), "{rest:?}");
        }
    }

    #[test]
    fn a_starting_backend_is_asked_often() {
        for _ in 0..1000 {
            let rest = Pace::default().after(Sign::Starting, false, TEMPO).as_millis();
            assert!((200..=500).contains(&rest), "{rest}");
        }
    }

    #[test]
    fn an_awaited_backend_is_asked_often_whatever_it_says() {
        let eager = Tempo { eager: true, ..TEMPO };
        for sign in [Sign::Ready, Sign::Starting, Sign::Failed] {
            for refused in [false, true] {
                let rest = Pace::default().after(sign, refused, eager).as_millis();
                assert!((200..=500).contains(&rest), "{rest}");
            }
        }
    }

    #[test]
    fn a_refused_connection_is_tried_again_soon_until_the_fall_is_reached() {
        let mut pace = Pace::default();
        let short = |rest: Duration| rest < Duration::from_secs(1);
        assert!(short(pace.after(Sign::Failed, true, TEMPO)));
        assert!(short(pace.after(Sign::Failed, true, TEMPO)));
        assert!(!short(pace.after(Sign::Failed, true, TEMPO)));
        assert!(!short(pace.after(Sign::Failed, false, TEMPO)), "a time-out may be a pause");
        assert!(short(pace.after(Sign::Failed, true, TEMPO)));
    }
}
