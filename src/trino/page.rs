//! The head of a page as it comes over the wire: plain, gzip or zstd, inflated only as far as it is read.
//!
//! A [`Reader`] is shown the body's pieces in passing and never changes them. A body that does not inflate, or is of
//! an encoding that we never ask for, is no page to us; its bytes still go to the client as they came. Inflating goes
//! in small slices and ends with the scanner's interest or at `MOST_INFLATED`, so that a bomb costs milliseconds. Of zstd
//! the beginning is read in a way of our own (`beginning`), since its decoder cannot stop within a block.

mod beginning;
mod gzip;
mod inflate;
mod rows;

pub use rows::RowCounter;

use std::mem;

use crate::trino::head::{Head, Scanner};
use beginning::{Beginning, Found};
use inflate::Inflate;

/// The most that is inflated of one page. Trino's pages have about 1 MB, and of those that go on only the head is
/// read; so this is for last pages, far above the largest that are known (16 MB), and about 50 ms of one core.
const MOST_INFLATED: usize = 64 * 1024 * 1024;
/// The most compressed bytes taken at once: a head is done within a few hundred, and what is taken may inflate to a
/// thousand times as much before anyone can stop it.
const SLICE: usize = 512;
/// The most plain bytes made at once.
const ROOM: usize = 4 * 1024;

/// A content encoding and a [`Scanner`].
#[derive(Debug)]
pub struct Reader {
    scanner: Scanner,
    body: Body,
    /// Plain bytes that may still be made.
    left: usize,
    /// Plain bytes that the scanner has seen already, and that are made once more.
    told: usize,
}

/// How the bytes come.
#[derive(Debug)]
enum Body {
    Plain,
    Beginning(Beginning),
    Packed(Inflate),
    /// Nothing more is of interest, or nothing can be read.
    Passing,
}

impl Reader {
    /// A reader for a body with this `Content-Encoding`; none means identity.
    pub fn new(content_encoding: Option<&str>) -> Self {
        let mut reader =
            Self { scanner: Scanner::new(), body: Body::Plain, left: MOST_INFLATED, told: 0 };
        match Coding::of(content_encoding.unwrap_or_default()) {
            Coding::Identity => {}
            Coding::Gzip => reader.body = Body::Packed(Inflate::gzip()),
            Coding::Zstd => reader.body = Body::Beginning(Beginning::new()),
            Coding::Other => reader.finish(),
        }
        reader
    }

    /// Reads the next piece of the body, or nothing if [`Reader::done`].
    pub fn feed(&mut self, piece: &[u8]) {
        match &mut self.body {
            Body::Plain => self.scanner.feed(piece),
            Body::Beginning(_) => self.begin(piece),
            Body::Packed(_) => self.inflate_all(piece),
            Body::Passing => {}
        }
        if self.scanner.done() {
            self.body = Body::Passing;
        }
    }

    /// What is known so far.
    pub fn head(&self) -> &Head {
        self.scanner.head()
    }

    /// Whether nothing further can matter.
    pub fn done(&self) -> bool {
        self.scanner.done()
    }

    /// See [`Scanner::past_next_uri`].
    pub fn past_next_uri(&self) -> bool {
        self.scanner.past_next_uri()
    }

    /// The body ended: a page that had not closed by then is none.
    pub fn finish(&mut self) {
        self.scanner.finish();
        self.body = Body::Passing;
    }

    /// Zstd, up to the end of the first block; what has not been told by then is the library's.
    fn begin(&mut self, mut piece: &[u8]) {
        let Body::Beginning(beginning) = &mut self.body else { return };
        match beginning.take(&mut piece) {
            Found::More => return,
            Found::Other => {}
            Found::Whole => {
                self.told = beginning.text(|text| {
                    self.scanner.feed(text);
                    !self.scanner.done()
                });
            }
        }
        if self.scanner.done() {
            return;
        }
        let Some(inflate) = Inflate::zstd() else { return self.finish() };
        let Body::Beginning(beginning) = mem::replace(&mut self.body, Body::Packed(inflate)) else {
            return;
        };
        self.inflate_all(beginning.held());
        if !self.scanner.done() {
            self.inflate_all(piece);
        }
    }

    fn inflate_all(&mut self, piece: &[u8]) {
        let mut room = [0; ROOM];
        for slice in piece.chunks(SLICE) {
            self.inflate(slice, &mut room);
            if self.scanner.done() {
                return;
            }
        }
    }

    fn inflate(&mut self, mut slice: &[u8], room: &mut [u8]) {
        while let Body::Packed(inflate) = &mut self.body
            && !self.scanner.done()
        {
            let before = slice.len();
            let Some(made) = inflate.next(&mut slice, room) else { return self.finish() };
            let Some(left) = self.left.checked_sub(made) else { return self.finish() };
            self.left = left;
            let again = self.told.min(made);
            self.told -= again;
            self.scanner.feed(room.get(again..made).unwrap_or_default());
            let all_taken = slice.is_empty() && made < room.len();
            let stuck = made == 0 && slice.len() == before;
            if all_taken || stuck {
                return;
            }
        }
    }
}

/// The encodings told apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Coding {
    Identity,
    Gzip,
    Zstd,
    Other,
}

impl Coding {
    fn of(header: &str) -> Self {
        let mut codings = header
            .split(',')
            .map(|name| Self::one(name.trim()))
            .filter(|one| *one != Self::Identity);
        match (codings.next(), codings.next()) {
            (None, _) => Self::Identity,
            (Some(one), None) => one,
            (Some(_), Some(_)) => Self::Other,
        }
    }

    fn one(name: &str) -> Self {
        match name.to_ascii_lowercase().as_str() {
            "" | "identity" => Self::Identity,
            "gzip" | "x-gzip" => Self::Gzip,
            "zstd" => Self::Zstd,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests;
