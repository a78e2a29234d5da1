//! What a profile holds: stacks with names, and how often each was seen.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use pprof::{Frames, UnresolvedReport};

/// A profile with names.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Each once.
    pub stacks: Vec<Stack>,
    /// When it began.
    pub began: SystemTime,
    /// For how long the process was watched.
    pub took: Duration,
    /// CPU time between two looks.
    pub period: Duration,
}

/// A stack of one thread.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Stack {
    /// The thread's name.
    pub thread: String,
    /// Where it was: the innermost function first.
    pub frames: Vec<Frame>,
    /// How often it was seen there.
    pub count: u64,
}

/// A function on the stack.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Frame {
    /// Its name, for people.
    pub function: String,
    /// Its source, where it is known.
    pub file: String,
    /// The line in it; 0 where it is not known.
    pub line: u32,
}

impl Profile {
    /// Finds the names; threads of one name count as one.
    pub(super) fn of(report: UnresolvedReport) -> Self {
        let timing = report.timing;
        let mut counts: BTreeMap<(String, Vec<Frame>), u64> = BTreeMap::new();
        for (stack, count) in report.data {
            let stack = Frames::from(stack);
            let symbols = stack.frames.iter().flatten();
            let frames: Vec<Frame> = symbols
                .map(|symbol| Frame {
                    function: symbol.name(),
                    file: symbol.filename().into_owned(),
                    line: symbol.lineno(),
                })
                .collect();
            let seen = counts.entry((stack.thread_name_or_id(), frames)).or_default();
            *seen += u64::try_from(count).unwrap_or_default();
        }
        let stacks = counts
            .into_iter()
            .map(|((thread, frames), count)| Stack { thread, frames, count })
            .collect();
        let hertz = u32::try_from(timing.frequency).unwrap_or(1).max(1);
        Self {
            stacks,
            began: timing.start_time,
            took: timing.duration,
            period: Duration::from_secs(1) / hertz,
        }
    }

    /// How often anything was seen.
    pub fn total(&self) -> u64 {
        self.stacks.iter().map(|stack| stack.count).sum()
    }
}
