//! The live counters: a small table that is drawn again in place on a terminal, and a line for each change elsewhere.

use std::{
    io::{self, Write},
    time::Duration,
};

use super::{
    counters::Counters,
    stage::{ASLEEP, ASLEEP_GROUP, AWAKE, AWAKE_GROUP},
};

/// Quick enough to see a query pass, slow enough to read.
const PACE: Duration = Duration::from_millis(500);
/// The table's lines, its heading included.
const LINES: usize = 3;

/// Where the counters are shown.
#[derive(Debug)]
pub(super) struct Board {
    in_place: bool,
    last: Option<[Row; 2]>,
}

/// One backend; in the demo each group has one, so the group's counts are the backend's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Row {
    backend: &'static str,
    group: &'static str,
    state: &'static str,
    in_flight: u64,
    waiting: u64,
    resumes: u64,
    done: u64,
    refused: u64,
}

impl Board {
    /// `in_place` needs a terminal.
    pub(super) fn new(in_place: bool) -> Self {
        Self { in_place, last: None }
    }

    /// How often to look.
    pub(super) fn pace(&self) -> Duration {
        PACE
    }

    /// Shows the counters if they have changed.
    pub(super) fn show(&mut self, counters: &Counters, out: &mut impl Write) -> io::Result<()> {
        let rows = [(AWAKE, AWAKE_GROUP), (ASLEEP, ASLEEP_GROUP)]
            .map(|(backend, group)| Row::of(counters, backend, group));
        let last = self.last.replace(rows);
        if last == Some(rows) {
            return Ok(());
        }
        if !self.in_place {
            return plain(rows, out);
        }
        if last.is_some() {
            // Back to the heading; each line is drawn over its predecessor.
            write!(out, "\x1b[{LINES}A")?;
        }
        table(rows, out)
    }
}

impl Row {
    fn of(counters: &Counters, backend: &'static str, group: &'static str) -> Self {
        Self {
            backend,
            group,
            state: state(counters, group),
            in_flight: counters.in_flight(group),
            waiting: counters.sum("gateway_resume_waiters", "routing_group", group),
            resumes: counters.resumes(group),
            done: counters.sum("gateway_queries_total", "routing_group", group),
            refused: counters.sum("gateway_503_total", "routing_group", group),
        }
    }
}

/// The gateway's word for the group's one backend, in the words of the story.
fn state(counters: &Counters, group: &str) -> &'static str {
    let words = [
        ("healthy", "awake"),
        ("resuming", "waking"),
        ("draining", "tired"),
        ("unhealthy", "ill"),
        ("inactive", "inactive"),
    ];
    let found = words.into_iter().find(|(state, _)| counters.is(group, state));
    found.map_or("asleep", |(_, word)| word)
}

fn table(rows: [Row; 2], out: &mut impl Write) -> io::Result<()> {
    const ERASE: &str = "\x1b[K";
    writeln!(
        out,
        "  {:<9}{:<8}{:<8}{:>10}{:>9}{:>9}{:>8}{:>9}{ERASE}",
        "backend", "group", "state", "in flight", "waiting", "resumes", "done", "refused"
    )?;
    for row in rows {
        writeln!(
            out,
            "  {:<9}{:<8}{:<8}{:>10}{:>9}{:>9}{:>8}{:>9}{ERASE}",
            row.backend,
            row.group,
            row.state,
            row.in_flight,
            row.waiting,
            row.resumes,
            row.done,
            row.refused
        )?;
    }
    out.flush()
}

fn plain(rows: [Row; 2], out: &mut impl Write) -> io::Result<()> {
    let words = rows.map(|row| {
        let Row { backend, state, in_flight, waiting, resumes, done, refused, .. } = row;
        format!(
            "{backend} {state}: in flight {in_flight}, waiting {waiting}, resumes {resumes}, done {done}, refused {refused}"
        )
    });
    writeln!(out, "  {}", words.join("  |  "))?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(board: &mut Board) -> String {
        let mut out = Vec::new();
        board.show(&Counters::default(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_is_said_once_and_a_table_as_long_as_it_claims() {
        let mut plain = Board::new(false);
        assert!(shown(&mut plain).contains("trino-b asleep: in flight 0, waiting 0"));
        assert_eq!(shown(&mut plain), "");
        assert_eq!(shown(&mut Board::new(true)).lines().count(), LINES);
    }
}
