//! What happened lately, for people: a bounded list of events behind `/api/v1/events`.
//!
//! An event is told once, where it happens, beside its line in the log; it is counted (`gateway_events_total`) and kept
//! until newer ones push it out. Only the control plane tells events, so that a plain lock does. Nothing here decides
//! what is an event, and no query has one: those have their own list.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;

use crate::metrics::{EventName, EventType, Metrics};

/// Events that are kept: at 226 groups that all wake at once, still the whole story of each.
const KEPT: usize = 1000;

/// Characters of a message; a file with a hundred mistakes shall not fill the list's memory.
const LONGEST: usize = 1000;

/// Something that happened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// Whether an operator should look.
    pub kind: EventType,
    /// What.
    pub name: EventName,
    /// To whom.
    pub routing_group: Option<Box<str>>,
    /// To which of its backends.
    pub backend: Option<Box<str>>,
    /// In words.
    pub message: Box<str>,
}

impl Event {
    /// Part of the gateway's life.
    pub fn normal(name: EventName, message: &str) -> Self {
        Self::now(EventType::Normal, name, message)
    }

    /// Somebody should look.
    pub fn warning(name: EventName, message: &str) -> Self {
        Self::now(EventType::Warning, name, message)
    }

    /// One of the two.
    pub fn now(kind: EventType, name: EventName, message: &str) -> Self {
        let message = message.chars().take(LONGEST).collect::<String>().into();
        Self { at: Timestamp::now(), kind, name, routing_group: None, backend: None, message }
    }

    /// It happened to that backend of that group.
    #[must_use]
    pub fn of(self, routing_group: &str, backend: &str) -> Self {
        Self { routing_group: Some(routing_group.into()), backend: Some(backend.into()), ..self }
    }
}

/// The list; clones are the same one.
#[derive(Clone, Debug)]
pub struct Events {
    metrics: Arc<Metrics>,
    kept: Arc<Mutex<VecDeque<Arc<Event>>>>,
}

impl Events {
    /// An empty list whose events are counted there.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics, kept: Arc::default() }
    }

    /// Counts and keeps it; the oldest goes if there are too many.
    pub fn tell(&self, event: Event) {
        self.metrics.event(event.name, event.kind);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.truncate(KEPT.saturating_sub(1));
        kept.push_front(Arc::new(event));
    }

    /// Those that are wanted, the newest first.
    pub fn newest(&self, wanted: impl Fn(&Event) -> bool) -> Vec<Arc<Event>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().filter(|event| wanted(event)).cloned().collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn events() -> Events {
        Events::new(Metrics::new().unwrap())
    }

    #[test]
    fn the_newest_comes_first_and_the_oldest_goes() {
        let events = events();
        for number in 0..KEPT + 5 {
            events.tell(Event::normal(EventName::ConfigReloaded, &number.to_string()));
        }
        let kept = events.newest(|_| true);
        assert_eq!(kept.len(), KEPT);
        assert_eq!(*kept[0].message, (KEPT + 4).to_string());
        assert_eq!(*kept[KEPT - 1].message, *"5");
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let event = Event::warning(EventName::ConfigRejected, &"ü".repeat(LONGEST + 1));
        assert_eq!(event.message.chars().count(), LONGEST);
    }

    #[test]
    fn only_what_is_wanted_is_told() {
        let events = events();
        events.tell(Event::warning(EventName::CircuitOpened, "x").of("etl", "a"));
        events.tell(Event::normal(EventName::ConfigReloaded, "y"));
        let of_etl = events.newest(|event| event.routing_group.as_deref() == Some("etl"));
        assert_eq!(of_etl.len(), 1);
        assert_eq!(of_etl[0].backend.as_deref(), Some("a"));
        assert_eq!(events.newest(|event| event.kind == EventType::Normal).len(), 1);
    }
}
