//! What a page says about its query, read in passing while the bytes stream by.
//!
//! A [`Scanner`] is fed the pieces of an uncompressed page, split anywhere, and stops as soon as nothing further
//! matters: at `data` or `stats.state` of a page that has a `nextUri`; at the end of one that has none, since only
//! then is it known that the query ended, and how. It keeps a few hundred bytes whatever the page is, never allocates
//! in step with it, and never panics. It does not check the JSON that it steps over, nor keep a single row.

mod skip;
mod slot;
mod text;
mod walk;
mod words;

use sluice_routing::ids::QueryId;

pub(crate) use skip::take_text;
pub(crate) use slot::Slot;
pub(crate) use text::{escape, unescape};
pub(crate) use walk::Event;
use walk::Walk;
pub use words::{ErrorType, State};

/// The longest `errorName` that is kept, in bytes; Trino's longest has about 50.
const LONGEST_NAME: usize = 128;
/// Stands where an error has no `errorName`.
const UNNAMED: &str = "UNKNOWN";

/// What is known of a page so far.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Head {
    /// The query's id, if it has the shape of one.
    pub id: Option<QueryId>,
    /// Where the next page is, unescaped; also absent when longer than 8 KiB. Holds the slug: never to be logged.
    pub next_uri: Option<String>,
    /// `stats.state`; RUNNING for a page that has `data` and `nextUri`.
    pub state: Option<State>,
    /// Whether `data` (not null) was reached.
    pub has_data: bool,
    /// The error of a failed query; complete once the verdict is [`Verdict::Final`].
    pub error: Option<PageError>,
    /// What the page means for its query.
    pub verdict: Verdict,
}

/// What a page means for its query.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Verdict {
    /// Not enough was seen.
    #[default]
    Undecided,
    /// There is a `nextUri`: the query goes on.
    Continues,
    /// The page closed without one: the query ended.
    Final,
    /// No page of Trino's, a broken or a cut-off one: nothing can be said.
    NotAPage,
}

/// How a query failed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PageError {
    /// `errorName`, such as `SYNTAX_ERROR`; `UNKNOWN` when there is none.
    pub name: String,
    /// `errorType`.
    pub kind: ErrorType,
    /// `errorCode`; 0 when there is none.
    pub code: i64,
}

/// Reads the head of an uncompressed page, piece by piece.
#[derive(Debug)]
pub struct Scanner {
    walk: Walk,
    head: Head,
    done: bool,
    /// An `id` was there, of whatever shape.
    id_seen: bool,
    /// `columns`, `data`, `stats` or `error` was reached before any `nextUri`.
    past_next_uri: bool,
    /// Anything that only a page of Trino's has was seen.
    looks_like_a_page: bool,
}

impl Default for Scanner {
    fn default() -> Self {
        Self::new()
    }
}

impl Scanner {
    /// A scanner before the first byte.
    pub fn new() -> Self {
        Self::with(Walk::new(false))
    }

    /// A scanner whose walk also looks into the segments of `data`.
    pub(crate) fn into_segments() -> Self {
        Self::with(Walk::new(true))
    }

    fn with(walk: Walk) -> Self {
        Self {
            walk,
            head: Head::default(),
            done: false,
            id_seen: false,
            past_next_uri: false,
            looks_like_a_page: false,
        }
    }

    /// Reads the next piece of the page, or nothing if [`Scanner::done`].
    pub fn feed(&mut self, mut piece: &[u8]) {
        while !self.done && self.step(&mut piece).is_some() {}
    }

    /// What is known so far.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Whether nothing further can matter.
    pub fn done(&self) -> bool {
        self.done
    }

    /// Whether the place where Trino puts `nextUri` was passed without one: most likely the query's last page.
    pub fn past_next_uri(&self) -> bool {
        self.past_next_uri
    }

    /// The body ended: a page that had not closed by then is none.
    pub fn finish(&mut self) {
        if self.head.verdict == Verdict::Undecided {
            self.head.verdict = Verdict::NotAPage;
        }
        self.done = true;
    }

