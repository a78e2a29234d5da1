//! The walk over a page's JSON: bytes in, the few events that matter out, split anywhere.
//!
//! A state machine over the top-level keys, and over the keys inside `stats`, `error` and (only when asked) the
//! segments of `data`. Every other value is skipped. Text is held for watched strings only, at most `LONGEST_URI`
//! bytes of one at a time. It is lenient: what it steps over is not checked, since the page is not ours to judge.

use crate::trino::head::skip::{Skip, take_plain_text, take_text};
use crate::trino::head::slot::{Object, Slot, Watch};

/// The longest URI that is read or patched: above Jetty's own limit for a request line (8 KiB), no client could send it.
pub(crate) const LONGEST_URI: usize = 8 * 1024;
/// Room for most URIs of a page.
const USUAL_URI: usize = 192;
/// No key that matters is as long, even with each character written as an escape.
const LONGEST_KEY: usize = 96;
/// More digits than a number of 64 bits has.
const LONGEST_NUMBER: usize = 32;
/// The UTF-8 byte order mark, which Jackson too lets pass.
const BYTE_ORDER_MARK: [u8; 3] = [0xEF, 0xBB, 0xBF];

/// What the walk came upon. Text is read with [`Walk::text`] until the next step.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Event {
    /// The opening quote of a watched string was taken.
    Began(Slot),
    /// A watched string (with its closing quote) or number was taken whole.
    Read(Slot),
    /// A watched string is longer than is ever held; the rest of it is skipped.
    TooLong(Slot),
    /// The first byte of a value whose presence matters was taken; null does not count.
    Reached(Slot),
    /// The page's own object ended.
    Closed,
    /// This is no JSON object.
    Broken,
}

/// Where in the grammar the next byte stands.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// Before the page; the number of bytes of a byte order mark taken.
    Start(usize),
    Key,
    InKey,
    Colon,
    Value,
    InText,
    InNumber,
    SkipWord,
    Skip(Skip),
    After,
    End,
}

/// What one move inside the grammar led to.
enum Move {
    On,
    Starved,
    Told(Event),
}

/// The state of the walk; its size does not depend on the page.
#[derive(Debug)]
pub(crate) struct Walk {
    place: Place,
    object: Object,
    slot: Slot,
    escaped: bool,
    text: Vec<u8>,
    /// Whether `data`, when it is an object, is looked into for segments.
    into_data: bool,
}

impl Walk {
    pub(crate) fn new(into_data: bool) -> Self {
        Self {
            place: Place::Start(0),
            object: Object::Page,
            slot: Slot::Other,
            escaped: false,
            text: Vec::with_capacity(USUAL_URI),
            into_data,
        }
    }

