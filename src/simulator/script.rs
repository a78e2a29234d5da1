//! What a statement asks the simulator to play: the directives in its comments.
//!
//! Any client can drive the simulator, because the script travels in the SQL text, in comments that a real Trino
//! ignores:
//!
//! ```text
//! SELECT 1 /* sim: pages=3 rows=1000 pace=10ms queued=2 running=500ms ending=fail:EXCEEDED_TIME_LIMIT */
//! ```
//!
//! | directive | meaning | default |
//! | --- | --- | --- |
//! | `pages=N` | data pages | 1 |
//! | `rows=N` | rows of each page, numbered through the whole result: `[n,"row n"]` | the statement's own |
//! | `bytes=N` | about so many bytes of data in each page, of one prebuilt block of equal rows (`64KiB`, `1MiB` too) | – |
//! | `pace=D` | time between two pages | 0 |
//! | `queued=N` or `queued=D` | polls, or time, that find the query QUEUED | 1 |
//! | `waiting=N` or `waiting=D` | the same in WAITING_FOR_RESOURCES, which the pages call QUEUED too | 0 |
//! | `running=N` or `running=D` | executing polls, or time, without data | 1 |
//! | `finishing=N` | pages between the data and the end: FINISHED already, but with a nextUri | 1 |
//! | `ending=…` | what comes after the pages, see below | `finish` |
//! | `at=post`, `at=queued`, `at=N` | the ending comes at the POST, at the first poll, or instead of data page N (from 0) | after the pages |
//! | `times=N` | a fault (below) comes so many times, then the query goes on without it | for ever |
//! | `header=Name:value` | a response header of every page (repeatable) | – |
//! | `inline` | spooled results come as inline segments | – |
//!
//! | ending | what the client sees |
//! | --- | --- |
//! | `finish` | the last page, `FINISHED` |
//! | `fail:NAME` | the last page, `FAILED` with that error of Trino's |
//! | `hang` | empty RUNNING pages, one a second, for ever |
//! | `status:CODE` | a fault: that status with a line of text (and `Retry-After: 1` on 429 and 503) |
//! | `die`, `die:head`, `die:page` | a fault: the connection is reset before, within, or after the answer's head |
//! | `truncate` | a fault: the page breaks off in its data, without reset, as Trino's own failures do |
//! | `stall`, `stall:page` | a fault: no answer, or half a page and then nothing |
//! | `garbage` | a fault: 200 with a body that is no JSON |
//! | `endless` | a fault: 200 with a head that never comes to `nextUri` (8 MiB) |
//! | `notgzip` | a fault: a plain body that calls itself gzip |
//! | `bomb` | a fault: 64 KiB of gzip that inflate to 64 MiB inside the head |
//!
//! A statement that returns no rows goes without `queued`, `running` and `finishing` pages unless it asks for them.
//! A directive that is none fails the query in words, as a syntax error would.

use std::time::Duration;

use http::{HeaderName, HeaderValue};

/// How long a phase of a query lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// So many polls find it.
    Polls(u32),
    /// It takes so long, however often it is polled.
    Time(Duration),
}

/// Where an ending comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    Post,
    Queued,
    /// Instead of the data page of that number, from 0.
    Page(u64),
    AfterPages,
}

/// What ends the query, or interrupts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Finish,
    Fail(String),
    Hang,
    Fault(Fault),
}

/// An answer that no healthy coordinator gives; it does not advance the query, so it can be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Status(u16),
    DieBefore,
    DieInHead,
    DieInPage,
    Truncate,
    Stall,
    StallInPage,
    Garbage,
    Endless,
    NotGzip,
    Bomb,
}

/// The parsed directives of one statement.
#[derive(Clone, Debug)]
pub(super) struct Script {
    pub(super) pages: u64,
    pub(super) rows: Option<u64>,
    pub(super) bytes: Option<u64>,
    pub(super) pace: Duration,
    pub(super) queued: Option<Length>,
    pub(super) waiting: Length,
    pub(super) running: Option<Length>,
    pub(super) finishing: Option<u32>,
    pub(super) ending: Ending,
    pub(super) at: Moment,
    pub(super) times: u32,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) inline: bool,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            pages: 1,
            rows: None,
            bytes: None,
            pace: Duration::ZERO,
            queued: None,
            waiting: Length::Polls(0),
            running: None,
            finishing: None,
            ending: Ending::Finish,
            at: Moment::AfterPages,
            times: u32::MAX,
            headers: Vec::new(),
            inline: false,
        }
    }
}

impl Script {
    /// Reads every `sim:` comment of a statement; an `Err` says in words which directive is none.
    pub(super) fn parse(sql: &str) -> Result<Self, String> {
        let mut script = Self::default();
        for comment in comments(sql) {
            let Some(directives) = comment.trim().strip_prefix("sim:") else { continue };
            for directive in directives.split_whitespace() {
                script.read(directive).ok_or_else(|| format!("no such directive: {directive}"))?;
            }
        }
        Ok(script)
    }