    /// One event of the walk, noted in the head; the walk may go on after [`Scanner::done`].
    pub(crate) fn step(&mut self, input: &mut &[u8]) -> Option<Event> {
        let event = self.walk.next(input)?;
        self.note(event);
        self.done = self.done || self.settled();
        Some(event)
    }

    /// The raw text of the last [`Event::Read`].
    pub(crate) fn text(&self) -> &[u8] {
        self.walk.text()
    }

    fn note(&mut self, event: Event) {
        match event {
            Event::Read(slot) => self.note_text(slot),
            Event::TooLong(slot) => self.note_unreadable(slot),
            Event::Reached(slot) => self.note_reached(slot),
            Event::Closed => self.note_closed(),
            Event::Broken => self.finish(),
            Event::Began(_) => {}
        }
    }

    /// Of a key that comes twice the first counts: by the second, others have acted on it.
    fn note_text(&mut self, slot: Slot) {
        let Some(text) = unescape(self.walk.text()) else { return self.note_unreadable(slot) };
        match slot {
            Slot::Id if !self.id_seen => {
                self.id_seen = true;
                self.looks_like_a_page = true;
                self.head.id = QueryId::parse(&text);
            }
            Slot::NextUri if self.head.verdict == Verdict::Undecided && !text.is_empty() => {
                self.head.next_uri = Some(text.into_owned());
                self.note_continues();
            }
            Slot::State if self.head.state.is_none() => self.head.state = Some(State::of(&text)),
            Slot::ErrorName | Slot::ErrorType | Slot::ErrorCode => {
                self.head.error.get_or_insert_with(PageError::unnamed).note(slot, &text);
            }
            _ => {}
        }
    }

    /// A text that is too long or no text is still there: a page with such a `nextUri` is not the last.
    fn note_unreadable(&mut self, slot: Slot) {
        match slot {
            Slot::Id => self.id_seen = true,
            Slot::NextUri => self.note_continues(),
            _ => {}
        }
    }

    fn note_continues(&mut self) {
        self.head.verdict = Verdict::Continues;
        self.count_as_running();
    }

    fn note_reached(&mut self, slot: Slot) {
        match slot {
            Slot::Data => self.head.has_data = true,
            Slot::Error => {
                self.looks_like_a_page = true;
                self.head.error.get_or_insert_with(PageError::unnamed);
            }
            Slot::Stats => self.looks_like_a_page = true,
            _ => {}
        }
        self.past_next_uri |= self.head.verdict == Verdict::Undecided;
        self.count_as_running();
    }

    fn note_closed(&mut self) {
        if self.head.verdict == Verdict::Undecided {
            self.head.verdict =
                if self.looks_like_a_page { Verdict::Final } else { Verdict::NotAPage };
        }
        self.done = true;
    }

    fn count_as_running(&mut self) {
        if self.head.has_data && self.head.verdict == Verdict::Continues {
            self.head.state.get_or_insert(State::Running);
        }
    }

    fn settled(&self) -> bool {
        match self.head.verdict {
            Verdict::Undecided => false,
            Verdict::Continues => self.id_seen && self.head.state.is_some(),
            Verdict::Final | Verdict::NotAPage => true,
        }
    }
}

impl PageError {
    fn unnamed() -> Self {
        Self { name: UNNAMED.to_owned(), kind: ErrorType::Unknown, code: 0 }
    }

    fn note(&mut self, slot: Slot, text: &str) {
        match slot {
            Slot::ErrorName if self.name == UNNAMED && (1..=LONGEST_NAME).contains(&text.len()) => {
                text.clone_into(&mut self.name);
            }
            Slot::ErrorType if self.kind == ErrorType::Unknown => self.kind = ErrorType::of(text),
            Slot::ErrorCode if self.code == 0 => self.code = text.parse().unwrap_or(0),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
