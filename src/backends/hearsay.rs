//! What replicas tell each other of the backends: operators' marks, groups that are held down, times of cold starts.
//!
//! One task writes what was said here into the store and looks every moment for what was said elsewhere, which it gives
//! the fold as an order. The last word on a backend or a group stands; a restart finds it. What is said while the store
//! is lost is written when it is back, and until then nothing that was said elsewhere overrules it. A store that has an older
//! word, or none, has lost the last one, as after a fail-over to a server that had not been told yet: it is told again. Of Trino
//! itself nothing is shared: each replica probes for itself.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use self::word::{Said, Subject, Told, Word};
use crate::{
    backends::fold::Order,
    store::{Key, Kind, SharedStore},
};

pub(crate) mod word;

/// Often enough to reach every replica within a second, with the time that a call may take.
const LOOK: Duration = Duration::from_millis(400);

/// Times of cold starts are no news: they are looked at every so many looks.
const LOOKS_A_LESSON: u32 = 25;

/// A word of an operator stands until it is taken back; one of last year was forgotten.
const STANDS: Duration = Duration::from_secs(365 * 86_400);

/// Cold starts of another month were of another image or another node pool.
const LEARNED: Duration = Duration::from_secs(30 * 86_400);

/// Attempts to add a time to those of others, who may do the same at the same moment.
const ATTEMPTS: usize = 3;

/// Words that may wait to be written; they come from people's hands.
pub(crate) const WORDS: usize = 64;

/// The task.
#[derive(Debug)]
pub(crate) struct Hearsay {
    pub(crate) store: SharedStore,
    pub(crate) orders: mpsc::Sender<Order>,
    pub(crate) said: mpsc::Receiver<Said>,
    /// The last word on each subject that was said here or heard.
    pub(crate) heard: BTreeMap<Subject, Word>,
    /// Said here, and not in the store yet.
    pub(crate) unwritten: BTreeMap<Subject, Word>,
}

impl Hearsay {
    pub(crate) fn new(
        store: SharedStore,
        orders: mpsc::Sender<Order>,
        said: mpsc::Receiver<Said>,
    ) -> Self {
        Self { store, orders, said, heard: BTreeMap::new(), unwritten: BTreeMap::new() }
    }

    /// Speaks and listens until it is cancelled.
    pub(crate) async fn run(mut self, cancel: CancellationToken) {
        cancel.run_until_cancelled(self.talk()).await;
    }

    async fn talk(&mut self) {
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut look = 0_u32;
        loop {
            tokio::select! {
                said = self.said.recv() => match said {
                    Some(Said::Word(subject, told)) => self.say(subject, told).await,
                    Some(Said::Took(group, took)) => self.teach(&group, took).await,
                    None => return,
                },
                _ = looks.tick() => {
                    self.listen().await;
                    if look.is_multiple_of(LOOKS_A_LESSON) {
                        self.learn().await;
                    }
                    look = look.wrapping_add(1);
                }
            }
        }
    }

    async fn say(&mut self, subject: Subject, told: Told) {
        let word = Word::after(self.heard.get(&subject).copied(), told);
        self.heard.insert(subject.clone(), word);
        self.unwritten.insert(subject, word);
        self.write().await;
    }

    /// Whatever could not be written so far.
    async fn write(&mut self) {
        let waiting: Vec<(Subject, Word)> =
            self.unwritten.iter().map(|(subject, word)| (subject.clone(), *word)).collect();
        for (subject, word) in waiting {
            let key = Key::new(Kind::Mark, subject.to_string());
            if self.store.put(key, word.to_bytes(), STANDS).await.is_err() {
                return;
            }
            self.unwritten.remove(&subject);
        }
    }

    /// Takes over what was said elsewhere.
    async fn listen(&mut self) {
        self.write().await;
        let Ok(marks) = self.store.list(Kind::Mark).await else { return };
        let read =
            |(key, value): (Key, Bytes)| Some((Subject::parse(&key.id)?, Word::read(&value)?));
        let words: BTreeMap<Subject, Word> = marks.into_iter().filter_map(read).collect();
        for (subject, word) in &self.heard {
            let has_last = words.get(subject).is_some_and(|found| found.stamp >= word.stamp);
            if !has_last {
                self.unwritten.entry(subject.clone()).or_insert(*word);
            }
        }
        for (subject, word) in words {
            let is_news = self.heard.get(&subject).is_none_or(|last| last.stamp < word.stamp);
            if is_news && !self.unwritten.contains_key(&subject) {
                self.take_over(subject, word).await;
            }
        }
    }

    async fn take_over(&mut self, subject: Subject, word: Word) {
        // A backend that was never marked is active, a group that nobody steered is awake as it pleases.
        let is_news = word.is_news() || self.heard.contains_key(&subject);
        if is_news && !self.order(&subject, word).await {
            // The configuration does not name it (yet).
            return;
        }
        self.heard.insert(subject, word);
    }

    /// Whether the fold knows what it is about.
    async fn order(&self, subject: &Subject, word: Word) -> bool {
        match (subject, word.mark(), word.steer()) {
            (Subject::Backend(name), Some(mark), _) => {
                let (done, marked) = oneshot::channel();
                let order = Order::Mark { backend: name.to_string(), mark, done };
                let took = self.orders.send(order).await.is_ok();
                took && matches!(marked.await, Ok(Some(_)))
            }
            (Subject::Group(name), _, Some(steer)) => {
                let (done, steered) = oneshot::channel();
                let order = Order::Steer { group: name.to_string(), steer, done };
                let took = self.orders.send(order).await.is_ok();
                took && matches!(steered.await, Ok(Ok(_)))
            }
            _ => true,
        }
    }

    /// Adds a time to those that all know.
    async fn teach(&self, group: &Arc<str>, took: Duration) {
        let key = Key::new(Kind::Learned, Arc::clone(group));
        for _ in 0..ATTEMPTS {
            let Ok(found) = self.store.get(key.clone()).await else { return };
            let known = found.as_ref().map(|found| word::times(&found.value)).unwrap_or_default();
            let times = word::with(known, took);
            let written = self.store.replace(key.clone(), found.as_ref(), times, LEARNED).await;
            if written != Ok(false) {
                return;
            }
        }
    }

    async fn learn(&self) {
        let Ok(lessons) = self.store.list(Kind::Learned).await else { return };
        for (key, value) in lessons {
            let times = word::times(&value);
            if !times.is_empty() {
                // Fails only when the fold has ended, which is when the process does.
                let _ = self.orders.send(Order::Learn { group: key.id, times }).await;
            }
        }
    }
}
