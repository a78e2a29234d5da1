//! What is said of a backend or a group, as it stands in the store.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use crate::{
    backends::{fold::Steer, resume::learned::REMEMBERED},
    snapshot::Mark,
};

/// What this replica has to say.
#[derive(Debug)]
pub(crate) enum Said {
    /// An operator's word.
    Word(Subject, Told),
    /// A cold start of that group took so long.
    Took(Arc<str>, Duration),
}

/// What a word is about.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Subject {
    Backend(Arc<str>),
    Group(Arc<str>),
}

impl Subject {
    /// The subject of a key; `None` if it is none of ours.
    pub(crate) fn parse(id: &str) -> Option<Self> {
        match id.split_once(':')? {
            ("backend", name) => Some(Self::Backend(name.into())),
            ("group", name) => Some(Self::Group(name.into())),
            _ => None,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Backend(name) => write!(f, "backend:{name}"),
            Self::Group(name) => write!(f, "group:{name}"),
        }
    }
}

/// An operator's word.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Told {
    /// Of a backend.
    Active,
    /// Of a backend.
    Draining,
    /// Of a backend.
    Inactive,
    /// Of a group: it is held down.
    Asleep,
    /// Of a group: it is no longer held down, and is woken.
    Awake,
}

impl From<Mark> for Told {
    fn from(mark: Mark) -> Self {
        match mark {
            Mark::Active => Self::Active,
            Mark::Draining => Self::Draining,
            Mark::Inactive => Self::Inactive,
        }
    }
}

/// Bits of a stamp that tell apart what two replicas say within one millisecond; the others hold the time until the year 2500.
const CHANCE: u32 = 20;

/// A word with a stamp of its own, so that the same one said twice is two, and the later one has the higher stamp.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Word {
    pub(crate) stamp: u64,
    told: Told,
}

impl Word {
    /// A word that is said now, later than what was heard before, whatever the clocks of other replicas say.
    pub(crate) fn after(last: Option<Self>, told: Told) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let millis = u64::try_from(now.as_millis()).unwrap_or_default();
        let stamp = millis << CHANCE | fastrand::u64(..1 << CHANCE);
        let least = last.map_or(0, |last| last.stamp.saturating_add(1));
        Self { stamp: stamp.max(least), told }
    }

    /// A word that stands in the store; `None` if it cannot be read.
    pub(crate) fn read(value: &[u8]) -> Option<Self> {
        serde_json::from_slice(value).ok()
    }

    pub(crate) fn to_bytes(self) -> Vec<u8> {
        serde_json::to_vec(&self).unwrap_or_default()
    }

    /// What it says of a backend.
    pub(crate) fn mark(self) -> Option<Mark> {
        match self.told {
            Told::Active => Some(Mark::Active),
            Told::Draining => Some(Mark::Draining),
            Told::Inactive => Some(Mark::Inactive),
            Told::Asleep | Told::Awake => None,
        }
    }

    /// What it says of a group.
    pub(crate) fn steer(self) -> Option<Steer> {
        match self.told {
            Told::Asleep => Some(Steer::AsleepElsewhere),
            Told::Awake => Some(Steer::Awake),
            Told::Active | Told::Draining | Told::Inactive => None,
        }
    }

    /// Whether it changes anything for who has heard nothing before.
    pub(crate) fn is_news(self) -> bool {
        !matches!(self.told, Told::Active | Told::Awake)
    }
}

/// The times that stand in the store; none if they cannot be read.
pub(crate) fn times(value: &[u8]) -> Vec<Duration> {
    let millis: Vec<u64> = serde_json::from_slice(value).unwrap_or_default();
    millis.into_iter().map(Duration::from_millis).collect()
}

/// The last of them with one more, as they stand in the store.
pub(crate) fn with(mut times: Vec<Duration>, took: Duration) -> Vec<u8> {
    times.push(took);
    let over = times.len().saturating_sub(REMEMBERED);
    let millis: Vec<u64> = times
        .iter()
        .skip(over)
        .map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
        .collect();
    serde_json::to_vec(&millis).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_as_they_were_said_and_nothing_else_is_one() {
        let word = Word::after(None, Told::Draining);
        assert_eq!(Word::read(&word.to_bytes()), Some(word));
        let clock_ahead = Word { stamp: word.stamp + (3_600_000 << CHANCE), ..word };
        for last in [word, clock_ahead] {
            assert!(Word::after(Some(last), Told::Draining).stamp > last.stamp, "{last:?}");
        }
        for wrong in ["", "{}", "\"draining\"", "{\"stamp\":1,\"told\":\"gone\"}"] {
            assert_eq!(Word::read(wrong.as_bytes()), None, "{wrong}");
        }
        for subject in [Subject::Backend("a".into()), Subject::Group("team-a--x:y".into())] {
            assert_eq!(Subject::parse(&subject.to_string()), Some(subject));
        }
        assert_eq!(Subject::parse("other:a"), None);
    }

    #[test]
    fn the_last_times_are_kept() {
        let mut value = Vec::new();
        for second in 1..=30 {
            value = with(times(&value), Duration::from_secs(second));
        }
        let kept = times(&value);
        assert_eq!((kept.len(), kept[0]), (REMEMBERED, Duration::from_secs(11)));
        assert!(times(b"what").is_empty());
    }
}
