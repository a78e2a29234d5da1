//! What is wrong with a file, in words that say where and what would be right.
//!
//! A problem never quotes a value that came out of the environment, nor one that may be a secret.

use std::fmt;

use crate::config::tree::Node;

/// How many problems [`Problems::summary`] names; the rest is counted.
const SUMMARY: usize = 3;

/// One mistake.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// Counted from 1; 0 where the file could not be read at all.
    pub line: u32,
    /// Counted from 1, in characters; 0 where the file could not be read at all.
    pub column: u32,
    /// Where in the file's structure, such as `routingGroups[1].backends[0].url`; empty for the file itself.
    pub path: String,
    /// What is wrong.
    pub what: String,
    /// What would be right; may be empty where `what` says it.
    pub allowed: String,
}

impl Problem {
    /// A problem at the place of a node.
    pub(crate) fn at(
        node: &Node,
        path: String,
        what: impl Into<String>,
        allowed: impl Into<String>,
    ) -> Self {
        let (line, column) = (node.line, node.column);
        Self { line, column, path, what: what.into(), allowed: allowed.into() }
    }
}

/// `12:5: routingGroups[1].name: what is wrong (allowed: what is right)`, without the file's name.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "{}:{}: ", self.line, self.column)?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.what)?;
        if !self.allowed.is_empty() {
            write!(f, " (allowed: {})", self.allowed)?;
        }
        Ok(())
    }
}

/// Everything that is wrong with one file, in the order of its lines; never empty.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub struct Problems {
    file: String,
    unreadable: bool,
    list: Vec<Problem>,
}

impl Problems {
    pub(crate) fn new(file: String, mut list: Vec<Problem>) -> Self {
        list.sort_by_key(|problem| (problem.line, problem.column));
        list.dedup();
        Self { file, unreadable: false, list }
    }

    /// The file is not there, or cannot be read as text.
    pub(crate) fn unreadable(file: String, problem: Problem) -> Self {
        Self { file, unreadable: true, list: vec![problem] }
    }

    /// Whether the bytes themselves could not be had, so that trying again may help.
    pub fn is_unreadable(&self) -> bool {
        self.unreadable
    }

    /// Each problem, in the order of the file's lines.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Problem> {
        self.list.iter()
    }

    /// The first few problems in one line, for a log and for the status page.
    pub fn summary(&self) -> String {
        let first: Vec<String> = self.lines().take(SUMMARY).collect();
        let more = self.list.len().saturating_sub(SUMMARY);
        match more {
            0 => first.join("; "),
            more => format!("{}; and {more} more", first.join("; ")),
        }
    }

    fn lines(&self) -> impl Iterator<Item = String> + '_ {
        self.list.iter().map(|problem| {
            let space = if problem.line > 0 { "" } else { " " };
            format!("{}:{space}{problem}", self.file)
        })
    }
}

/// One line a problem: `sluice.yaml:12:5: routingGroups[1].name: …`.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, line) in self.lines().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            f.write_str(&line)?;
        }
        Ok(())
    }
}
