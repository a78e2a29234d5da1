//! What a replica says of itself to the others, and how that is written down.
//!
//! One value for each process, written anew every 200 ms: its share of each group's demand, and which queries it took
//! over from others or let others have. Numbers only; whose value is the last one is told by the sequence.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

/// One life of one replica: drawn when the process starts, so that a restarted one is somebody else.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Incarnation(u64);

/// What a replica says of itself.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Report {
    /// Whose it is.
    pub(super) incarnation: Incarnation,
    /// Grows with each report.
    pub(super) sequence: u64,
    /// It takes no new queries, and those that it has may be taken over.
    pub(super) leaving: bool,
    /// Its share of each group.
    pub(super) groups: BTreeMap<Box<str>, Share>,
    /// What it took over from others, since it lives.
    pub(super) adopted: Moves,
    /// What it let others have, since it lives.
    pub(super) let_go: Moves,
}

/// How many moved between this replica and another one, by that one and by group.
pub(super) type Moves = BTreeMap<Incarnation, BTreeMap<Box<str>, Moved>>;

/// The share of one replica in a group.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Share {
    /// No coordinator has answered yet.
    pub(super) resuming: u64,
    /// `QUEUED` and `WAITING_FOR_RESOURCES`.
    pub(super) queued: u64,
    /// The rest of its living queries.
    pub(super) running: u64,
    /// Of the running: at work.
    pub(super) at_work: u64,
    /// Of all of them: what is demand.
    pub(super) living: u64,
    /// For so many milliseconds a refused statement is demand still.
    pub(super) unmet: u64,
    /// For so many milliseconds the last query is.
    pub(super) linger: u64,
    /// So many milliseconds ago a query was last seen at work.
    pub(super) ran: Option<u64>,
}

/// How many moved.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Moved {
    /// Queries that a coordinator has.
    pub(super) queries: u64,
    /// Statements that wait.
    pub(super) waiting: u64,
}

impl Incarnation {
    /// Draws one; a process does so once.
    pub fn draw() -> Self {
        let mut drawn = [0_u8; 8];
        if getrandom::fill(&mut drawn).is_err() {
            // It tells lives apart and keeps no secret: any source of chance will do.
            fastrand::fill(&mut drawn);
        }
        Self(u64::from_be_bytes(drawn))
    }

    /// Reads what `Display` wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let is_hex = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        u64::from_str_radix(text, 16).ok().filter(|_| is_hex).map(Self)
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl From<Incarnation> for String {
    fn from(incarnation: Incarnation) -> Self {
        incarnation.to_string()
    }
}

impl TryFrom<String> for Incarnation {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("no incarnation")
    }
}

impl Moved {
    /// One more.
    pub(super) fn count(&mut self, is_waiting: bool) {
        let which = if is_waiting { &mut self.waiting } else { &mut self.queries };
        *which = which.saturating_add(1);
    }
}

/// How many of a group moved to or from that one.
pub(super) fn moved(moves: &Moves, with: Incarnation, group: &str) -> Moved {
    moves.get(&with).and_then(|groups| groups.get(group)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_as_it_was_written() {
        let (me, other) = (Incarnation::draw(), Incarnation(7));
        let share = Share { running: 3, living: 3, ran: Some(5), ..Share::default() };
        let moved = BTreeMap::from([("adhoc".into(), Moved { queries: 2, waiting: 1 })]);
        let report = Report {
            incarnation: me,
            sequence: 9,
            leaving: true,
            groups: BTreeMap::from([("adhoc".into(), share)]),
            adopted: BTreeMap::from([(other, moved)]),
            let_go: Moves::new(),
        };
        let written = serde_json::to_vec(&report).unwrap();
        assert_eq!(serde_json::from_slice::<Report>(&written).unwrap(), report);
        assert_eq!(Incarnation::parse(&me.to_string()), Some(me));
        assert_eq!(other.to_string(), "0000000000000007");
        assert!(
            Incarnation::parse("7").is_none() && Incarnation::parse("+000000000000007").is_none()
        );
    }
}
