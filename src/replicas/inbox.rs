//! The inboxes: words go out in one item for each replica and round, and come in before anything else is looked at.

use std::{
    collections::BTreeMap,
    sync::{Arc, MutexGuard, PoisonError},
    time::Duration,
};

use sluice_routing::{GroupName, QueryId};
use tokio::time::Instant;

use super::{Mates, count, report::Incarnation, round::Around, said::Said, words::Word};
use crate::{
    queries::{Ending, Query, WaitingState, is_ours},
    store::{Change, Fault, Had, Key, Kind},
    trino::head::State,
};

/// Who has not looked into its inbox for so long is lost, and its queries are others' by then.
const LIFE: Duration = Duration::from_secs(60);

/// Items taken in one call: one round of so many replicas.
const AT_ONCE: usize = 256;

/// Words of one item; a longer one is split.
const WORDS: usize = 1024;

fn inbox(of: Incarnation) -> Key {
    Key::new(Kind::Inbox, of.to_string())
}

impl Mates {
    /// Says these words, some time soon.
    pub(super) fn tell(&self, words: Vec<(Incarnation, Word)>) {
        self.said().keep(&words, Instant::now());
        self.send(words);
    }

    /// Says last words once more, to a store that may have lost them; who heard them heeds them once.
    pub(super) fn tell_again(&self) {
        let words = self.said().again(Instant::now());
        self.send(words);
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, words: Vec<(Incarnation, Word)>) {
        let mut of_each: BTreeMap<Incarnation, Vec<Word>> = BTreeMap::new();
        for (to, word) in words {
            of_each.entry(to).or_default().push(word);
        }
        for (to, words) in of_each {
            for some in words.chunks(WORDS) {
                let Ok(item) = serde_json::to_vec(some) else { continue };
                self.store.later(Change::push(inbox(to), item, LIFE));
            }
        }
    }
}

impl Around {
    /// Hears what the others said; what cannot be read is somebody else's.
    pub(super) async fn open_inbox(&self, mates: &Mates, had: &mut Had) -> Result<(), Fault> {
        loop {
            let read = mates.store.drain(inbox(mates.me), had, AT_ONCE).await?;
            // Only what was heard is taken out, by the next call: one whose answer is lost takes no word with it.
            *had = read.had;
            let is_last = had.len() < AT_ONCE;
            for item in read.items {
                let words: Vec<Word> = serde_json::from_slice(&item).unwrap_or_default();
                words.into_iter().for_each(|word| self.heed(mates, word));
            }
            if is_last {
                return Ok(());
            }
        }
    }

    fn heed(&self, mates: &Mates, word: Word) {
        let Some(id) = word.id() else { return };
        let query = self.table.get(id);
        match word {
            Word::Seen(_, state) => {
                if let Some(query) = query.filter(|query| query.is_in_flight()) {
                    seen(&query, state.as_deref());
                }
            }
            Word::Ended(_, told) => {
                if let Some(query) = query.filter(|query| query.is_in_flight()) {
                    query.end(&Ending::from(told));
                }
            }
            Word::Taken(_, by) if is_ours(id) => self.let_go_statement(mates, id, by),
            Word::Taken(_, by) => {
                if let Some(query) = query {
                    mates.let_go(&query, by);
                }
            }
            Word::Unwanted(_, message) => {
                if let Some(waiting) = self.rooms.find(id) {
                    match message {
                        Some(message) => waiting.kill(&message),
                        None => waiting.cancel(),
                    };
                }
            }
        }
    }

    /// Another replica lets that statement wait from now on.
    fn let_go_statement(&self, mates: &Mates, id: QueryId, by: Incarnation) {
        let Some(waiting) = self.rooms.find(id) else { return };
        let is_over = matches!(waiting.state(), WaitingState::Ended(_));
        let gone = self.rooms.let_go(id);
        // One that ended here in the meantime went all the same: the other one counts it.
        if gone.is_some() || is_over {
            mates.went(&waiting.group, by, true);
        }
        drop(gone);
    }
}

fn seen(query: &Query, state: Option<&str>) {
    query.touch();
    // Its client has gone on: what was handed out here last may be old, and whoever asks for it proves nothing.
    query.next_is("");
    if let Some(state) = state {
        query.progressed(State::of(state));
    }
}

impl Mates {
    /// Another replica counts that query from now on.
    pub(super) fn let_go(&self, query: &Arc<Query>, by: Incarnation) {
        if query.sight().is_some() || by == self.me {
            return;
        }
        // First it is said that it went, then it goes: what is counted twice for a moment is never too little.
        // One that has ended here in the meantime went all the same: the other one counts it.
        self.went(&query.group, by, false);
        if query.let_go() {
            self.standing().elsewhere.moved_to(query, by);
        }
    }

    pub(super) fn went(&self, group: &GroupName, to: Incarnation, is_waiting: bool) {
        count(&mut self.standing().let_go, to, group, is_waiting);
    }
}