    /// The fault that the script plays at that moment, if it plays one there.
    pub(super) fn fault_at(&self, moment: Moment) -> Option<Fault> {
        match self.ending {
            Ending::Fault(fault) if self.at == moment => Some(fault),
            _ => None,
        }
    }

    fn read(&mut self, directive: &str) -> Option<()> {
        let (key, value) = directive.split_once('=').unwrap_or((directive, ""));
        match key {
            "pages" => self.pages = value.parse().ok()?,
            "rows" => self.rows = Some(value.parse().ok()?),
            "bytes" => self.bytes = Some(size(value)?),
            "pace" => self.pace = duration(value)?,
            "queued" => self.queued = Some(length(value)?),
            "waiting" => self.waiting = length(value)?,
            "running" => self.running = Some(length(value)?),
            "finishing" => self.finishing = Some(value.parse().ok()?),
            "ending" => self.ending = ending(value)?,
            "at" => self.at = moment(value)?,
            "times" => self.times = value.parse().ok()?,
            "header" => self.headers.push(header(value)?),
            "inline" => self.inline = true,
            _ => return None,
        }
        Some(())
    }
}

fn ending(value: &str) -> Option<Ending> {
    let (word, detail) = value.split_once(':').unwrap_or((value, ""));
    let fault = match (word, detail) {
        ("finish", "") => return Some(Ending::Finish),
        ("hang", "") => return Some(Ending::Hang),
        ("fail", name) => {
            return super::failure::is_known(name).then(|| Ending::Fail(name.to_owned()));
        }
        ("status", code) => {
            Fault::Status(code.parse().ok().filter(|code| (200..600).contains(code))?)
        }
        ("die", "") => Fault::DieBefore,
        ("die", "head") => Fault::DieInHead,
        ("die", "page") => Fault::DieInPage,
        ("truncate", "") => Fault::Truncate,
        ("stall", "") => Fault::Stall,
        ("stall", "page") => Fault::StallInPage,
        ("garbage", "") => Fault::Garbage,
        ("endless", "") => Fault::Endless,
        ("notgzip", "") => Fault::NotGzip,
        ("bomb", "") => Fault::Bomb,
        _ => return None,
    };
    Some(Ending::Fault(fault))
}

fn moment(value: &str) -> Option<Moment> {
    Some(match value {
        "post" => Moment::Post,
        "queued" => Moment::Queued,
        page => Moment::Page(page.parse().ok()?),
    })
}

fn length(value: &str) -> Option<Length> {
    match value.parse() {
        Ok(polls) => Some(Length::Polls(polls)),
        Err(_) => duration(value).map(Length::Time),
    }
}

fn header(value: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = value.split_once(':')?;
    Some((name.parse().ok()?, HeaderValue::from_str(value).ok()?))
}

/// Reads `250ms`, `3s`, `2m`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let unit = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit);
    let number: u64 = number.parse().ok()?;
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_secs(number.checked_mul(60)?)),
        _ => None,
    }
}

/// Reads `1000`, `64KiB`, `16MiB`.
fn size(text: &str) -> Option<u64> {
    let unit = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit);
    let factor = match unit {
        "" => 1,
        "KiB" => 1024,
        "MiB" => 1024 * 1024,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// The texts between `/*` and `*/`. String literals are not looked at: only a test would write a directive into one.
fn comments(sql: &str) -> impl Iterator<Item = &str> {
    sql.split("/*").skip(1).map(|rest| rest.split("*/").next().unwrap_or(rest))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_directive_is_read() {
        let sql = "SELECT 1 /* sim: pages=3 bytes=64KiB pace=10ms queued=2 running=3s \
                   ending=status:503 times=1 at=2 header=X-A:b inline */";
        let script = Script::parse(sql).unwrap();
        assert_eq!(script.pages, 3);
        assert_eq!(script.bytes, Some(65536));
        assert_eq!(script.pace, Duration::from_millis(10));
        assert_eq!(script.queued, Some(Length::Polls(2)));
        assert_eq!(script.running, Some(Length::Time(Duration::from_secs(3))));
        assert_eq!(script.fault_at(Moment::Page(2)), Some(Fault::Status(503)));
        assert_eq!(script.fault_at(Moment::Post), None);
        assert!(script.inline);
        assert_eq!(script.headers.len(), 1);
    }

    #[test]
    fn a_wrong_directive_is_named() {
        let words = Script::parse("SELECT 1 /* sim: pages=many */").unwrap_err();
        assert_eq!(words, "no such directive: pages=many");
        assert!(Script::parse("SELECT 1 /* sim: ending=fail:NO_SUCH_ERROR */").is_err());
        assert!(Script::parse("SELECT 1 /* sim: ending=status:99999 */").is_err());
        assert!(Script::parse("SELECT 1 /* a comment of somebody's */ -- sim: x").is_ok());
    }
}
