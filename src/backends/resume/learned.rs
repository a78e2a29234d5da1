//! How long a group's cold starts take, from its own last ones.

use std::{collections::VecDeque, time::Duration};

/// So many cold starts are remembered; older ones were of another image or another node pool.
pub(crate) const REMEMBERED: usize = 20;

/// The last cold starts of one group.
#[derive(Clone, Debug, Default)]
pub(crate) struct Learned(VecDeque<Duration>);

impl Learned {
    /// A cold start took this long.
    pub(crate) fn took(&mut self, time: Duration) {
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(time);
    }

    /// What all replicas have seen of it.
    pub(crate) fn teach(&mut self, times: &[Duration]) {
        let over = times.len().saturating_sub(REMEMBERED);
        self.0 = times.iter().skip(over).copied().collect();
    }

    /// The 90th percentile: nine of ten were done by then; `None` before the first.
    pub(crate) fn p90(&self) -> Option<Duration> {
        let mut sorted: Vec<Duration> = self.0.iter().copied().collect();
        sorted.sort_unstable();
        let rank = (sorted.len() * 9).div_ceil(10);
        sorted.get(rank.checked_sub(1)?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nine_of_ten_were_done_by_then() {
        let mut learned = Learned::default();
        assert_eq!(learned.p90(), None);
        learned.took(Duration::from_secs(7));
        assert_eq!(learned.p90(), Some(Duration::from_secs(7)));
        (1..=10).for_each(|seconds| learned.took(Duration::from_secs(seconds)));
        assert_eq!(learned.p90(), Some(Duration::from_secs(9)), "1 to 10 and another 7");
    }

    #[test]
    fn only_the_last_ones_count() {
        let mut learned = Learned::default();
        learned.took(Duration::from_secs(600));
        learned.took(Duration::from_secs(600));
        learned.took(Duration::from_secs(600));
        (0..REMEMBERED).for_each(|_| learned.took(Duration::from_secs(20)));
        assert_eq!(learned.p90(), Some(Duration::from_secs(20)));
    }
}