    /// The text of the last [`Event::Read`], as it stands in the page (escapes kept).
    pub(crate) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Bytes of memory that the walk holds beside itself.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.text.capacity()
    }

    /// Takes bytes from `input` up to the next event; `None` when they are used up or nothing more can come.
    pub(crate) fn next(&mut self, input: &mut &[u8]) -> Option<Event> {
        loop {
            let step = match self.place {
                Place::Start(mark) => self.start(mark, input),
                Place::Key => self.key(input),
                Place::InKey => self.in_key(input),
                Place::Colon => self.colon(input),
                Place::Value => self.value(input),
                Place::InText => self.in_text(input),
                Place::InNumber => self.in_number(input),
                Place::SkipWord => self.skip_word(input),
                Place::Skip(skip) => self.skip(skip, input),
                Place::After => self.after(input),
                Place::End => Move::Starved,
            };
            match step {
                Move::On => {}
                Move::Starved => return None,
                Move::Told(event) => return Some(event),
            }
        }
    }

    fn start(&mut self, mark: usize, input: &mut &[u8]) -> Move {
        if let (Some(expected), Some((first, rest))) =
            (BYTE_ORDER_MARK.get(mark), input.split_first())
            && expected == first
        {
            *input = rest;
            return self.to(Place::Start(mark + 1));
        }
        match token(input) {
            None => Move::Starved,
            Some(b'{') => self.to(Place::Key),
            Some(_) => self.broken(),
        }
    }

    fn key(&mut self, input: &mut &[u8]) -> Move {
        match token(input) {
            None => Move::Starved,
            Some(b'"') => {
                self.text.clear();
                self.to(Place::InKey)
            }
            Some(b'}') => self.close(),
            Some(_) => self.broken(),
        }
    }

    fn in_key(&mut self, input: &mut &[u8]) -> Move {
        if self.text.is_empty()
            && let Some(key) = take_plain_text(input)
        {
            self.slot = self.object.slot(key);
            return self.to(Place::Colon);
        }
        let text = &mut self.text;
        let closed = take_text(input, &mut self.escaped, |piece| keep(text, piece, LONGEST_KEY));
        if !closed {
            return Move::Starved;
        }
        self.slot = self.object.slot(&self.text);
        self.to(Place::Colon)
    }

    fn colon(&mut self, input: &mut &[u8]) -> Move {
        match token(input) {
            None => Move::Starved,
            Some(b':') => self.to(Place::Value),
            Some(_) => self.broken(),
        }
    }

    fn value(&mut self, input: &mut &[u8]) -> Move {
        let Some(first) = token(input) else { return Move::Starved };
        match (first, self.slot.watch(self.into_data)) {
            (b'"', Watch::Text) => {
                self.text.clear();
                self.tell(Place::InText, Event::Began(self.slot))
            }
            (b'"', Watch::Reached(_)) => {
                self.tell(Place::Skip(Skip::text()), Event::Reached(self.slot))
            }
            (b'"', _) => self.to(Place::Skip(Skip::text())),
            (b'{', Watch::Reached(Some(object))) => {
                self.object = object;
                self.tell(Place::Key, Event::Reached(self.slot))
            }
            (b'{', Watch::Inside(object)) if !object.is_list() => {
                self.object = object;
                self.to(Place::Key)
            }
            (b'[', Watch::Inside(object)) if object.is_list() => {
                self.object = object;
                self.slot = Slot::Segment;
                self.to(Place::Value)
            }
            (b'{' | b'[', Watch::Reached(_)) => {
                self.tell(Place::Skip(Skip::nested()), Event::Reached(self.slot))
            }
            (b'{' | b'[', _) => self.to(Place::Skip(Skip::nested())),
            (b']', _) if self.object.is_list() => self.close(),
            (b'-' | b'0'..=b'9', Watch::Number) => {
                self.text.clear();
                self.text.push(first);
                self.to(Place::InNumber)
            }
            (b'-' | b'0'..=b'9' | b't' | b'f' | b'n', _) => self.to(Place::SkipWord),
            _ => self.broken(),
        }
    }

    fn in_text(&mut self, input: &mut &[u8]) -> Move {
        let text = &mut self.text;
        let closed = take_text(input, &mut self.escaped, |piece| keep(text, piece, LONGEST_URI));
        match (closed, self.text.len() > LONGEST_URI) {
            (true, false) => self.tell(Place::After, Event::Read(self.slot)),
            (true, true) => self.tell(Place::After, Event::TooLong(self.slot)),
            (false, false) => Move::Starved,
            (false, true) => {
                let skip = Skip::text_after(std::mem::take(&mut self.escaped));
                self.tell(Place::Skip(skip), Event::TooLong(self.slot))
            }
        }
    }

    fn in_number(&mut self, input: &mut &[u8]) -> Move {
        let (word, ended) = take_word(input);
        keep(&mut self.text, word, LONGEST_NUMBER);
        if ended { self.tell(Place::After, Event::Read(self.slot)) } else { Move::Starved }
    }

    fn skip_word(&mut self, input: &mut &[u8]) -> Move {
        if take_word(input).1 { self.to(Place::After) } else { Move::Starved }
    }

    fn skip(&mut self, mut skip: Skip, input: &mut &[u8]) -> Move {
        let ended = skip.take(input);
        self.place = if ended { Place::After } else { Place::Skip(skip) };
        if ended { Move::On } else { Move::Starved }
    }

    fn after(&mut self, input: &mut &[u8]) -> Move {
        match (token(input), self.object.is_list()) {
            (None, _) => Move::Starved,
            (Some(b','), false) => self.to(Place::Key),
            (Some(b','), true) => {
                self.slot = Slot::Segment;
                self.to(Place::Value)
            }
            (Some(b'}'), false) | (Some(b']'), true) => self.close(),
            (Some(_), _) => self.broken(),
        }
    }

    fn close(&mut self) -> Move {
        match self.object.parent() {
            Some(parent) => {
                self.object = parent;
                self.to(Place::After)
            }
            None => self.tell(Place::End, Event::Closed),
        }
    }

    fn broken(&mut self) -> Move {
        self.tell(Place::End, Event::Broken)
    }

    fn to(&mut self, place: Place) -> Move {
        self.place = place;
        Move::On
    }

    fn tell(&mut self, place: Place, event: Event) -> Move {
        self.place = place;
        Move::Told(event)
    }
}

/// Takes white space and the byte after it.
fn token(input: &mut &[u8]) -> Option<u8> {
    while let Some((first, rest)) = input.split_first() {
        *input = rest;
        if !matches!(first, b' ' | b'\t' | b'\n' | b'\r') {
            return Some(*first);
        }
    }
    None
}

/// Takes the rest of a number, `true`, `false` or `null`, and says whether its end was seen.
fn take_word<'a>(input: &mut &'a [u8]) -> (&'a [u8], bool) {
    let end = input
        .iter()
        .position(|byte| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r'));
    let (word, rest) = input.split_at(end.unwrap_or(input.len()));
    *input = rest;
    (word, end.is_some())
}

/// Adds `piece` to `text`, of which never more than `limit` + 1 bytes are held: one more shows that it is too long.
fn keep(text: &mut Vec<u8>, piece: &[u8], limit: usize) {
    let room = (limit + 1).saturating_sub(text.len());
    text.extend_from_slice(piece.get(..room).unwrap_or(piece));
}
