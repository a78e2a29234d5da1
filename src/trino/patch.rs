//! A page's URIs made to point at the gateway while the page streams by; every other byte is the coordinator's own.
//!
//! What goes out are slices of what came in, and one new piece in place of each URI that begins with a foreign base.
//! Only a URI that is split over pieces is held back, at most 8 KiB; a longer one passes untouched. Presigned storage
//! URIs of spooled segments have another origin and so stay. The page is walked once, for this and for its head.
//!
//! Works on identity bodies only: a backend whose pages must be patched is asked for those.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;

use crate::trino::head::{Event, Scanner, Slot, escape, unescape};

/// Three URIs in a head make four pieces around them.
const USUAL_PIECES: usize = 8;

pub mod kept;

/// What is to be patched.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Patch {
    /// Bases that are replaced, scheme and authority with or without a path, without a slash at the end.
    pub from: Vec<String>,
    /// The base that is put there, without a slash at the end.
    pub to: String,
    /// Which URIs.
    pub scope: Scope,
}

/// Which URIs of a page are patched.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scope {
    /// `nextUri`, `infoUri`, `partialCancelUri`.
    Head,
    /// Those, and `uri` and `ackUri` of each spooled segment.
    Spooled,
}

/// Patches one page and reads its head.
#[derive(Debug)]
pub struct Patcher {
    patch: Arc<Patch>,
    scanner: Scanner,
    in_uri: bool,
    /// What came of a URI whose end has not come.
    held: Vec<Bytes>,
    info_uri_seen: bool,
    data_over: bool,
}

impl Patcher {
    /// A patcher before the first byte; pages with the same patch may share it.
    pub fn new(patch: impl Into<Arc<Patch>>) -> Self {
        let patch = patch.into();
        let scanner = match patch.scope {
            Scope::Head => Scanner::new(),
            Scope::Spooled => Scanner::into_segments(),
        };
        Self {
            patch,
            scanner,
            in_uri: false,
            held: Vec::new(),
            info_uri_seen: false,
            data_over: false,
        }
    }

    /// What the page says, read on the way.
    pub fn scanner(&self) -> &Scanner {
        &self.scanner
    }

    /// Takes a piece of the page and gives what can go out of it, in order.
    pub fn feed(&mut self, piece: Bytes) -> Vec<Bytes> {
        if self.done() {
            return vec![piece];
        }
        let mut out = Vec::with_capacity(USUAL_PIECES);
        let mut rest = piece.as_ref();
        // The first byte not given out, and where the URI being read began.
        let (mut from, mut uri_from) = (0, 0);
        while !self.done()
            && let Some(event) = self.scanner.step(&mut rest)
        {
            let at = piece.len() - rest.len();
            match event {
                Event::Began(slot) if slot.is_uri() => {
                    self.in_uri = true;
                    uri_from = at;
                }
                Event::Read(slot) if slot.is_uri() => {
                    if let Some(uri) = self.read(slot) {
                        self.held.clear();
                        out.push(piece.slice(from..uri_from));
                        out.push(uri);
                        // Its closing quote was the last byte taken.
                        from = at - 1;
                    }
                    out.append(&mut self.held);
                }
                Event::TooLong(slot) if slot.is_uri() => {
                    self.in_uri = false;
                    out.append(&mut self.held);
                }
                // Trino puts `data` before `stats`, so no segment follows.
                Event::Reached(Slot::Stats) => self.data_over = true,
                _ => {}
            }
        }
        let passes = if self.in_uri { uri_from } else { piece.len() };
        out.push(piece.slice(from..passes));
        self.held.push(piece.slice(passes..));
        out.retain(|slice| !slice.is_empty());
        out
    }

    /// The body ended: what is still held goes out as it came.
    pub fn finish(&mut self) -> Vec<Bytes> {
        self.scanner.finish();
        self.held.retain(|slice| !slice.is_empty());
        std::mem::take(&mut self.held)
    }

    /// Whether all that follows passes unseen.
    pub fn done(&self) -> bool {
        let head_over = self.scanner.done() && self.info_uri_seen;
        head_over && !self.in_uri && (self.patch.scope == Scope::Head || self.data_over)
    }

    /// A URI was read whole: what is to stand there instead.
    fn read(&mut self, slot: Slot) -> Option<Bytes> {
        self.in_uri = false;
        self.info_uri_seen |= slot == Slot::InfoUri;
        patched(self.scanner.text(), &self.patch).map(Bytes::from)
    }
}

/// The new text of a URI as it stands between quotes, if it is one of ours to patch.
fn patched(raw: &[u8], patch: &Patch) -> Option<String> {
    let text = unescape(raw)?;
    let rest = patch.from.iter().find_map(|from| rest_after(&text, from))?;
    let uri = format!("{}{rest}", patch.to);
    Some(if raw.contains(&b'\\') { escape(&uri) } else { uri })
}

/// What follows `base` in `uri`, if it is the whole of the URI's base and not the beginning of a longer name or port.
fn rest_after<'a>(uri: &'a str, base: &str) -> Option<&'a str> {
    uri.strip_prefix(base).filter(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']))
}

/// `text` with each URI in it that begins with one of the bases `from` beginning with `to` instead: for `Location`,
/// `WWW-Authenticate` and the JSON of the OAuth2 token poll. A URI begins where the text does or after a quote or a
/// space, so one inside another's query string stays: an identity provider compares those.
pub fn replace_origin<'a>(text: &'a str, from: &[String], to: &str) -> Cow<'a, str> {
    let mut out = String::new();
    let mut copied = 0;
    let mut begins = true;
    for (at, character) in text.char_indices() {
        let rest = text.get(at..).unwrap_or_default();
        if begins && let Some(base) = from.iter().find(|base| begins_with(rest, base)) {
            out.push_str(text.get(copied..at).unwrap_or_default());
            out.push_str(to);
            copied = at + base.len();
        }
        begins = matches!(character, '"' | '\'' | ' ' | '<' | ',');
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(out)
}

/// Whether a URI with this base stands at the beginning of `text`.
fn begins_with(text: &str, base: &str) -> bool {
    !base.is_empty()
        && text.strip_prefix(base).is_some_and(|rest| {
            rest.is_empty() || rest.starts_with(['/', '?', '#', '"', '\'', ' ', '>', ',', ';'])
        })
}

#[cfg(test)]
mod tests;
