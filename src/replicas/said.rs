//! Last words: what this replica told others and nothing will make it tell again.
//!
//! A store that was lost may be back as another server, one that had not been told all yet: the words in its inboxes are gone
//! then, and of a query's end there is no other trace. So they are told once more. Whose a query is needs no such care: records
//! are renewed and say so.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use super::{report::Incarnation, words::Word};

/// Servers copy to one another within seconds, and who has not looked into its inbox for so long is lost.
const KEPT: Duration = Duration::from_secs(60);

/// Some hundred bytes each; more ends than that within [`KEPT`] end by silence.
const MOST: usize = 32_768;

/// The last words of late, oldest first.
#[derive(Debug, Default)]
pub(super) struct Said(VecDeque<(Instant, Incarnation, Word)>);

impl Said {
    /// Keeps of these what is a last word.
    pub(super) fn keep(&mut self, words: &[(Incarnation, Word)], now: Instant) {
        while self.0.front().is_some_and(|(said, ..)| now - *said > KEPT) {
            self.0.pop_front();
        }
        let last = words.iter().filter(|(_, word)| word.is_last());
        self.0.extend(last.map(|(to, word)| (now, *to, word.clone())));
        let over = self.0.len().saturating_sub(MOST);
        self.0.drain(..over);
    }

    /// All of them, to be told again.
    pub(super) fn again(&self, now: Instant) -> Vec<(Incarnation, Word)> {
        let of_late = self.0.iter().filter(|(said, ..)| now - *said <= KEPT);
        of_late.map(|(_, to, word)| (*to, word.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replicas::words::Told;

    fn ended(id: u32) -> Word {
        Word::Ended(format!("20261101_101500_{id:05}_abcde").into(), Told::Finished)
    }

    #[test]
    fn last_words_are_kept_for_a_minute_and_others_not_at_all() {
        let (mut said, to, now) = (Said::default(), Incarnation::draw(), Instant::now());
        said.keep(&[(to, ended(1)), (to, Word::Seen("q".into(), None))], now);
        said.keep(&[(to, Word::Taken("q".into(), to))], now);
        assert_eq!(said.again(now + KEPT), [(to, ended(1))]);
        assert_eq!(said.again(now + KEPT + Duration::from_millis(1)), []);
        said.keep(&[(to, ended(2))], now + KEPT * 2);
        assert_eq!(said.0.len(), 1);
    }

    #[test]
    fn of_too_many_the_oldest_go() {
        let (mut said, to, now) = (Said::default(), Incarnation::draw(), Instant::now());
        let words: Vec<_> = (0..=MOST).map(|id| (to, ended(u32::try_from(id).unwrap()))).collect();
        said.keep(&words, now);
        assert_eq!(said.again(now), words[1..]);
    }
}
