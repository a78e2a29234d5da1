//! The head of a page as it comes over the wire: plain, gzip or zstd, inflated only as far as it is read.
//!
//! A [`Reader`] is shown the body's pieces in passing and never changes them. A body that does not inflate, or is of
//! an encoding that we never ask for, is no page to us; its bytes still go to the client as they came. Inflating goes
//! in small slices and ends with the scanner's interest or at `MOST_INFLATED`, so that a bomb costs milliseconds.

mod gzip;
mod inflate;
mod rows;

pub use rows::RowCounter;

use crate::trino::head::{Head, Scanner};
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
}

/// How the bytes come.
#[derive(Debug)]
enum Body {
    Plain,
    Packed(Inflate),
    /// Nothing more is of interest, or nothing can be read.
    Passing,
}

impl Reader {
    /// A reader for a body with this `Content-Encoding`; none means identity.
    pub fn new(content_encoding: Option<&str>) -> Self {
        let mut reader = Self { scanner: Scanner::new(), body: Body::Plain, left: MOST_INFLATED };
        match Coding::of(content_encoding.unwrap_or_default()) {
            Coding::Identity => {}
            Coding::Gzip => reader.body = Body::Packed(Inflate::gzip()),
            Coding::Zstd => match Inflate::zstd() {
                Some(inflate) => reader.body = Body::Packed(inflate),
                None => reader.finish(),
            },
            Coding::Other => reader.finish(),
        }
        reader
    }

    /// Reads the next piece of the body, or nothing if [`Reader::done`].
    pub fn feed(&mut self, piece: &[u8]) {
        match &self.body {
            Body::Plain => self.scanner.feed(piece),
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
            self.scanner.feed(room.get(..made).unwrap_or_default());
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
